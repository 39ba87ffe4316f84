package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// rows are what a stream's table or file holds now, as its readers see it.
func (s *scenario) rows(stream string) []string {
	s.t.Helper()
	if s.places != bulkerAndPostgres {
		content, err := os.ReadFile(s.path("data/sync" + fmt.Sprint(s.seed) + "/rows/" + stream + ".ndjson"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.t.Fatal(err)
		}
		return lines(string(content))
	}
	var rows []string
	s.withStore(func(store *bulkertest.Store) error {
		return store.Each(stream, func(row json.RawMessage) error {
			rows = append(rows, string(row))
			return nil
		})
	})
	return rows
}

// withStore looks into the Bulker test server's folder, whose server must not run.
func (s *scenario) withStore(look func(*bulkertest.Store) error) {
	s.t.Helper()
	store, err := bulkertest.Open(s.bulker.dir)
	if err == nil {
		err = errors.Join(look(store), store.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// states are what the journal holds now.
func (s *scenario) states() map[string]json.RawMessage {
	s.t.Helper()
	states := map[string]json.RawMessage{}
	if s.places != folderAlone {
		query := fmt.Sprintf(`select json_build_object('stream', stream, 'state', state)::text from source_state where sync_id = 'sync%d'`, s.seed)
		for _, line := range postgrestest.Query(s.t, s.postgres.DSN(), query) {
			var row struct {
				Stream string          `json:"stream"`
				State  json.RawMessage `json:"state"`
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				s.t.Fatal(err)
			}
			states[row.Stream] = row.State
		}
		return states
	}
	saved, err := local.ReadStates(local.Dir(s.path("data"), sidecar.Identity{SyncID: fmt.Sprint("sync", s.seed)}))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	for _, state := range saved {
		states[state.Key] = state.State
	}
	return states
}

// cursors are how far each stream is done by what is saved: source-demo's cursor counts seconds, one for each row.
func (s *scenario) cursors() map[string]int {
	s.t.Helper()
	type cursor struct {
		UpdatedAt time.Time `json:"updated_at"`
	}
	found := map[string]int{}
	note := func(stream string, state json.RawMessage) {
		var c cursor
		if err := json.Unmarshal(state, &c); err == nil && !c.UpdatedAt.IsZero() {
			found[stream] = int(c.UpdatedAt.Sub(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds())
		}
	}
	for key, state := range s.states() {
		switch key {
		case sidecar.GlobalStateKey:
			var global struct {
				Streams []struct {
					Descriptor struct {
						Name string `json:"name"`
					} `json:"stream_descriptor"`
					State json.RawMessage `json:"stream_state"`
				} `json:"stream_states"`
			}
			if err := json.Unmarshal(state, &global); err != nil {
				s.t.Fatal(err)
			}
			for _, entry := range global.Streams {
				note(entry.Descriptor.Name, entry.State)
			}
		case sidecar.LegacyStateKey:
			var legacy map[string]json.RawMessage
			if err := json.Unmarshal(state, &legacy); err != nil {
				s.t.Fatal(err)
			}
			for stream, entry := range legacy {
				note(stream, entry)
			}
		default:
			note(key, state)
		}
	}
	return found
}

// checkStates proves I1 for this moment: every row that a saved state covers is at the destination.
func (s *scenario) checkStates() {
	s.t.Helper()
	for stream, done := range s.cursors() {
		if stream == "products" {
			continue // read anew each time: its state is not fed back
		}
		held := map[string]bool{}
		for _, row := range s.rows(stream) {
			held[row] = true
		}
		for i, row := range s.expected[stream][:min(done, len(s.expected[stream]))] {
			if !held[row] {
				s.failf("stream %s: the saved state covers %d rows, row %d of them is not at the destination", stream, done, i+1)
			}
		}
	}
}

// checkRows proves the promise of the README for the end of a sync.
func (s *scenario) checkRows() {
	s.t.Helper()
	for stream, expected := range s.expected {
		got := s.rows(stream)
		counts := map[string]int{}
		for _, row := range got {
			counts[row]++
		}
		for i, row := range expected {
			if counts[row] == 0 {
				s.failf("stream %s: row %d of %d is missing", stream, i+1, len(expected))
			}
		}
		atLeastOnce := s.places == bulkerAndPostgres && !s.keyed && stream != "products"
		if !atLeastOnce && len(got) != len(expected) || len(counts) != len(expected) {
			s.failf("stream %s: %d rows (%d different), expected %d", stream, len(got), len(counts), len(expected))
		}
	}
}

// checkFullRefresh proves I6 on the server's own record: no commit ever showed a part of the full refresh.
func (s *scenario) checkFullRefresh() {
	s.t.Helper()
	if s.places != bulkerAndPostgres {
		return
	}
	s.withStore(func(store *bulkertest.Store) error {
		for _, commit := range store.Commits() {
			if commit.Table == "products" && (commit.Mode != bulkertest.ModeReplaceTable || commit.Rows != int64(len(s.expected["products"]))) {
				s.failf("commit %d showed %d of %d products (mode %s)", commit.Sequence, commit.Rows, len(s.expected["products"]), commit.Mode)
			}
		}
		return nil
	})
}

// task is the recorded status of a run; empty when it is not recorded.
func (s *scenario) task(id string) string {
	s.t.Helper()
	if s.places == folderAlone {
		content, err := os.ReadFile(s.path("data/sync" + fmt.Sprint(s.seed) + "/task.json"))
		if errors.Is(err, fs.ErrNotExist) {
			return ""
		}
		var task struct {
			ID     string `json:"task_id"`
			Status string `json:"status"`
		}
		if err := errors.Join(err, json.Unmarshal(content, &task)); err != nil {
			s.t.Fatal(err)
		}
		if task.ID != id {
			return ""
		}
		return task.Status
	}
	rows := postgrestest.Query(s.t, s.postgres.DSN(), fmt.Sprintf(`select status from source_task where task_id = '%s'`, id))
	return slices.Max(append(rows, ""))
}
