package mapping

import (
	"encoding/json"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestStatesOfFullRefreshes: a stream whose saved state only tells of a full refresh begins anew when it is read incrementally, and its rows are
// replaced; whether we pick the state or somebody else gave it to the connector.
func TestStatesOfFullRefreshes(t *testing.T) {
	t.Parallel()
	stream := configured("", "users")
	stream.SyncMode = airbyte.Incremental
	for name, c := range map[string]struct {
		state string
		given bool         // to the connector, from what is saved
		mode  sidecar.Mode // of a connector that somebody gave it
	}{
		"a position":                    {`{"updated_at":"2024-01-01"}`, true, sidecar.Append},
		"an empty one":                  {`{}`, true, sidecar.Append},
		"a list":                        {`[1]`, true, sidecar.Append},
		"none":                          {`null`, false, sidecar.ReplaceFirst},
		"no cursor":                     {`{"__ab_no_cursor_state_message":true}`, false, sidecar.ReplaceFirst},
		"a cursor beside it":            {`{"__ab_no_cursor_state_message":false,"id":1}`, true, sidecar.Append},
		"complete: the source may stop": {`{"__ab_full_refresh_sync_complete":true}`, false, sidecar.Append},
	} {
		saved := []sidecar.SavedState{{Key: "users", Stream: stream.Stream.Descriptor(), State: json.RawMessage(c.state)}}
		picked, err := StatesForConnector(saved, catalog(stream))
		if err != nil || (len(picked) == 1) != c.given {
			t.Errorf("%s: the connector is given %+v, %v", name, picked, err)
		}
		others := []airbyte.State{{Type: airbyte.StateStream, Stream: stream.Stream.Descriptor(), StreamState: json.RawMessage(c.state)}}
		streams, err := Streams(catalog(stream), Positions(others), Options{})
		if err != nil || streams[0].Mode != c.mode {
			t.Errorf("%s: delivered by %v, want %v (%v)", name, streams[0].Mode, c.mode, err)
		}
	}
}
