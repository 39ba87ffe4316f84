package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func TestStatesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync"}}) // a journal alone: no Resume
	must(t, err)
	odd := `{"big":12345678901234567890,"float":1.0,"html":"<&>","nul":"\u0000","lone":"\ud800","é":"\u2028"}`
	global := sidecar.SavedState{Key: sidecar.GlobalStateKey, State: []byte(`{"shared_state":{}}`)}
	legacy := sidecar.SavedState{Key: sidecar.LegacyStateKey, State: []byte(`{"any":"thing"}`)}
	users := state("users", odd, 123) // rows are at another destination
	refreshed := state("refreshed", `{"done":true}`, 0)
	refreshed.Incremental = 0
	for _, step := range []struct {
		save []sidecar.SavedState
		want []string
	}{
		{[]sidecar.SavedState{state("users", `{"old":true}`, 0), users, state("gone", `null`, 0)}, []string{"users users " + odd}},
		{[]sidecar.SavedState{state("items", `1`, 0)}, []string{"items items 1", "users users " + odd}},
		// What becomes of other kinds is sidecar.StateKinds' to say; each step is a run of its own.
		{[]sidecar.SavedState{global}, []string{`_GLOBAL_STATE  {"shared_state":{}}`}},
		{[]sidecar.SavedState{refreshed}, []string{`_GLOBAL_STATE  {"shared_state":{}}`}},
		{[]sidecar.SavedState{legacy}, []string{`_GLOBAL_STATE  {"shared_state":{}}`}},
		{[]sidecar.SavedState{users, refreshed}, []string{"users users " + odd}},
		{[]sidecar.SavedState{legacy}, []string{`_LEGACY_STATE  {"any":"thing"}`, "users users " + odd}},
		{[]sidecar.SavedState{global}, []string{`_GLOBAL_STATE  {"shared_state":{}}`}},
	} {
		folder.kinds = sidecar.StateKinds{}
		must(t, folder.SaveStates(t.Context(), step.save))
		again, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync"}})
		must(t, err)
		states, err := again.LoadStates(t.Context())
		must(t, err)
		var got []string
		for _, state := range states {
			got = append(got, state.Key+" "+state.Stream.Name+" "+string(state.State))
		}
		if strings.Join(got, "\n") != strings.Join(step.want, "\n") {
			t.Errorf("states are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(step.want, "\n"))
		}
	}
}

// TestSaveStatesRefusesStatesAheadOfTheirRows is I1 at the last place where it can be seen.
func TestSaveStatesRefusesStatesAheadOfTheirRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, _ := open(t, dir, nil, appended, stream("items", airbyte.Incremental, airbyte.Append))
	load(t, folder, "users", sidecar.Append, row1)
	err := folder.SaveStates(t.Context(), []sidecar.SavedState{state("items", `{"n":0}`, 0), state("users", `{"n":2}`, 18)})
	mustFail(t, err, "users", "18 bytes", "only 9")
	if states := given(t, dir); len(states) > 0 {
		t.Errorf("states are %v, want none of them saved", states)
	}
	err = folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":`, 9)})
	mustFail(t, err, "users", "not JSON")
}

func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	tests := []struct{ content, want string }{
		{"{\n  \"version\": 1,\n  \"states\": {]\n}", "line 3"},
		{"{\n  \"version\": 1,\n  \"files\": {\"rows/users.ndjson\": {\"committed_bytes\": \"9\"}}\n}", "line 3: files.committed_bytes is a string"},
		{"", "unexpected end"},
		{`{"version": 2}`, "version is 2"},
		{`{"version": 1, "states": null}`, "null"},
		{`{"version": 1, "files": {"rows/users.ndjson": {"stream": {"name": "users"}, "committed_bytes": -1}}}`, "committed_bytes is negative"},
		{`{"version": 1, "files": {"rows/users.ndjson": {"stream": {"name": "users"}, "checkpoints": [{"bytes": -1}]}}}`, "checkpoints[0].bytes"},
		{`{"version": 1, "files": {"rows/users.ndjson": {"stream": {"name": "users"}, "next": {"committed_bytes": -1}}}}`, "next.committed_bytes"},
		{`{"version": 1, "files": {"../../etc/passwd": {"stream": {"name": "users"}}}}`, "belongs to no stream"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		path := filepath.Join(dir, "sync", recordFile)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(test.content), 0o600))
		_, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync"}})
		mustFail(t, err, path, test.want, "move it away")
		_, err = ReadStates(filepath.Join(dir, "sync"))
		mustFail(t, err, path, test.want)
		if content, err := os.ReadFile(path); err != nil || string(content) != test.content {
			t.Errorf("state.json is %q (%v), want it as it was", content, err)
		}
	}
}

