package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func TestOneRowPerKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		key  [][]string
		rows string // one a line
		want string
	}{
		{"last wins, where it stands", [][]string{{"id"}}, `{"id":1,"v":1} {"id":2} {"id":1,"v":2}`, `{"id":2} {"id":1,"v":2}`},
		{"nothing twice", [][]string{{"id"}}, `{"id":1} {"id":2}`, `{"id":1} {"id":2}`},
		{"two columns", [][]string{{"a"}, {"b"}}, `{"a":1,"b":2} {"b":2,"a":1} {"a":12,"b":""} {"a":1,"b":"2"}`,
			`{"b":2,"a":1} {"a":12,"b":""} {"a":1,"b":"2"}`},
		{"nested", [][]string{{"a", "b"}}, `{"a":{"b":1},"v":1} {"a.b":1} {"a":{"c":0,"b":1}}`, `{"a.b":1} {"a":{"c":0,"b":1}}`},
		{"numbers by value, never as text", [][]string{{"id"}}, `{"id":1} {"id":"1"} {"id":1.0} {"id":true} {"id":"true"}`,
			`{"id":"1"} {"id":1.0} {"id":true} {"id":"true"}`},
		{"large numbers", [][]string{{"id"}}, `{"id":9007199254740992} {"id":9007199254740993}`, `{"id":9007199254740992} {"id":9007199254740993}`},
		{"escaped text", [][]string{{"id"}}, `{"id":"é"} {"id":"\u00e9"}`, `{"id":"\u00e9"}`},
		{"escaped names", [][]string{{"id"}}, `{"\u0069d":1,"v":1} {"id":1}`, `{"id":1}`},
		{"rows without a key stay", [][]string{{"id"}}, `{"v":1} {"id":null} {"v":1} {"id":1} {"id":1}`, `{"v":1} {"id":null} {"v":1} {"id":1}`},
		{"part of a key", [][]string{{"a"}, {"b"}}, `{"a":1} {"a":1,"b":null} {"v":0}`, `{"a":1,"b":null} {"v":0}`},
		{"odd names", [][]string{{"a.b*#|@"}, {""}}, `{"a.b*#|@":1,"":2,"v":1} {"a.b*#|@":1,"":2}`, `{"a.b*#|@":1,"":2}`},
		{"objects and lists", [][]string{{"id"}}, `{"id":[1,2]} {"id":{"a":1}} {"id":[1,2]}`, `{"id":{"a":1}} {"id":[1,2]}`},
		{"a path through what is no object", [][]string{{"a", "0"}}, `{"a":[1]} {"a":[1]} {"a":5}`, `{"a":[1]} {"a":[1]} {"a":5}`},
		{"an empty path in the key", [][]string{{"id"}, {}}, `{"id":1,"v":1} {"id":1}`, `{"id":1}`},
		{"a part of the key twice", [][]string{{"id"}, {"id"}}, `{"id":1,"v":1} {"id":1}`, `{"id":1}`},
		{"only empty paths", [][]string{{}, {}}, `{"id":1} {"id":1}`, `{"id":1} {"id":1}`},
	}
	lines := func(rows string) string { return strings.ReplaceAll(rows, "} {", "}\n{") + "\n" }
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder, _ := open(t, t.TempDir(), nil, stream("users", airbyte.Incremental, airbyte.AppendDedup, test.key...))
			load(t, folder, "users", sidecar.Append, lines(test.rows))
			for range 2 {
				must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}, {Name: "unknown"}}))
				rowsAre(t, folder, "users", lines(test.want))
			}
			noTemps(t, folder)
		})
	}
}

func TestWhatIsNotMerged(t *testing.T) {
	t.Parallel()
	id := []string{"id"}
	keyless := table("users")
	keyless.PrimaryKey = nil
	tests := []struct {
		name   string
		config airbyte.ConfiguredStream
		table  sidecar.Table
	}{
		{"append", stream("users", airbyte.Incremental, airbyte.Append, id), table("users")},
		{"no key in the catalog", stream("users", airbyte.Incremental, airbyte.AppendDedup), table("users")},
		{"delivered without a key", stream("users", airbyte.Incremental, airbyte.AppendDedup, id), keyless},
	}
	for _, test := range tests {
		folder, _ := open(t, t.TempDir(), nil, test.config)
		must(t, folder.Load(t.Context(), sidecar.Load{Table: test.table, Rows: textRows{text: row1 + row1}}))
		must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}}))
		rowsAre(t, folder, "users", row1+row1)
	}
}

// TestReadsAfterAMerge: states of before and after a merge resume at its end, and further rows merge again.
func TestReadsAfterAMerge(t *testing.T) {
	t.Parallel()
	dir, config := t.TempDir(), stream("users", airbyte.Incremental, airbyte.AppendDedup)
	config.Stream.SourceDefinedPrimaryKey = [][]string{{"id"}}
	folder, _ := open(t, dir, nil, config)
	load(t, folder, "users", sidecar.Append, row1+row2+row1+row1)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":1}`, 27)}))
	must(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusSuccess, Description: `{"users":{"status":"SUCCESS"}}`}))
	rowsAre(t, folder, "users", row2+row1)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `{"n":2}`, 27)})) // late, and of rows before the end
	load(t, folder, "users", sidecar.Append, row3)
	crash(t, folder)
	for _, n := range []string{`{"n":2}`, `{"n":1}`} {
		folder, warnings := open(t, dir, []sidecar.SavedState{state("users", n, 0)}, config)
		rowsAre(t, folder, "users", row2+row1)
		load(t, folder, "users", sidecar.Append, row2)
		must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}}))
		rowsAre(t, folder, "users", row1+row2)
		load(t, folder, "users", sidecar.Append, row1)
		must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}}))
		rowsAre(t, folder, "users", row2+row1)
		if len(warnings) > 0 {
			t.Errorf("warnings %q, want none", warnings)
		}
		crash(t, folder)
	}
}

