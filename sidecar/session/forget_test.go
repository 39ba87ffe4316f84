package session

import (
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/sidecartest"
)

// TestStatesOfReplacedRows reads streams whose rows are replaced, with states of an earlier run: those that tell of rows which are gone are
// forgotten, unless the connector sends another, and no others.
func TestStatesOfReplacedRows(t *testing.T) {
	t.Parallel()
	state := func(name, n string) string {
		return `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"` + name + `"},"stream_state":` + n + `}}}`
	}
	global := func(key, text string) sidecar.SavedState { return sidecar.SavedState{Key: key, State: []byte(text)} }
	users, both := streamState("users", "1"), []sidecar.SavedState{streamState("users", "1"), streamState("orders", "1")}
	const ofUsers = `{"shared_state":1,"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":1}]}`
	done := []string{row("users"), row("orders"), status("users", "COMPLETE"), status("orders", "COMPLETE")}
	for _, test := range []struct {
		name    string
		earlier []sidecar.SavedState
		append  bool // orders is added to
		first   bool // the first load replaces what there is
		lines   []string
		exit    int
		want    map[string]string
	}{
		{"no state comes", both, false, false, done, 0, map[string]string{}},
		{"no state comes of one", both, false, false, append([]string{state("orders", "2")}, done...), 0, map[string]string{"orders": "2"}},
		{"a state comes after the end", []sidecar.SavedState{users}, false, false, append(done[:4:4], state("users", "2")), 0,
			map[string]string{"users": "2"}},
		{"a stream fails", both, false, false, []string{row("users"), row("orders"), status("users", "COMPLETE"), status("orders", "INCOMPLETE")}, 1,
			map[string]string{"orders": "1"}},
		{"nothing ends well", both, false, false, []string{row("users"), row("orders")}, 1, map[string]string{"users": "1", "orders": "1"}},
		{"rows are added", both, true, false, done, 0, map[string]string{"orders": "1"}},
		{"GLOBAL", []sidecar.SavedState{global(sidecar.GlobalStateKey, ofUsers)}, false, false, done, 0, map[string]string{}},
		{"LEGACY", []sidecar.SavedState{global(sidecar.LegacyStateKey, `{"users":1}`)}, false, false, done, 0, map[string]string{}},
		{"GLOBAL, and another comes", []sidecar.SavedState{global(sidecar.GlobalStateKey, ofUsers)}, false, false,
			append([]string{`{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":2}}}`}, done...), 0,
			map[string]string{sidecar.GlobalStateKey: `{"shared_state":2}`}},
		{"GLOBAL, and rows are added", []sidecar.SavedState{global(sidecar.GlobalStateKey, ofUsers)}, true, false, done, 0,
			map[string]string{sidecar.GlobalStateKey: ofUsers}},
		{"GLOBAL of another stream, too", []sidecar.SavedState{global(sidecar.GlobalStateKey,
			`{"stream_states":[{"stream_descriptor":{"name":"else"},"stream_state":1}]}`)}, false, false, done, 0,
			map[string]string{sidecar.GlobalStateKey: `{"stream_states":[{"stream_descriptor":{"name":"else"},"stream_state":1}]}`}},
		{"GLOBAL that cannot be saved", []sidecar.SavedState{global(sidecar.GlobalStateKey, ofUsers)}, false, false,
			[]string{row("users"), status("users", "COMPLETE"), `{"type":"RECORD","record":{"stream":"orders","data":{`,
				`{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":2}}}`}, 1, map[string]string{}},
		{"it starts over, and is cut off", both, false, true, []string{row("users")}, 1, map[string]string{"orders": "1"}},
		{"it starts over from GLOBAL, and is cut off", []sidecar.SavedState{global(sidecar.GlobalStateKey, ofUsers)}, false, true,
			[]string{row("users")}, 1, map[string]string{}},
		{"it starts over, and no row comes", both, false, true, []string{status("users", "STARTED")}, 1,
			map[string]string{"users": "1", "orders": "1"}},
		{"GLOBAL, and nothing ends well", []sidecar.SavedState{global(sidecar.GlobalStateKey, ofUsers)}, false, false, []string{row("users")}, 1,
			map[string]string{sidecar.GlobalStateKey: ofUsers}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "users", "orders")
			if err := r.journal.ReplaceStates(t.Context(), nil, test.earlier); err != nil {
				t.Fatal(err)
			}
			if r.config.Earlier = test.earlier; test.append {
				r.config.Streams[1].Mode = sidecar.Append
			}
			for i := range r.config.Streams {
				if r.config.Streams[i].Incremental = true; test.first { // else FULL_SYNC
					r.config.Streams[i].Mode = sidecar.ReplaceFirst
				}
			}
			r.start().say(test.lines...).exit(test.exit).hangUp()
			report := r.end()
			saved := r.journal.States()
			if len(saved) != len(test.want) {
				t.Errorf("saved %v, want %v (%s: %s)", saved, test.want, report.Status, report.Cause)
			}
			for key, want := range test.want {
				if saved[key] != want {
					t.Errorf("saved %v, want %v", saved, test.want)
				}
			}
			if forgotten := len(test.want) == 0; forgotten && report.StatesSaved != 0 {
				t.Errorf("%d states are said to be saved", report.StatesSaved)
			}
		})
	}
}

