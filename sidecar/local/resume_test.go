package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

const (
	row1 = "{\"id\":1}\n"
	row2 = "{\"id\":2}\n"
	row3 = "{\"id\":3}\n"
)

// crash ends a read as a kill does: nothing is finished, and the lock is gone.
func crash(t *testing.T, folder *Folder) {
	t.Helper()
	folder.mu.Lock()
	defer folder.mu.Unlock()
	if folder.lock != nil {
		must(t, errors.Join(syscall.Flock(int(folder.lock.Fd()), syscall.LOCK_UN), folder.lock.Close()))
	}
	folder.lock = nil
}

// given is what LoadStates of a new process returns.
func given(t *testing.T, dir string) []sidecar.SavedState {
	t.Helper()
	states, err := ReadStates(filepath.Join(dir, "sync"))
	must(t, err)
	return states
}

func TestResumeCutsToTheState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, _ := open(t, dir, nil, appended)
	load(t, folder, "users", sidecar.Append, row1+row2)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)})) // row 2 is there before its state
	load(t, folder, "users", sidecar.Append, row3)
	crash(t, folder)

	folder, warnings := open(t, dir, given(t, dir), appended)
	rowsAre(t, folder, "users", row1)
	load(t, folder, "users", sidecar.Append, row2)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":2}`, 9)})) // positions count from the begin of the read
	load(t, folder, "users", sidecar.Append, row3)
	crash(t, folder)

	folder, more := open(t, dir, given(t, dir), appended)
	rowsAre(t, folder, "users", row1+row2)
	if len(warnings)+len(more) > 0 {
		t.Errorf("warnings %q %q, want none", warnings, more)
	}
}

func TestResumeWithoutAState(t *testing.T) {
	t.Parallel()
	fullAppend := stream("users", airbyte.FullRefresh, airbyte.Append)
	users := []airbyte.StreamDescriptor{{Name: "users"}}
	tests := []struct {
		name   string
		stream airbyte.ConfiguredStream
		reads  func(t *testing.T, folder *Folder) // the earlier read
		want   string
	}{
		{"rows of a crashed first read go", appended, func(t *testing.T, folder *Folder) {
			t.Helper()
			load(t, folder, "users", sidecar.Append, row1)
		}, ""},
		{"rows of a finished read stay", fullAppend, func(t *testing.T, folder *Folder) {
			t.Helper()
			load(t, folder, "users", sidecar.Append, row1)
			must(t, folder.Finish(t.Context(), users))
		}, row1},
		{"rows of a finished full refresh with states stay", fullAppend, func(t *testing.T, folder *Folder) {
			t.Helper()
			load(t, folder, "users", sidecar.Append, row1+row2)
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)}))
			must(t, folder.Finish(t.Context(), users))
		}, row1 + row2},
		{"a state that is saved after the end takes no rows away", fullAppend, func(t *testing.T, folder *Folder) {
			t.Helper()
			load(t, folder, "users", sidecar.Append, row1+row2)
			must(t, folder.Finish(t.Context(), users))
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)}))
		}, row1 + row2},
		{"rows of a crashed full refresh with states go", fullAppend, func(t *testing.T, folder *Folder) {
			t.Helper()
			load(t, folder, "users", sidecar.Append, row1+row2)
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)}))
		}, ""},
		{"rows that a state covers stay after a reset, later ones go", appended, func(t *testing.T, folder *Folder) {
			t.Helper()
			load(t, folder, "users", sidecar.Append, row1+row2)
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)}))
		}, row1},
		{"a file that will be replaced stays", replacedAs("users"), func(t *testing.T, folder *Folder) {
			t.Helper()
			load(t, folder, "users", sidecar.ReplaceFirst, row1)
			load(t, folder, "users", sidecar.Append, row2)
		}, row1 + row2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			folder, _ := open(t, dir, nil, test.stream)
			test.reads(t, folder)
			crash(t, folder)
			folder, warnings := open(t, dir, nil, test.stream)
			rowsAre(t, folder, "users", test.want)
			if len(warnings) > 0 {
				t.Errorf("warnings %q, want none", warnings)
			}
		})
	}
}

// replacedAs is a stream that is overwritten.
func replacedAs(name string) airbyte.ConfiguredStream {
	return stream(name, airbyte.FullRefresh, airbyte.Overwrite)
}

func TestResumeSecondAttemptOfAFullRefresh(t *testing.T) {
	t.Parallel()
	dir, config := t.TempDir(), stream("users", airbyte.FullRefresh, airbyte.Append)
	folder, _ := open(t, dir, nil, config)
	load(t, folder, "users", sidecar.Append, row1)
	must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}})) // the first refresh
	crash(t, folder)
	folder, _ = open(t, dir, nil, config)
	load(t, folder, "users", sidecar.Append, row1)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)}))
	crash(t, folder)
	folder, _ = open(t, dir, given(t, dir), config) // the source can resume it
	load(t, folder, "users", sidecar.Append, row2)
	rowsAre(t, folder, "users", row1+row1+row2)
	crash(t, folder)
	folder, _ = open(t, dir, nil, config) // and now begins again
	rowsAre(t, folder, "users", row1)
}

