package bulkertest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
)

// Post is one object that was posted.
type Post struct {
	Destination string          `json:"destination"`
	Table       string          `json:"table"`
	Body        json.RawMessage `json:"body"` // a JSON string when it was no JSON
}

// post is EventsHandler of router.go, with a file in the place of Kafka.
func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		writeError(w, http.StatusBadRequest, "error reading HTTP body: "+err.Error())
		return
	}
	if !json.Valid(body) {
		if body, err = json.Marshal(string(body)); err != nil {
			writeError(w, http.StatusInternalServerError, masked("producer error"))
			return
		}
	}
	post := Post{Destination: r.PathValue("destination"), Table: r.URL.Query().Get("tableName"), Body: body}
	if err := s.addPost(post); err != nil {
		writeError(w, http.StatusInternalServerError, masked("producer error"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"message": "ok"})
}

func (s *Store) addPost(p Post) error {
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.posts.Write(append(line, '\n'))
	return err
}

// Posts are the objects that were posted, in order.
func (s *Store) Posts() ([]Post, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var posts []Post
	_, err := readLines(s.posts, func(line []byte) error {
		var p Post
		err := json.Unmarshal(line, &p)
		posts = append(posts, p)
		return err
	})
	return slices.Clip(posts), err
}
