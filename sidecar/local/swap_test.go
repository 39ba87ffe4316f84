package local

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func TestResumeRemovesLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, _ := open(t, dir, nil, replaced)
	load(t, folder, "orders", sidecar.ReplaceFirst, row1)
	crash(t, folder)
	path := folder.rowsPath(table("orders").Stream)
	must(t, os.WriteFile(path+".tmp", []byte(row2), 0o600))
	must(t, os.Mkdir(path+".keys.tmp", 0o700))
	must(t, os.WriteFile(filepath.Join(path+".keys.tmp", "0"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(folder.dir, "state.json.ABC.tmp"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(folder.dir, ".state.json.ABCDEFGHIJ.tmp"), nil, 0o600))
	folder, _ = open(t, dir, nil, replaced)
	rowsAre(t, folder, "orders", row1)
	noTemps(t, folder)
}

// TestRecordIsWrittenAheadOfTheRename stops a replacement at its rename, by a folder in its way.
func TestRecordIsWrittenAheadOfTheRename(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, _ := open(t, dir, nil, replaced)
	path := folder.rowsPath(table("orders").Stream)
	must(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o755))
	err := folder.Load(t.Context(), sidecar.Load{Table: table("orders"), Mode: sidecar.ReplaceFirst, Rows: textRows{text: row1 + row2}})
	mustFail(t, err, path)
	noTemps(t, folder)
	saved, err := readRecord(folder.Path())
	must(t, err)
	if next := saved.Files["rows/orders.ndjson"].Next; next == nil || next.Committed != 18 {
		t.Errorf("next is %+v, want 18 bytes", next)
	}
	crash(t, folder)
	_, err = folder.Resume(t.Context(), airbyte.ConfiguredCatalog{Streams: []airbyte.ConfiguredStream{replaced}}, nil)
	mustFail(t, err, path, "is not a file")
	crash(t, folder)
	must(t, os.RemoveAll(path))
	folder, _ = open(t, dir, nil, replaced)
	load(t, folder, "orders", sidecar.ReplaceFirst, row1)
	rowsAre(t, folder, "orders", row1)
}

// TestPositionsAfterAReplacement: they count from the begin of the read, the file does not.
func TestPositionsAfterAReplacement(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, _ := open(t, dir, nil, appended)
	load(t, folder, "users", sidecar.Append, row1+row1)
	load(t, folder, "users", sidecar.ReplaceFirst, row1)
	load(t, folder, "users", sidecar.Append, row2+row3)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":2}`, 36)}))
	crash(t, folder)
	folder, _ = open(t, dir, given(t, dir), appended)
	rowsAre(t, folder, "users", row1+row2)
}

// TestResumeBetweenRenameAndRecord: a read that was killed right after the rename of a new file, or right before it.
func TestResumeBetweenRenameAndRecord(t *testing.T) {
	t.Parallel()
	for _, renamed := range []bool{false, true} {
		dir := t.TempDir()
		folder, _ := open(t, dir, nil, appended)
		load(t, folder, "users", sidecar.Append, row1+row2)
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":2}`, 18)}))
		load(t, folder, "users", sidecar.Append, row3)
		want := row1 + row2
		must(t, folder.change(func(e *edit) error {
			known, _ := e.file("rows/users.ndjson")
			next := known
			next.Committed, next.Checkpoints = 12, []checkpoint{{Key: "users", Digest: known.Checkpoints[0].Digest, Bytes: 12}}
			known.Next = &next
			e.setFile("rows/users.ndjson", known)
			return nil
		}))
		if renamed {
			want = "{\"merge\":1}\n"
			must(t, os.WriteFile(folder.rowsPath(table("users").Stream), []byte(want), 0o600))
		}
		crash(t, folder)
		folder, warnings := open(t, dir, given(t, dir), appended)
		rowsAre(t, folder, "users", want)
		if len(warnings) > 0 {
			t.Errorf("warnings %q, want none", warnings)
		}
		crash(t, folder)
	}
}

// TestStateBeforeAReplacement: a state of all streams came before the first load of one of them, which made its file anew. Whoever starts from that
// state gets every row of the file again.
func TestStateBeforeAReplacement(t *testing.T) {
	t.Parallel()
	users, items := airbyte.StreamDescriptor{Name: "users"}, stream("items", airbyte.Incremental, airbyte.Append)
	for _, journal := range []bool{true, false} {
		dir := t.TempDir()
		folder, _ := open(t, dir, nil, appended, items)
		load(t, folder, "users", sidecar.ReplaceFirst, row1+row2) // of an earlier read
		load(t, folder, "items", sidecar.ReplaceFirst, row1)
		must(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusSuccess, Description: `{"users":{"status":"SUCCESS"}}`}))
		crash(t, folder)
		folder, _ = open(t, dir, nil, appended, items)
		load(t, folder, "items", sidecar.ReplaceFirst, row2)
		legacy := sidecar.SavedState{Key: sidecar.LegacyStateKey, State: []byte(`{"items":1}`),
			Covers: map[airbyte.StreamDescriptor]sidecar.Position{users: {}, {Name: "items"}: {Rows: 1, Bytes: int64(len(row2))}}}
		must(t, folder.saveStates([]sidecar.SavedState{legacy}, journal))
		load(t, folder, "users", sidecar.ReplaceFirst, row3)
		crash(t, folder)
		folder, warnings := open(t, dir, given(t, dir), appended, items)
		if len(warnings) > 0 {
			t.Error(warnings)
		}
		load(t, folder, "users", sidecar.Append, row3)
		rowsAre(t, folder, "users", row3)
		rowsAre(t, folder, "items", row2)
	}
}

