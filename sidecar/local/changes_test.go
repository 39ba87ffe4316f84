package local

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
)

// onlyChanges makes a folder write every change but the first as a line of changes, as one of thousands of streams does.
func onlyChanges(folder *Folder) { folder.store.small = -1 << 40 }

// files of the record as they are now; nil when there is none.
func recordFiles(t *testing.T, dir string) (whole, changes []byte) {
	t.Helper()
	for name, content := range map[string]*[]byte{recordFile: &whole, changesFile: &changes} {
		read, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		*content = read
	}
	return whole, changes
}

// changed is a folder with n changes in a file of their own: the state of users at each is its number.
func changed(t *testing.T, dir string, n int) *Folder {
	t.Helper()
	folder, _ := open(t, dir, nil, appended, replaced)
	onlyChanges(folder)
	for i := 1; i <= n; i++ {
		load(t, folder, "users", sidecar.Append, row1)
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", strconv.Itoa(i), int64(i*len(row1)))}))
	}
	return folder
}

// TestChangesAreTheRecord: state.json and the changes say what state.json alone would, whichever of them was written last, and after a clean end
// state.json does.
func TestChangesAreTheRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := changed(t, dir, 3)
	load(t, folder, "orders", sidecar.ReplaceFirst, row1+row2)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("gone", `1`, 0)}))
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("gone", `null`, 0)}))
	_, lines := recordFiles(t, folder.dir)
	if count := bytes.Count(lines, []byte{'\n'}); count != 7 {
		t.Errorf("%d changes, want one for each call and two for the replacement:\n%s", count, lines)
	}
	read, err := readRecord(folder.dir)
	must(t, err)
	sameRecord(t, read, folder.record)
	must(t, folder.Close(t.Context()))
	whole, lines := recordFiles(t, folder.dir)
	if lines != nil || !json.Valid(whole) {
		t.Errorf("after the end there are changes: %s", lines)
	}
	left, err := readRecord(folder.dir)
	must(t, err)
	for name, file := range left.Files {
		if file.Left == nil || file.LeftAt == nil {
			t.Errorf("%s: how it was left is not noted", name)
		}
		file.Left, file.LeftAt = nil, nil
		left.Files[name] = file
	}
	sameRecord(t, left, read)
}

// sameRecord compares records by what they say.
func sameRecord(t *testing.T, got, want record) {
	t.Helper()
	for _, r := range []*record{&got, &want} {
		r.Changes, r.UpdatedAt = 0, r.UpdatedAt.Truncate(1<<62)
		for key, state := range r.States {
			state.SavedAt = r.UpdatedAt
			r.States[key] = state
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the record is\n%+v\nwant\n%+v", got, want)
	}
}

// TestTornChanges cuts the changes at every byte: what was written whole counts, and a later read goes on from there.
func TestTornChanges(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	folder := changed(t, source, 3)
	whole, lines := recordFiles(t, folder.dir)
	crash(t, folder)
	for end := range len(lines) + 1 {
		dir := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, "sync", "rows"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "sync", recordFile), whole, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "sync", changesFile), lines[:end], 0o600))
		want := bytes.Count(lines[:end], []byte{'\n'})
		states := given(t, dir)
		if want == 0 && len(states) == 0 {
			continue
		}
		if len(states) != 1 || string(states[0].State) != strconv.Itoa(want) {
			t.Fatalf("cut at %d: states are %v, want the one of change %d", end, states, want)
		}
		if end%16 != 0 && want == bytes.Count(lines[:max(end-1, 0)], []byte{'\n'}) {
			continue // a whole read costs some milliseconds
		}
		must(t, os.WriteFile(filepath.Join(dir, "sync", "rows", "users.ndjson"), bytes.Repeat([]byte(row1), 3), 0o600))
		again, warnings := open(t, dir, states, appended, replaced)
		if len(warnings) > 0 {
			t.Errorf("cut at %d: %q", end, warnings)
		}
		rowsAre(t, again, "users", string(bytes.Repeat([]byte(row1), want)))
		if _, left := recordFiles(t, again.dir); left != nil {
			t.Errorf("cut at %d: changes are left beside a state.json that has them", end)
		}
	}
}