// TestStateOfAllStreamsGoesWithTheFirstReplacedRows: a run may be killed before the other streams have ended, and its own states have waited for
// them. A state that came before still takes the place of the earlier one at the end.
func TestStateOfAllStreamsGoesWithTheFirstReplacedRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users", "orders")
	earlier := sidecar.SavedState{Key: sidecar.GlobalStateKey, State: []byte(`{"shared_state":1}`)}
	committer := sidecartest.NewCommitter()
	committedState(t, committer, sidecar.SavedState{Key: earlier.Key, State: earlier.State, Sequence: 9})
	next := committer.Again()
	if _, err := next.Resume(t.Context(), airbyte.ConfiguredCatalog{}, nil); err != nil {
		t.Fatal(err)
	}
	tables := []sidecar.Table{r.config.Streams[0].Table, r.config.Streams[1].Table}
	if _, err := next.Place(tables); err != nil {
		t.Fatal(err)
	}
	if err := r.journal.ReplaceStates(t.Context(), nil, []sidecar.SavedState{earlier}); err != nil {
		t.Fatal(err)
	}
	for i := range r.config.Streams {
		r.config.Streams[i].Incremental = true
	}
	r.config.Earlier, r.destination, r.wrapped = []sidecar.SavedState{earlier}, next, next.Mirror(r.journal)
	r.start().say(row("users"), row("orders"), `{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":2}}}`, status("users", "COMPLETE"))
	for deadline := time.Now().Add(30 * time.Second); len(next.Look().States)+len(r.journal.States()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("committed %v, saved %v", next.Look().States, r.journal.States())
		}
	}
	r.say(status("orders", "COMPLETE")).exit(0).hangUp()
	report := r.end()
	committed := next.Look().States[sidecar.GlobalStateKey]
	if string(committed.State) != `{"shared_state":2}` || r.journal.States()[sidecar.GlobalStateKey] != `{"shared_state":2}` {
		t.Errorf("committed %s, saved %v (%s: %s)", committed.State, r.journal.States(), report.Status, report.Cause)
	}
}

// TestReplacedRowsCommitWithTheirState: a destination that commits states with rows forgets the state in the load that replaces its rows: nobody sees
// the new rows with the state of the old ones.
func TestReplacedRowsCommitWithTheirState(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	committer := sidecartest.NewCommitter()
	earlier := streamState("users", "1")
	committedState(t, committer, earlier)
	next := committer.Again()
	if _, err := next.Resume(t.Context(), airbyte.ConfiguredCatalog{}, nil); err != nil {
		t.Fatal(err)
	}
	var seen []int
	next.OnCommit = func() error {
		view := next.Look()
		seen = append(seen, len(view.Rows["users"]), len(view.States))
		return nil
	}
	if _, err := next.Place([]sidecar.Table{r.config.Streams[0].Table}); err != nil {
		t.Fatal(err)
	}
	r.config.Streams[0].Incremental, r.config.Earlier = true, []sidecar.SavedState{earlier}
	r.destination = next
	r.start().say(row("users"), status("users", "COMPLETE")).exit(0).hangUp()
	report := r.end()
	if len(seen) != 2 || seen[0] != 1 || seen[1] != 0 {
		t.Errorf("rows and states at each commit: %v, want one row and no state (%s: %s)", seen, report.Status, report.Cause)
	}
}
