package chaos

import (
	"encoding/json"
	"time"

	"sync-sidecar/sidecar"
)

// cursors are how many rows of each stream are done by what is saved: source-demo's cursor counts seconds, one for each row.
func (s *scenario) cursors() (map[string]int, error) {
	states, err := s.states()
	if err != nil {
		return nil, err
	}
	return cursorsOf(states)
}

// cursorsOf is cursors for states by their keys.
func cursorsOf(states map[string]json.RawMessage) (map[string]int, error) {
	found := map[string]int{}
	for key, state := range states {
		streams, err := cursorStates(key, state)
		if err != nil {
			return nil, err
		}
		for stream, state := range streams {
			var cursor struct {
				UpdatedAt time.Time `json:"updated_at"`
			}
			if json.Unmarshal(state, &cursor) == nil && !cursor.UpdatedAt.IsZero() {
				found[stream] = int(cursor.UpdatedAt.Sub(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds())
			}
		}
	}
	return found, nil
}

// cursorStates takes a saved state apart by streams.
func cursorStates(key string, state json.RawMessage) (map[string]json.RawMessage, error) {
	streams := map[string]json.RawMessage{}
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
			return nil, err
		}
		for _, entry := range global.Streams {
			streams[entry.Descriptor.Name] = entry.State
		}
	case sidecar.LegacyStateKey:
		return streams, json.Unmarshal(state, &streams)
	default:
		streams[key] = state
	}
	return streams, nil
}
