package keyindex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rows is a file of which only the length and the last bytes matter: one byte a row.
func rows(count int) *bytes.Reader {
	content := make([]byte, count)
	for i := range content {
		content[i] = byte(i * 7)
	}
	return bytes.NewReader(content)
}

// add commits a run of entries to the index in dir, which then covers the rows up to to.
func add(t testing.TB, dir string, file *bytes.Reader, to int64, entries ...Entry) {
	t.Helper()
	x, err := Open(dir, 1, file, math.MaxInt64)
	must(t, err)
	w, err := x.Begin()
	must(t, err)
	slices.SortFunc(entries, Entry.Compare)
	for _, entry := range entries {
		must(t, w.Add(entry))
	}
	must(t, w.Commit(file, to))
}

// runs are the names in the folder of an index.
func runs(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// find says of each entry whether its key is there ("+"), with the same row ("="), or not ("-").
func find(t testing.TB, x *Index, entries ...Entry) string {
	t.Helper()
	answer := bytes.Repeat([]byte("-"), len(entries))
	must(t, x.Find(entries, func(i int, same bool) {
		if same {
			answer[i] = '='
		} else if answer[i] == '-' {
			answer[i] = '+'
		}
	}))
	return string(answer)
}

func TestFindsWhatWasAdded(t *testing.T) {
	t.Parallel()
	dir, file := filepath.Join(t.TempDir(), "keys"), rows(10)
	add(t, dir, file, 4, Entry{5, 50}, Entry{1, 10}, Entry{math.MaxUint64, 7}, Entry{0, 1})
	add(t, dir, file, 7, Entry{6, 60})
	x, err := Open(dir, 1, file, 7)
	must(t, err)
	if got := find(t, x, Entry{0, 1}, Entry{1, 11}, Entry{2, 0}, Entry{5, 50}, Entry{6, 60}, Entry{7, 0}, Entry{math.MaxUint64, 7}); got != "=+-==-=" {
		t.Error(got)
	}
	if x.Covered() != 7 {
		t.Error(x.Covered())
	}
	must(t, x.Close())
}

// TestAgainstAModel adds runs of random sizes and compares with a map.
func TestAgainstAModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	dir, file := filepath.Join(t.TempDir(), "keys"), rows(1000)
	model := map[uint64]uint64{}
	for round := range 60 {
		var entries []Entry
		for range []int{1, 30, 5000, 60_000}[random.IntN(4)] {
			entry := Entry{random.Uint64(), random.Uint64()}
			if round%10 == 9 { // keys that are not spread evenly are found as well
				entry.Key %= 1 << 20
			}
			if _, found := model[entry.Key]; !found {
				entries, model[entry.Key] = append(entries, entry), entry.Row
			}
		}
		add(t, dir, file, int64(round+1), entries...)
	}
	if got := len(runs(t, dir)); got > 20 {
		t.Errorf("%d runs", got)
	}
	x, err := Open(dir, 1, file, 60)
	must(t, err)
	var probes []Entry
	for key, row := range model {
		probes = append(probes, Entry{key, row}, Entry{key + 1, row})
		if len(probes) > 50_000 {
			break
		}
	}
	slices.SortFunc(probes, Entry.Compare)
	for _, few := range [][]Entry{probes, probes[20_000:20_030], probes[7:8], {{Key: 0}, {Key: math.MaxUint64}}} {
		answer := find(t, x, few...)
		for i, probe := range few {
			row, found := model[probe.Key]
			want := byte('-')
			if found && row == probe.Row {
				want = '='
			} else if found {
				want = '+'
			}
			if answer[i] != want {
				t.Fatalf("%v: %c, want %c", probe, answer[i], want)
			}
		}
	}
	must(t, x.Close())
}

func TestManySmallRunsBecomeFew(t *testing.T) {
	t.Parallel()
	dir, file := filepath.Join(t.TempDir(), "keys"), rows(1000)
	for i := range 500 {
		add(t, dir, file, int64(i+1), Entry{uint64(i) << 50, uint64(i)})
		if got := len(runs(t, dir)); got > 10 {
			t.Fatalf("%d runs after %d", got, i)
		}
	}
	x, err := Open(dir, 1, file, 500)
	must(t, err)
	for i := range uint64(500) {
		if got := find(t, x, Entry{i << 50, i}); got != "=" {
			t.Fatalf("%d: %s", i, got)
		}
	}
	must(t, x.Close())
}

