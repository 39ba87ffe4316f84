package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// users is the only stream of these tests.
func users() []airbyte.StreamDescriptor { return []airbyte.StreamDescriptor{{Name: "users"}} }

// openKeyed opens a folder with an index however small the file is.
func openKeyed(t *testing.T, dir string, given ...sidecar.SavedState) *Folder {
	t.Helper()
	folder, _ := open(t, dir, given, stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"id"}))
	folder.indexFrom = 0
	return folder
}

// userRows are rows with the given keys, of one version. The first hundred are longer than what an index looks at to tell whether it fits.
func userRows(version, from, to int) string {
	var text strings.Builder
	for id := from; id < to; id++ {
		fmt.Fprintf(&text, "{\"id\":%d,\"version\":%d", id, version)
		if id < 100 {
			fmt.Fprintf(&text, ",\"pad\":%q", strings.Repeat("p", 1000))
		}
		text.WriteString("}\n")
	}
	return text.String()
}

// finished is a folder with the rows 0 to 99, closed in good order.
func finished(t *testing.T) (dir string, after sidecar.SavedState) {
	t.Helper()
	dir, after = t.TempDir(), state("users", "1", int64(len(userRows(0, 0, 100))))
	folder := openKeyed(t, dir)
	load(t, folder, "users", sidecar.Append, userRows(0, 0, 100))
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{after}))
	must(t, folder.Finish(t.Context(), users()))
	must(t, folder.Close(t.Context()))
	return dir, after
}

// damageOldRows gives the row 1 the key of the row 2, which nobody notices who does not read it.
func damageOldRows(t *testing.T, dir string, keepTime bool) {
	t.Helper()
	path := filepath.Join(dir, "sync", "rows", "users.ndjson")
	info, err := os.Stat(path)
	must(t, err)
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.Replace(content, []byte(`"id":1,`), []byte(`"id":2,`), 1), 0o600))
	if keepTime {
		must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
	} else {
		must(t, os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Millisecond)))
	}
}

func TestNewKeysReadNoOldRows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, rows, want string }{
		{"new keys", userRows(0, 100, 130), userRows(0, 100, 130)},
		{"new keys twice", userRows(0, 100, 130) + userRows(1, 120, 130), userRows(0, 100, 120) + userRows(1, 120, 130)},
		{"an old row again, the same", userRows(0, 99, 130), userRows(0, 100, 130)},
		{"nothing but old rows", userRows(0, 50, 100), ""},
		{"an old row again, and among the new ones", userRows(0, 100, 110) + userRows(0, 3, 10) + userRows(0, 110, 120), userRows(0, 100, 120)},
		{"rows without a key", "{\"v\":1}\n{\"v\":1}\n" + userRows(0, 100, 101), "{\"v\":1}\n{\"v\":1}\n" + userRows(0, 100, 101)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, after := finished(t)
			damageOldRows(t, dir, true)
			folder := openKeyed(t, dir, after)
			load(t, folder, "users", sidecar.Append, test.rows)
			next := state("users", "2", int64(len(test.rows)))
			must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{next}))
			must(t, folder.Finish(t.Context(), users()))
			old := strings.Replace(userRows(0, 0, 100), `"id":1,`, `"id":2,`, 1)
			rowsAre(t, folder, "users", old+test.want)
			noTemps(t, folder)
			must(t, folder.Close(t.Context()))
			// The next read goes on there, and knows the keys of this one.
			folder = openKeyed(t, dir, next)
			load(t, folder, "users", sidecar.Append, test.rows)
			must(t, folder.Finish(t.Context(), users()))
			rowsAre(t, folder, "users", old+test.want+strings.Repeat("{\"v\":1}\n", strings.Count(test.rows, "\"v\"")))
		})
	}
}

// TestWhatReadsOldRows: an update of a row, and whatever makes the index doubtful, costs a look at all rows, and never a row.
func TestWhatReadsOldRows(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string) (rows, want string){
		"an update": func(t *testing.T, dir string) (string, string) {
			t.Helper()
			damageOldRows(t, dir, true)
			return userRows(1, 99, 101), userRows(0, 0, 1) + userRows(0, 2, 99) + userRows(1, 99, 101)
		},
		"somebody changed the file": func(t *testing.T, dir string) (string, string) {
			t.Helper()
			damageOldRows(t, dir, false)
			return userRows(0, 100, 101), userRows(0, 0, 1) + userRows(0, 2, 101)
		},
		"the index is gone": func(t *testing.T, dir string) (string, string) {
			t.Helper()
			must(t, os.RemoveAll(filepath.Join(dir, "sync", "keys")))
			return userRows(0, 99, 101), userRows(0, 0, 101)
		},
		"another key": func(t *testing.T, dir string) (string, string) {
			t.Helper()
			config := stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"version"})
			folder, _ := open(t, dir, []sidecar.SavedState{state("users", "1", 0)}, config)
			folder.indexFrom = 0
			load(t, folder, "users", sidecar.Append, userRows(1, 0, 1))
			must(t, folder.Finish(t.Context(), users()))
			must(t, folder.Close(t.Context()))
			return userRows(0, 98, 101), userRows(1, 0, 1) + userRows(0, 98, 101)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, after := finished(t)
			rows, want := prepare(t, dir)
			folder := openKeyed(t, dir, after)
			load(t, folder, "users", sidecar.Append, rows)
			must(t, folder.Finish(t.Context(), users()))
			rowsAre(t, folder, "users", want)
			noTemps(t, folder)
		})
	}
}