func TestReplaceStates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	items := stream("items", airbyte.Incremental, airbyte.Append)
	folder, _ := open(t, dir, nil, appended, items)
	load(t, folder, "users", sidecar.Append, row1)
	load(t, folder, "items", sidecar.Append, row1)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `1`, 9), state("items", `1`, 9)}))
	must(t, folder.ReplaceStates(t.Context(), []string{"users", "nobody"}, nil))
	if states := given(t, dir); len(states) != 1 || states[0].Key != "items" {
		t.Errorf("states are %v, want that of items", states)
	}
	must(t, folder.ReplaceStates(t.Context(), []string{"items"}, nil))
	crash(t, folder)
	if states := given(t, dir); len(states) != 0 {
		t.Errorf("states are %v, want none", states)
	}
	folder, _ = open(t, dir, nil, appended, items)
	rowsAre(t, folder, "users", row1)
	rowsAre(t, folder, "items", row1)
}

func TestMirrorAnotherJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	elsewhere := func() *Folder {
		folder, err := Open(t.Context(), Options{Dir: filepath.Join(dir, "elsewhere"), Identity: sidecar.Identity{SyncID: "sync"}})
		must(t, err)
		return folder
	}
	journal := &awayJournal{Journal: elsewhere()}
	folder, _ := open(t, dir, nil, appended)
	both := folder.Mirror(journal)
	must(t, both.Lock(t.Context()))
	want := ""
	for n := range 100 { // the journal takes two states and is away for all later ones
		load(t, folder, "users", sidecar.Append, row1)
		journal.away = n >= 2
		err := both.SaveStates(t.Context(), []sidecar.SavedState{state("users", fmt.Sprint(n), int64(9*(n+1)))})
		if journal.away != errors.Is(err, errJournal) {
			t.Fatalf("error is %v while the journal is away: %v", err, journal.away)
		}
		if n < 2 {
			want += row1
		}
	}
	must(t, both.Close(t.Context()))
	journal = &awayJournal{Journal: elsewhere()}
	states, err := journal.LoadStates(t.Context())
	must(t, err)
	folder, warnings := open(t, dir, states, appended)
	rowsAre(t, folder, "users", want)
	if len(warnings) > 0 {
		t.Errorf("warnings are %q, want none", warnings)
	}
	if own := given(t, dir); len(own) != 1 || string(own[0].State) != "1" {
		t.Errorf("the folder's own state is %v, want the one that its rows are of", own)
	}
	must(t, journal.Close(t.Context()))
}

// TestMirrorAJournalThatIsGone: the next read starts without a state, so what this one brought must go, although its streams were read to the end.
func TestMirrorAJournalThatIsGone(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{true, false} {
		dir := t.TempDir()
		elsewhere, err := Open(t.Context(), Options{Dir: filepath.Join(dir, "elsewhere")})
		must(t, err)
		journal := &awayJournal{Journal: elsewhere, away: gone}
		folder, _ := open(t, dir, nil, appended)
		both := folder.Mirror(journal)
		load(t, folder, "users", sidecar.Append, row1)
		err = both.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)})
		if gone != errors.Is(err, errJournal) {
			t.Fatal(err)
		}
		must(t, both.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusPartial, Description: `{"users":{"status":"SUCCESS"}}`}))
		must(t, both.Close(t.Context()))
		folder, _ = open(t, dir, nil, appended)
		want := row1 // of a read that ended: whoever reset its state wants more rows, not fewer
		if gone {
			want = ""
		}
		rowsAre(t, folder, "users", want)
		crash(t, folder)
	}
}

// awayJournal is a journal whose server can be away.
type awayJournal struct {
	sidecar.Journal
	away bool
}

// SaveStates fails while the server is away.
func (j *awayJournal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	if j.away {
		return errJournal
	}
	return j.Journal.SaveStates(ctx, states)
}

// TestConcurrentUse loads and saves several streams at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var configs []airbyte.ConfiguredStream
	for i := range 8 {
		configs = append(configs, stream(fmt.Sprint(i), airbyte.Incremental, airbyte.AppendDedup, []string{"id"}))
	}
	folder, _ := open(t, dir, nil, configs...)
	var workers sync.WaitGroup
	for _, config := range configs {
		name := config.Stream.Name
		workers.Go(func() {
			for n := range 20 {
				err := folder.Load(t.Context(), sidecar.Load{Table: table(name), Rows: textRows{text: row1}})
				if err == nil {
					err = folder.SaveStates(t.Context(), []sidecar.SavedState{state(name, fmt.Sprint(n), int64(9*(n+1)))})
				}
				if err != nil {
					t.Error(err)
				}
			}
			if err := folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: name}}); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	var saved record
	content, err := os.ReadFile(filepath.Join(dir, "sync", recordFile))
	must(t, err)
	must(t, json.Unmarshal(content, &saved))
	for _, config := range configs {
		rowsAre(t, folder, config.Stream.Name, row1)
		if file := saved.Files[RowsFile(config.Stream.Descriptor())]; file.Committed != 9 || file.OnePerKey != 9 || len(file.Checkpoints) > maxCheckpoints {
			t.Errorf("the record of %s is %+v", config.Stream.Name, file)
		}
		if got := string(saved.States[config.Stream.Name].State); got != "19" {
			t.Errorf("the state of %s is %s, want the last", config.Stream.Name, got)
		}
	}
}