// TestWhatDoesNotFitIsDropped: an index never says more than the rows do.
func TestWhatDoesNotFitIsDropped(t *testing.T) {
	t.Parallel()
	other := rows(10)
	changed := make([]byte, 10)
	copy(changed, "different!")
	for _, test := range []struct {
		name    string
		kind    uint64
		file    *bytes.Reader
		limit   int64
		harm    func(t *testing.T, dir string)
		covered int64
	}{
		{"as it was", 1, other, 10, nil, 8},
		{"other keys", 2, other, 10, nil, 0},
		{"a limit in the first run", 1, other, 5, nil, 0},
		{"a limit in the second run", 1, other, 7, nil, 6},
		{"other rows", 1, bytes.NewReader(changed), 10, nil, 0},
		{"a shorter file", 1, rows(7), 10, nil, 6},
		{"no file", 1, rows(0), 10, nil, 0},
		{"a run in between is gone", 1, other, 10, func(t *testing.T, dir string) { t.Helper(); must(t, os.Remove(filepath.Join(dir, "0-6.run"))) }, 0},
		{"a torn run", 1, other, 10, func(t *testing.T, dir string) { t.Helper(); must(t, os.Truncate(filepath.Join(dir, "6-8.run"), 70)) }, 6},
		{"a damaged header", 1, other, 10, func(t *testing.T, dir string) {
			t.Helper()
			file, err := os.OpenFile(filepath.Join(dir, "6-8.run"), os.O_WRONLY, 0)
			must(t, err)
			_, err = file.WriteAt([]byte{1}, 20)
			must(t, err)
			must(t, file.Close())
		}, 6},
		{"a killed writer", 1, other, 10, func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.WriteFile(filepath.Join(dir, "new.tmp"), []byte("half"), 0o600))
		}, 8},
		// A merge that was killed before it removed what it merged.
		{"both a merged run and its parts", 1, other, 10, func(t *testing.T, dir string) {
			t.Helper()
			first, err := os.ReadFile(filepath.Join(dir, "0-6.run"))
			must(t, err)
			second, err := os.ReadFile(filepath.Join(dir, "6-8.run"))
			must(t, err)
			r := &run{}
			r.parse(second)
			r.from, r.count = 0, r.count+int64(len(first)-headerSize)/entrySize
			merged := append(append(r.header(), first[headerSize:]...), second[headerSize:]...)
			must(t, os.WriteFile(filepath.Join(dir, "0-8.run"), merged, 0o600))
		}, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "keys")
			add(t, dir, rows(10), 6, Entry{1, 1}, Entry{2, 2}, Entry{3, 3}, Entry{4, 4})
			add(t, dir, rows(10), 8, Entry{5, 5})
			if test.harm != nil {
				test.harm(t, dir)
			}
			x, err := Open(dir, test.kind, test.file, test.limit)
			must(t, err)
			if x.Covered() != test.covered {
				t.Errorf("covers %d, want %d", x.Covered(), test.covered)
			}
			want := map[int64]string{0: "--", 6: "=-", 8: "=="}[test.covered]
			if got := find(t, x, Entry{1, 1}, Entry{5, 5}); got != want {
				t.Errorf("found %s, want %s", got, want)
			}
			must(t, x.Close())
			for _, name := range runs(t, dir) {
				var from, to int64
				if _, err := fmt.Sscanf(name, "%d-%d.run", &from, &to); err != nil || to > test.covered {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

func TestAbortAndForgetLeaveNothing(t *testing.T) {
	t.Parallel()
	dir, file := filepath.Join(t.TempDir(), "keys"), rows(10)
	add(t, dir, file, 4, Entry{1, 1})
	x, err := Open(dir, 1, file, 4)
	must(t, err)
	w, err := x.Begin()
	must(t, err)
	must(t, w.Add(Entry{2, 2}))
	must(t, w.Abort())
	must(t, w.Abort())
	if got := runs(t, dir); len(got) != 1 {
		t.Error(got)
	}
	must(t, x.Forget())
	if got := runs(t, dir); len(got) != 0 {
		t.Error(got)
	}
	if got := find(t, x, Entry{1, 1}); got != "-" || x.Covered() != 0 {
		t.Error(got, x.Covered())
	}
	must(t, x.Close())
}

// BenchmarkFind is 30 keys among ten million, of an index that was just opened.
func BenchmarkFind(b *testing.B) {
	dir, file := filepath.Join(b.TempDir(), "keys"), rows(10)
	random := rand.New(rand.NewPCG(5, 6))
	entries := make([]Entry, 10_000_000)
	for i := range entries {
		entries[i] = Entry{random.Uint64(), 1}
	}
	add(b, dir, file, 10, entries...)
	probes := make([]Entry, 30)
	for b.Loop() {
		for i := range probes {
			probes[i].Key = binary.BigEndian.Uint64(binary.BigEndian.AppendUint64(nil, random.Uint64()))
		}
		slices.SortFunc(probes, Entry.Compare)
		x, err := Open(dir, 1, file, 10)
		must(b, err)
		must(b, x.Find(probes, func(int, bool) {}))
		must(b, x.Close())
	}
}
