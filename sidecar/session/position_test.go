package session

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/mapping"
	"sync-sidecar/sidecar/sidecartest"
)

// committedState gives a committer a state, as a load would.
func committedState(t *testing.T, into *sidecartest.Committer, states ...sidecar.SavedState) {
	t.Helper()
	if err := into.LoadTogether(t.Context(), nil, states); err != nil {
		t.Fatal(err)
	}
}

func streamState(name, state string) sidecar.SavedState {
	return sidecar.SavedState{Key: name, Stream: airbyte.StreamDescriptor{Name: name}, State: json.RawMessage(state), Sequence: 1}
}

// TestOlderStateThanCommitted: a connector that was given an older state than the rows reach doubles rows without a key, so that its read fails and
// the journal is corrected; with a key it goes on.
func TestOlderStateThanCommitted(t *testing.T) {
	t.Parallel()
	a := func(state string) []sidecar.SavedState { return []sidecar.SavedState{streamState("a", state)} }
	all := func(state string) []sidecar.SavedState {
		return []sidecar.SavedState{{Key: sidecar.GlobalStateKey, State: json.RawMessage(state), Sequence: 1}}
	}
	for name, c := range map[string]struct {
		key              []string
		given, committed []sidecar.SavedState
		fails            bool
	}{
		"the same, spelled by jsonb": {nil, a(`{"b": 100, "a": "x"}`), a(`{"a":"x","b":1e2}`), false},
		"older, without a key":       {nil, a(`{"n":1}`), a(`{"n":2}`), true},
		"older, with a key":          {[]string{"id"}, a(`{"n":1}`), a(`{"n":2}`), false},
		"none given":                 {nil, nil, a(`{"n":2}`), false},
		"none committed":             {nil, a(`{"n":1}`), nil, false},
		"older GLOBAL":               {nil, all(`{"shared_state":1}`), all(`{"shared_state":2}`), true},
		"GLOBAL without its full refreshes": {nil, all(`{"shared_state":1,"stream_states":[]}`),
			all(`{"shared_state":1,"stream_states":[{"stream_descriptor":{"name":"full"},"stream_state":{"n":1}}]}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured := airbyte.ConfiguredStream{Stream: airbyte.Stream{Name: "a"}, SyncMode: airbyte.Incremental}
			if c.key != nil {
				configured.PrimaryKey = [][]string{c.key}
			}
			catalog := airbyte.ConfiguredCatalog{Streams: []airbyte.ConfiguredStream{configured,
				{Stream: airbyte.Stream{Name: "full"}, SyncMode: airbyte.FullRefresh, DestinationSyncMode: airbyte.Overwrite}}}
			given, err := mapping.StatesForConnector(c.given, catalog)
			if err != nil {
				t.Fatal(err)
			}
			streams, err := mapping.Streams(catalog, given, mapping.Options{})
			if err != nil {
				t.Fatal(err)
			}
			committer, journal := sidecartest.NewCommitter(), sidecartest.NewJournal()
			committedState(t, committer, c.committed...)
			parts := Parts{Destination: committer, Journal: journal,
				Logs: logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string { return text }})}
			code, err := checkPosition(t.Context(), parts, committer, Inputs{Catalog: catalog, States: given}, streams)
			if !c.fails {
				if err != nil {
					t.Fatalf("exit %d: %v", code, err)
				}
				return
			}
			if err == nil || code != sidecar.ExitFailed || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), "run the sync again") {
				t.Fatalf("exit %d: %v", code, err)
			}
			saved, err := journal.LoadStates(t.Context())
			if err != nil || len(saved) != 1 || string(saved[0].State) != string(c.committed[0].State) {
				t.Fatalf("the journal holds %v (%v)", saved, err)
			}
		})
	}
}