func TestResumeKeepsWhatItCannotTell(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		spoil  func(t *testing.T, dir, rows string)
		given  string // state
		want   string // rows
		reason string // of the warning; none when empty
	}{
		{"a state from elsewhere", nil, `{"n":7}`, row1 + row2, "not one of the last"},
		{"no record", func(t *testing.T, dir, _ string) {
			t.Helper()
			must(t, os.Remove(filepath.Join(dir, "sync", recordFile)))
		}, `{"n":1}`, row1 + row2, "state.json does not say"},
		{"a file that was edited", func(t *testing.T, _, rows string) {
			t.Helper()
			must(t, os.WriteFile(rows, []byte("{\"id\":1,\"by\":\"hand\"}\n{\"id\":2}"), 0o600))
		}, `{"n":1}`, "{\"id\":1,\"by\":\"hand\"}\n{\"id\":2}\n", "was changed"},
		{"a file and its record that are gone", func(t *testing.T, dir, rows string) {
			t.Helper()
			must(t, errors.Join(os.Remove(rows), os.Remove(filepath.Join(dir, "sync", recordFile))))
		}, `{"n":1}`, "-", "were never here"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			folder, _ := open(t, dir, nil, appended)
			load(t, folder, "users", sidecar.Append, row1+row2)
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)}))
			crash(t, folder)
			if test.spoil != nil {
				test.spoil(t, dir, folder.rowsPath(table("users").Stream))
			}
			folder, warnings := open(t, dir, []sidecar.SavedState{state("users", test.given, 0)}, appended)
			rowsAre(t, folder, "users", test.want)
			if got := strings.Join(warnings, "; "); (got == "") != (test.reason == "") || !strings.Contains(got, test.reason) {
				t.Errorf("warnings %q, want %q", got, test.reason)
			}
			load(t, folder, "users", sidecar.Append, row3)
			rowsAre(t, folder, "users", strings.TrimPrefix(test.want, "-")+row3)
		})
	}
}

func TestResumeWithAStateOfAllStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	events, parts := stream("events", airbyte.FullRefresh, airbyte.Append), stream("parts", airbyte.FullRefresh, airbyte.Append)
	global := sidecar.SavedState{
		Key:   sidecar.GlobalStateKey,
		State: []byte(`{"shared_state":{"lsn":5},"stream_states":[{"stream_descriptor":{"name":"parts","namespace":null},"stream_state":{"p":1}}]}`),
		Covers: map[airbyte.StreamDescriptor]sidecar.Position{
			{Name: "users"}: {Bytes: 9}, {Name: "events"}: {Bytes: 9}, {Name: "parts"}: {Bytes: 9}, {Name: "elsewhere"}: {Bytes: 99},
		},
	}
	folder, _ := open(t, dir, nil, appended, events, parts)
	for _, name := range []string{"users", "events", "parts"} {
		load(t, folder, name, sidecar.Append, row1+row2)
	}
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{global}))
	crash(t, folder)
	folder, _ = open(t, dir, given(t, dir), appended, events, parts)
	rowsAre(t, folder, "users", row1)
	rowsAre(t, folder, "parts", row1) // the state names it: the source goes on with it
	rowsAre(t, folder, "events", "")  // the source starts it again
}

// TestResumeFromPartOfAState: a GLOBAL state is given to the source without its entries of full refreshes.
func TestResumeFromPartOfAState(t *testing.T) {
	t.Parallel()
	entry := func(name, content string) string {
		return `{"stream_descriptor":{"name":"` + name + `"},"stream_state":` + content + `}`
	}
	global := func(lsn, streams string) sidecar.SavedState {
		return sidecar.SavedState{
			Key: sidecar.GlobalStateKey, State: []byte(`{"shared_state":{"lsn":` + lsn + `},"stream_states":[` + streams + `]}`),
			Covers: map[airbyte.StreamDescriptor]sidecar.Position{{Name: "users"}: {Bytes: 9}, {Name: "events"}: {Bytes: 9}},
		}
	}
	tests := []struct {
		name  string
		given sidecar.SavedState
		users string
		doubt bool
	}{
		{"without a full refresh", global("5", entry("users", "1")), row1, false},
		{"spelled in another way", global("5.0", " "+entry("users", " 1 ")), row1, false},
		{"of another time", global("4", entry("users", "1")), row1 + row2, true},
		{"of another time of the stream", global("5", entry("users", "0")), row1 + row2, true},
	}
	for _, test := range tests {
		dir := t.TempDir()
		events := stream("events", airbyte.FullRefresh, airbyte.Append)
		folder, _ := open(t, dir, nil, appended, events)
		load(t, folder, "users", sidecar.Append, row1+row2)
		load(t, folder, "events", sidecar.Append, row1+row2)
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{global("5", entry("users", "1")+","+entry("events", "7"))}))
		crash(t, folder)
		folder, warnings := open(t, dir, []sidecar.SavedState{test.given}, appended, events)
		rowsAre(t, folder, "users", test.users)
		rowsAre(t, folder, "events", "")
		if (len(warnings) > 0) != test.doubt {
			t.Errorf("%s: warnings %q, want some: %v", test.name, warnings, test.doubt)
		}
		crash(t, folder)
	}
}