// TestMergeAgainstAModel merges random rows in many parts, and compares with what a map says.
func TestMergeAgainstAModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var rows []string
	last := map[string]int{}
	for i := range 60_000 { // 2 parts
		key := fmt.Sprint(random.IntN(20_000))
		rows = append(rows, fmt.Sprintf("{\"pad\":%q,\"id\":%s,\"n\":%d}\n", strings.Repeat("p", random.IntN(150)), key, i))
		last[key] = i
	}
	rows = append(rows, fmt.Sprintf("{\"pad\":%q,\"id\":0}\n", strings.Repeat("p", 3*copyBuffer))) // longer than any buffer
	last["0"] = len(rows) - 1
	kept := make([]int, 0, len(last))
	for _, i := range last {
		kept = append(kept, i)
	}
	slices.Sort(kept)
	var want strings.Builder
	for _, i := range kept {
		want.WriteString(rows[i])
	}
	folder, _ := open(t, t.TempDir(), nil, stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"id"}))
	load(t, folder, "users", sidecar.Append, strings.Join(rows, ""))
	must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}}))
	rowsAre(t, folder, "users", want.String())
}

// TestMergeInBoundedMemory: half a million keys take no more memory than many more would, because they are never there at once.
func TestMergeInBoundedMemory(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	path := t.TempDir() + "/rows.ndjson"
	file, err := os.Create(path)
	must(t, err)
	block := make([]byte, 0, 1<<20)
	var size int64
	for i := range 500_000 {
		block = fmt.Appendf(block, "{\"id\":%d,\"name\":\"somebody with a name\"}\n", i%450_000)
		if len(block) > 1<<20-100 || i == 499_999 {
			n, err := file.Write(block)
			must(t, err)
			size, block = size+int64(n), block[:0]
		}
	}
	must(t, file.Close())
	block = nil
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	limit := debug.SetMemoryLimit(int64(before.HeapAlloc + 12<<20))
	defer debug.SetMemoryLimit(limit)
	done, err := compact(t.Context(), duplicates{path: path, merge: merging{key: [][]string{{"id"}}}, end: size, index: path + ".index"})
	must(t, err)
	runtime.ReadMemStats(&after)
	kept := done.size
	must(t, done.discard())
	if want := size * 9 / 10; kept < want-want/100 || kept > want+want/100 {
		t.Errorf("%d bytes are kept, want about %d", kept, want)
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 12<<20 {
		t.Errorf("memory grew by %d MiB, want at most 12", grown>>20)
	}
}

// TestMergeOutlivesTheDeadlineOfATaskRecord: that is meant for one short write.
func TestMergeOutlivesTheDeadlineOfATaskRecord(t *testing.T) {
	t.Parallel()
	folder, _ := open(t, t.TempDir(), nil, stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"id"}))
	load(t, folder, "users", sidecar.Append, row1+row1)
	success := sidecar.TaskRecord{Status: sidecar.StatusSuccess}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := folder.SaveTask(cancelled, success); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the context's", err)
	}
	rowsAre(t, folder, "users", row1+row1)
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	must(t, folder.SaveTask(late, success))
	rowsAre(t, folder, "users", row1)
}

func TestMergeObeysTheContext(t *testing.T) {
	t.Parallel()
	folder, _ := open(t, t.TempDir(), nil, stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"id"}))
	load(t, folder, "users", sidecar.Append, row1+row1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := folder.Finish(ctx, []airbyte.StreamDescriptor{{Name: "users"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the context's", err)
	}
	rowsAre(t, folder, "users", row1+row1)
	noTemps(t, folder)
}

// TestNewestVersionStays: of the rows of a key the one with the greatest cursor stays, whenever the connector sent it, in small files and in large
// ones.
func TestNewestVersionStays(t *testing.T) {
	t.Parallel()
	for name, filler := range map[string]int{"small": 0, "large": 2 * partBytes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"id"})
			config.CursorField = []string{"at"}
			folder, _ := open(t, t.TempDir(), nil, config)
			big := ""
			if filler > 0 {
				big = `{"id":"filler","text":"` + strings.Repeat("x", filler) + `"}` + "\n"
			}
			load(t, folder, "users", sidecar.Append, `{"id":1,"at":5}`+"\n"+`{"id":2,"at":"2024-01-02"}`+"\n"+`{"id":1,"at":3}`+"\n"+`{"id":3}`+"\n"+big)
			load(t, folder, "users", sidecar.Append, `{"id":2,"at":"2024-01-01T23:00:00Z"}`+"\n"+`{"id":1,"at":5,"last":true}`+"\n"+`{"id":3,"at":0}`+"\n")
			must(t, folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "users"}}))
			rowsAre(t, folder, "users", `{"id":2,"at":"2024-01-02"}`+"\n"+big+`{"id":1,"at":5,"last":true}`+"\n"+`{"id":3,"at":0}`+"\n")
			noTemps(t, folder)
		})
	}
}