// TestKilledWhileTheTailIsReplaced: whatever was written of it, the next read finds the rows as they were to be.
func TestKilledWhileTheTailIsReplaced(t *testing.T) {
	t.Parallel()
	rows, want := userRows(0, 90, 103), userRows(0, 0, 103)
	size := len(userRows(0, 100, 103))
	for _, written := range []int{-1, 0, 1, size / 2, size, size + 1} { // -1: nothing is announced; the last one: cut, too
		dir, after := finished(t)
		folder := openKeyed(t, dir, after)
		load(t, folder, "users", sidecar.Append, rows)
		last := state("users", "2", int64(len(rows)))
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{last}))
		must(t, folder.vouch(users()))
		merged, wanted, err := folder.mergeStream(t.Context(), users()[0])
		must(t, err)
		if !wanted || merged.from != int64(len(userRows(0, 0, 100))) {
			t.Fatalf("%v: the tail begins at %d", wanted, merged.from)
		}
		folder.records.Lock()
		merged.next = folder.upToDate(merged)
		folder.records.Unlock()
		tail, err := os.ReadFile(merged.temp)
		must(t, err)
		if written >= 0 {
			folder.records.Lock()
			must(t, folder.announce([]*newFile{&merged}))
			folder.records.Unlock()
			file, err := os.OpenFile(merged.file.path, os.O_WRONLY, 0)
			must(t, err)
			_, err = file.WriteAt(tail[:min(written, len(tail))], merged.from)
			must(t, err)
			if written > len(tail) {
				must(t, file.Truncate(merged.from+int64(len(tail))))
			}
			must(t, file.Close())
		}
		must(t, merged.index.Close())
		crash(t, folder)
		folder = openKeyed(t, dir, last)
		must(t, folder.Finish(t.Context(), users()))
		rowsAre(t, folder, "users", want)
		noTemps(t, folder)
	}
}

// TestKeysAgainstAModel: reads of new, unchanged and updated rows, resumed, killed and reset at random, always leave one row per key, the last one.
func TestKeysAgainstAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 9))
		dir, model := t.TempDir(), map[int]int{}
		var saved []sidecar.SavedState
		for round := range 30 {
			folder := openKeyed(t, dir, saved...)
			next, text := map[int]int{}, ""
			for range random.IntN(40) {
				id := random.IntN(1 + 20*round)
				if _, known := model[id]; !known || random.IntN(20) == 0 {
					next[id] = random.IntN(3)
				} else if _, came := next[id]; !came {
					next[id] = model[id]
				}
				text += userRows(next[id], id, id+1)
			}
			if text != "" {
				load(t, folder, "users", sidecar.Append, text)
			}
			switch random.IntN(5) {
			case 0: // killed before the state: the rows go
				crash(t, folder)
				continue
			case 1: // replaced as a whole
				load(t, folder, "users", sidecar.ReplaceWhole, text)
				clear(model)
			}
			for id, version := range next {
				model[id] = version
			}
			saved = []sidecar.SavedState{state("users", fmt.Sprint(round), handedTo(folder))}
			must(t, folder.SaveStates(t.Context(), saved))
			if random.IntN(4) > 0 {
				must(t, folder.Finish(t.Context(), users()))
				sameRows(t, folder, model, fmt.Sprintf("seed %d, round %d", seed, round))
			}
			if random.IntN(2) == 0 {
				crash(t, folder)
			} else {
				must(t, folder.Close(t.Context()))
			}
		}
	}
}

// handedTo is how many bytes of users this read has loaded.
func handedTo(folder *Folder) int64 { return folder.files[users()[0]].handed }

// sameRows compares the file with the rows that it is to have, each once.
func sameRows(t *testing.T, folder *Folder, model map[int]int, when string) {
	t.Helper()
	content, err := os.ReadFile(folder.rowsPath(users()[0]))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	count := 0
	for line := range bytes.Lines(content) {
		var row struct{ ID, Version int }
		must(t, json.Unmarshal(line, &row))
		if version, found := model[row.ID]; !found || version != row.Version {
			t.Fatalf("%s: row %s, want version %d (%v)", when, line, version, found)
		}
		count++
	}
	if count != len(model) {
		t.Fatalf("%s: %d rows, want %d", when, count, len(model))
	}
}
