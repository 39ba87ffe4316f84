package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestCommittedStatesCount: what was committed with rows takes the place of what a journal holds, of other kinds too.
func TestCommittedStatesCount(t *testing.T) {
	t.Parallel()
	streams := []sidecar.StreamConfig{{Incremental: true, Table: sidecar.Table{Stream: airbyte.StreamDescriptor{Name: "a"}}},
		{Incremental: true, Table: sidecar.Table{Stream: airbyte.StreamDescriptor{Name: "b"}}}}
	states := func(texts ...string) (states []sidecar.SavedState) {
		for _, text := range texts {
			key, content, _ := strings.Cut(text, " ")
			states = append(states, sidecar.SavedState{Key: key, State: json.RawMessage(content)})
		}
		return states
	}
	const global = sidecar.GlobalStateKey
	for name, c := range map[string]struct{ saved, committed, want []string }{
		"nothing committed":           {[]string{"a 1"}, nil, []string{"a 1"}},
		"lost journal":                {nil, []string{"a 2"}, []string{"a 2"}},
		"journal behind":              {[]string{"a 1", "b 1"}, []string{"a 2"}, []string{"a 2", "b 1"}},
		"GLOBAL takes the streams'":   {[]string{"a 1"}, []string{global + " 2"}, []string{global + " 2"}},
		"all streams take GLOBAL's":   {[]string{global + " 1"}, []string{"a 2", "b 2"}, []string{"a 2", "b 2"}},
		"some streams leave GLOBAL's": {[]string{global + " 1"}, []string{"a 2"}, []string{global + " 1", "a 2"}},
	} {
		var got []string
		for _, state := range WithCommitted(states(c.saved...), states(c.committed...), streams) {
			got = append(got, state.Key+" "+string(state.State))
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