// TestChangesOfAnotherRecord: only those count that go on from state.json.
func TestChangesOfAnotherRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := changed(t, dir, 2)
	first, firstLines := recordFiles(t, folder.dir)
	must(t, folder.store.rewrite(folder.record))
	second, _ := recordFiles(t, folder.dir)
	load(t, folder, "users", sidecar.Append, row1)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `3`, 27)}))
	_, secondLines := recordFiles(t, folder.dir)
	crash(t, folder)
	tests := []struct {
		name           string
		whole, changes []byte
		want           string
	}{
		{"their own", second, secondLines, "3"},
		{"a kill between state.json and the removal of its changes", second, firstLines, "2"},
		{"both", second, append(bytes.Clone(firstLines), secondLines...), "3"},
		{"an older state.json, put back by hand", first, secondLines, ""},
		{"no state.json", nil, secondLines, ""},
		{"no changes", second, nil, "2"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		for name, content := range map[string][]byte{recordFile: test.whole, changesFile: test.changes} {
			if content != nil {
				must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
			}
		}
		states, err := ReadStates(dir)
		must(t, err)
		got := ""
		for _, state := range states {
			got += string(state.State)
		}
		if got != test.want {
			t.Errorf("%s: the state is %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDamagedChanges(t *testing.T) {
	t.Parallel()
	folder := changed(t, t.TempDir(), 3)
	_, lines := recordFiles(t, folder.dir)
	crash(t, folder)
	path := filepath.Join(folder.dir, changesFile)
	parts := bytes.SplitAfter(lines, []byte{'\n'})
	for name, test := range map[string]struct{ content, want string }{
		"a line":      {string(parts[0]) + "{]\n" + string(parts[2]), "line 2"},
		"what it is":  {string(bytes.Replace(lines, []byte(`"committed_bytes":27`), []byte(`"committed_bytes":-27`), 1)), "committed_bytes is negative"},
		"a file name": {string(bytes.ReplaceAll(lines, []byte(`rows/users.ndjson`), []byte(`../users.ndjson`))), "belongs to no stream"},
	} {
		must(t, os.WriteFile(path, []byte(test.content), 0o600))
		_, err := ReadStates(folder.dir)
		mustFail(t, err, path, test.want, "move it away")
		if _, after := recordFiles(t, folder.dir); string(after) != test.content {
			t.Errorf("%s: the changes were changed", name)
		}
	}
}

// TestChangeThatCannotBeWritten: half a line is taken back, and what follows is whole.
func TestChangeThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	folder := changed(t, t.TempDir(), 1)
	_, before := recordFiles(t, folder.dir)
	file := folder.store.changes
	readOnly, err := os.Open(file.Name())
	must(t, err)
	folder.store.changes = readOnly
	mustFail(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `2`, 9)}), changesFile)
	if states := given(t, filepath.Dir(folder.dir)); string(states[0].State) != "1" || string(folder.record.States["users"].State) != "1" {
		t.Errorf("the state is %s after a failure", states[0].State)
	}
	if _, after := recordFiles(t, folder.dir); !bytes.Equal(before, after) {
		t.Errorf("the changes are\n%s\nafter a failure", after)
	}
	must(t, file.Close())
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `2`, 9)}))
	if states := given(t, filepath.Dir(folder.dir)); string(states[0].State) != "2" {
		t.Errorf("the state is %s, want 2", states[0].State)
	}
}

// TestReadStatesOfAReadUnderWay: whoever looks while a read is at work sees a whole record, and never an older one than before.
func TestReadStatesOfAReadUnderWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, _ := open(t, dir, nil, appended, replaced)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `0`, 0)}))
	folder.store.small = 500 // many lines, and now and then all of it
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for last := 0; ; {
			states, err := ReadStates(folder.dir)
			if err != nil || len(states) != 1 {
				t.Errorf("states %v, %v", states, err)
				return
			}
			now, err := strconv.Atoi(string(states[0].State))
			if err != nil || now < last {
				t.Errorf("the state is %d after %d (%v)", now, last, err)
				return
			}
			last = now
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := 1; i <= 100; i++ {
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", strconv.Itoa(i), 0)}))
	}
	close(done)
	reader.Wait()
}