// TestStateDuringAMerge: a state is saved while the rows that it covers are brought to one per key. Whoever starts from it goes on behind them.
func TestStateDuringAMerge(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string]string{"rows go": row1 + row1, "no row goes": row1 + row2} {
		dir := t.TempDir()
		keyed := stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"id"})
		folder, _ := open(t, dir, nil, keyed)
		load(t, folder, "users", sidecar.Append, rows)
		merged, wanted, err := folder.mergeStream(t.Context(), airbyte.StreamDescriptor{Name: "users"})
		if must(t, err); !wanted {
			t.Fatal("nothing to merge")
		}
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":2}`, int64(len(rows)))}))
		must(t, folder.putMerged([]newFile{merged}))
		crash(t, folder)
		folder, warnings := open(t, dir, given(t, dir), keyed)
		if len(warnings) > 0 {
			t.Errorf("%s: %v", name, warnings)
		}
		load(t, folder, "users", sidecar.Append, row3)
		want := rows + row3
		if name == "rows go" {
			want = row1 + row3
		}
		rowsAre(t, folder, "users", want)
	}
}

// TestFirstRowsNeedNoRecord: where there is nothing to replace, the first load of a read only adds, and a crash takes it back as it would a file that
// had been there. Where anything speaks for what is there, the file is made anew and its record with it.
func TestFirstRowsNeedNoRecord(t *testing.T) {
	t.Parallel()
	beginning := state("users", `{"n":0}`, 0)
	wide := sidecar.SavedState{Key: sidecar.GlobalStateKey, State: []byte(`{"shared_state":{},"stream_states":[]}`), Covers: beginning.Covers}
	tests := []struct {
		name   string
		stream airbyte.ConfiguredStream
		before func(t *testing.T, folder *Folder)
		added  bool
	}{
		{"nothing", appended, func(*testing.T, *Folder) {}, true},
		{"a table that is overwritten", replaced, func(*testing.T, *Folder) {}, false},
		{"rows", appended, func(t *testing.T, folder *Folder) { t.Helper(); load(t, folder, "users", sidecar.Append, row3) }, false},
		{"a state", appended, func(t *testing.T, folder *Folder) {
			t.Helper()
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{beginning}))
		}, false},
		{"a state of all streams", appended, func(t *testing.T, folder *Folder) {
			t.Helper()
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{wide}))
		}, false},
		{"a state that no other journal took yet", appended, func(t *testing.T, folder *Folder) {
			t.Helper()
			must(t, folder.saveStates([]sidecar.SavedState{wide}, false))
		}, false},
		{"a table that is overwritten, and was added to before", replaced, func(t *testing.T, folder *Folder) {
			t.Helper()
			must(t, folder.change(func(e *edit) error {
				e.setFile("rows/orders.ndjson", fileRecord{Stream: replaced.Stream.Descriptor(), UnfinishedFrom: new(int64)})
				return nil
			}))
		}, false},
		{"rows that a crash would not take back", appended, func(t *testing.T, folder *Folder) {
			t.Helper()
			must(t, folder.change(func(e *edit) error {
				e.setFile("rows/users.ndjson", fileRecord{Stream: appended.Stream.Descriptor()})
				return nil
			}))
		}, false},
		{"a state of a time when the rows went elsewhere", appended, func(t *testing.T, folder *Folder) {
			t.Helper()
			must(t, folder.change(func(e *edit) error { e.keep(beginning); return nil }))
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			name := test.stream.Stream.Name
			folder, _ := open(t, dir, nil, test.stream)
			test.before(t, folder)
			before, err := os.ReadFile(filepath.Join(folder.dir, recordFile))
			must(t, err)
			load(t, folder, name, sidecar.ReplaceFirst, row1+row2)
			after, err := os.ReadFile(filepath.Join(folder.dir, recordFile))
			must(t, err)
			if added := string(before) == string(after); added != test.added {
				t.Errorf("added is %v, want %v; the record was\n%s\nand is\n%s", added, test.added, before, after)
			}
			rowsAre(t, folder, name, row1+row2)
			crash(t, folder)
			again, warnings := open(t, dir, nil, test.stream)
			if len(warnings) > 0 {
				t.Errorf("warnings %q", warnings)
			}
			want := row1 + row2 // kept until the next one is whole
			if test.added {
				want = ""
			}
			rowsAre(t, again, name, want)
		})
	}
}

// TestWholeTablesAreNeverPartial: rows that are all of a stream take its place at their end, whatever was there and whatever its mode is, and stay
// until the next are there (I6).
func TestWholeTablesAreNeverPartial(t *testing.T) {
	t.Parallel()
	for _, config := range []airbyte.ConfiguredStream{appended, stream("users", airbyte.FullRefresh, airbyte.Append)} {
		dir := t.TempDir()
		folder, _ := open(t, dir, nil, config)
		arriving, source := io.Pipe()
		loaded := make(chan error, 1)
		go func() {
			rows := textRows{text: row1 + row2, reader: func() io.Reader { return arriving }}
			loaded <- folder.Load(t.Context(), sidecar.Load{Table: table("users"), Mode: sidecar.ReplaceWhole, Rows: rows})
		}()
		for _, part := range []string{row1, row2[:3]} { // the second is taken when the first is written
			_, err := io.WriteString(source, part)
			must(t, err)
		}
		rowsAre(t, folder, "users", "-")
		_, err := io.WriteString(source, row2[3:])
		must(t, err)
		must(t, source.Close())
		must(t, <-loaded)
		rowsAre(t, folder, "users", row1+row2)
		crash(t, folder)
		folder, _ = open(t, dir, nil, config)
		rowsAre(t, folder, "users", row1+row2)
	}
}
