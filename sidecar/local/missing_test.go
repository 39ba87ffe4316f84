package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestMissingRows: a read whose source goes on from a state does not begin when rows that the state covers are not there any more, whatever kind of
// state it is. Nothing is changed then, so that each way out is open.
func TestMissingRows(t *testing.T) {
	t.Parallel()
	wide := func(key, content string) sidecar.SavedState {
		saved := state("users", content, 18)
		saved.Key, saved.Stream = key, airbyte.StreamDescriptor{}
		saved.Covers[airbyte.StreamDescriptor{Name: "items"}] = sidecar.Position{Bytes: 9}
		return saved
	}
	states := map[string][]sidecar.SavedState{
		"STREAM": {state("users", `{"n":2}`, 18), state("items", `{"n":1}`, 9)},
		"GLOBAL": {wide(sidecar.GlobalStateKey, `{"shared_state":{"lsn":2},"stream_states":[]}`)},
		"LEGACY": {wide(sidecar.LegacyStateKey, `{"users":2}`)},
	}
	spoils := map[string]struct {
		content string // "-" is no file
		names   string
	}{
		"missing": {"-", "does not exist"}, "emptied": {"", "has 0 bytes"},
		"cut": {row1 + `{"id`, "has 13 bytes"}, "cut after a row": {row1, "has 9 bytes"},
		"replaced by a shorter one": {"{\"other\":true}\n", "has 15 bytes"},
	}
	for kind, saved := range states {
		for name, spoil := range spoils {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				dir, items := t.TempDir(), stream("items", airbyte.Incremental, airbyte.Append)
				folder, _ := open(t, dir, nil, appended, items)
				load(t, folder, "users", sidecar.Append, row1+row2)
				load(t, folder, "items", sidecar.Append, row1)
				must(t, folder.SaveStates(t.Context(), saved))
				load(t, folder, "items", sidecar.Append, row2) // no state covers it
				crash(t, folder)
				rows := folder.rowsPath(table("users").Stream)
				must(t, os.Remove(rows))
				if spoil.content != "-" {
					must(t, os.WriteFile(rows, []byte(spoil.content), 0o600))
				}
				record, err := os.ReadFile(filepath.Join(folder.dir, recordFile))
				must(t, err)
				again, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync"}})
				must(t, err)
				catalog := airbyte.ConfiguredCatalog{Streams: []airbyte.ConfiguredStream{appended, items}}
				_, err = again.Resume(t.Context(), catalog, given(t, dir))
				mustFail(t, err, rows, spoil.names, "covers 18 bytes", "put the file back", "FULL_SYNC", saved[0].Key)
				var missing *MissingRowsError
				if !errors.As(err, &missing) {
					t.Errorf("%v is no MissingRowsError", err)
				}
				must(t, again.Close(t.Context()))
				after, err := os.ReadFile(filepath.Join(folder.dir, recordFile))
				must(t, err)
				if string(after) != string(record) {
					t.Errorf("the record was\n%s\nand is\n%s", record, after)
				}
				rowsAre(t, folder, "items", row1+row2)

				must(t, os.WriteFile(rows, []byte(row1+row2), 0o600))
				folder, warnings := open(t, dir, given(t, dir), appended, items)
				if len(warnings) > 0 {
					t.Errorf("warnings %q with the file in its place", warnings)
				}
				rowsAre(t, folder, "users", row1+row2)
				rowsAre(t, folder, "items", row1)
			})
		}
	}
}

// TestMissingRowsThatNoStateCountsOn: whoever reads everything again does not miss what is not there.
func TestMissingRowsThatNoStateCountsOn(t *testing.T) {
	t.Parallel()
	for _, config := range []airbyte.ConfiguredStream{appended, replacedAs("users"), stream("users", airbyte.FullRefresh, airbyte.Append)} {
		dir := t.TempDir()
		folder, _ := open(t, dir, nil, config)
		load(t, folder, "users", sidecar.Append, row1+row2)
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":2}`, 18)}))
		must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}}))
		crash(t, folder)
		must(t, os.Remove(folder.rowsPath(table("users").Stream)))
		folder, warnings := open(t, dir, nil, config)
		if len(warnings) > 0 {
			t.Errorf("warnings %q", warnings)
		}
		load(t, folder, "users", sidecar.ReplaceFirst, row3)
		rowsAre(t, folder, "users", row3)
	}
}

// TestMissingRowsOfManyFiles: one line for each of the first, and one for all others.
func TestMissingRowsOfManyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var configs []airbyte.ConfiguredStream
	var states []sidecar.SavedState
	for i := range maxWarnings + 5 {
		name := string(rune('a' + i))
		configs = append(configs, stream(name, airbyte.Incremental, airbyte.Append))
		states = append(states, state(name, `1`, 9))
	}
	folder, _ := open(t, dir, nil, configs...)
	for _, config := range configs {
		load(t, folder, config.Stream.Name, sidecar.Append, row1)
	}
	must(t, folder.SaveStates(t.Context(), states))
	crash(t, folder)
	must(t, os.RemoveAll(filepath.Join(folder.dir, "rows")))
	_, err := folder.Resume(t.Context(), airbyte.ConfiguredCatalog{Streams: configs}, given(t, dir))
	mustFail(t, err, "a.ndjson does not exist", "5 more files")
	if lines := strings.Count(err.Error(), "\n") + 1; lines != maxWarnings+1 {
		t.Errorf("the error has %d lines:\n%v", lines, err)
	}
}

// TestRowsThatSomebodyAdded: after a read that ended they are told from those that it left without a state; they stay where they can.
func TestRowsThatSomebodyAdded(t *testing.T) {
	t.Parallel()
	const foreign = "{\"by\":\"hand\"}\n"
	tests := []struct {
		name    string
		later   string // rows that no state covers
		killed  bool
		want    string
		warning string
	}{
		{"after a read that ended", "", false, row1 + foreign, "14 bytes that somebody added since the last read: they stay"},
		{"after rows without a state", row2, false, row1, "14 bytes that somebody added since the last read: they go"},
		{"after a kill, where nobody knows", row2, true, row1, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			folder, _ := open(t, dir, nil, appended)
			load(t, folder, "users", sidecar.Append, row1)
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 9)}))
			if test.later != "" {
				load(t, folder, "users", sidecar.Append, test.later)
			}
			if test.killed {
				crash(t, folder)
			} else {
				must(t, folder.Close(t.Context()))
			}
			rows := folder.rowsPath(table("users").Stream)
			content, err := os.ReadFile(rows)
			must(t, err)
			must(t, os.WriteFile(rows, append(content, foreign...), 0o600))
			folder, warnings := open(t, dir, given(t, dir), appended)
			if got := strings.Join(warnings, "; "); (got == "") != (test.warning == "") || !strings.Contains(got, test.warning) {
				t.Errorf("warnings %q, want %q", got, test.warning)
			}
			rowsAre(t, folder, "users", test.want)
			load(t, folder, "users", sidecar.Append, row2)
			rowsAre(t, folder, "users", test.want+row2)
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":2}`, 9)}))
			must(t, folder.Close(t.Context()))
			folder, warnings = open(t, dir, given(t, dir), appended)
			if len(warnings) > 0 {
				t.Errorf("warnings of the read after it: %q", warnings)
			}
			rowsAre(t, folder, "users", test.want+row2)
		})
	}
}
