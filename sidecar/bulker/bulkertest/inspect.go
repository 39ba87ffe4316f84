package bulkertest

import (
	"encoding/json"
	"net/http"
)

// inspection adds what Bulker does not have: a look at the store from another process, and faults to inject.
//
//	GET  /_test/commits          all commits, a JSON array
//	GET  /_test/tables           {"<table>": rows after merges, …}
//	GET  /_test/rows?table=NAME  the rows, NDJSON
//	GET  /_test/posts            what came to /post, a JSON array
//	POST /_test/faults           a JSON array of Fault
func (s *Server) inspection(mux *http.ServeMux) {
	mux.HandleFunc("GET /_test/commits", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Commits()) })
	mux.HandleFunc("GET /_test/posts", func(w http.ResponseWriter, _ *http.Request) {
		posts, err := s.Posts()
		writeResult(w, posts, err)
	})
	mux.HandleFunc("GET /_test/tables", func(w http.ResponseWriter, _ *http.Request) {
		counts, err := s.counts()
		writeResult(w, counts, err)
	})
	mux.HandleFunc("GET /_test/rows", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		err := s.Each(r.URL.Query().Get("table"), func(row json.RawMessage) error {
			_, err := w.Write(append(row, '\n'))
			return err
		})
		if err != nil {
			cut(w) // the status has gone out: half an answer must not look like a whole one
		}
	})
	mux.HandleFunc("POST /_test/faults", func(w http.ResponseWriter, r *http.Request) {
		var list []Fault
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			writeError(w, http.StatusBadRequest, err.Error())
			return
		}
		s.Inject(list...)
		w.WriteHeader(http.StatusNoContent)
	})
}

// counts are the rows of every table.
func (s *Store) counts() (map[string]int64, error) {
	counts := map[string]int64{}
	for _, table := range s.Tables() {
		n, err := s.Count(table)
		if err != nil {
			return nil, err
		}
		counts[table] = n
	}
	return counts, nil
}

func writeResult(w http.ResponseWriter, value any, err error) {
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, value)
}
