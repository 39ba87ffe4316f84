package layout_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// rowKinds are rows of 0.3, 1.5 and 20 KB, with nested objects that the schema declares or not, with other scripts as \uXXXX and as UTF-8, and with
// many numbers and times.
func rowKinds() []string {
	return []string{"small", "medium", "large", "nested", "flattened", "escaped", "utf8", "numbers"}
}

// rowsOf makes about a megabyte of rows of a kind, and the schema of their stream.
func rowsOf(kind string) (rows []string, schema json.RawMessage) {
	random := rand.New(rand.NewPCG(1, 2))
	size := 0
	for n := 0; size < 1<<20; n++ {
		row := rowOf(random, kind, n)
		rows, size = append(rows, row), size+len(row)
	}
	if kind == "flattened" {
		return rows, nil
	}
	var first map[string]any
	if err := json.Unmarshal([]byte(rows[0]), &first); err != nil {
		panic(err)
	}
	var properties []string
	for name, value := range first {
		kind := `"string"`
		switch value.(type) {
		case float64:
			kind = `"number"`
		case bool:
			kind = `"boolean"`
		case []any:
			kind = `"array"`
		case map[string]any:
			kind = `"object"`
		}
		if strings.Contains(name, "at") {
			kind += `,"format":"date-time"`
		}
		properties = append(properties, fmt.Sprintf(`%q:{"type":%s}`, name, kind))
	}
	slices.Sort(properties)
	return rows, json.RawMessage(`{"properties":{` + strings.Join(properties, ",") + `}}`)
}

func rowOf(random *rand.Rand, kind string, row int) string {
	fields := map[string]int{"small": 5, "medium": 28, "large": 40, "escaped": 8, "utf8": 18, "numbers": 10}[kind]
	if kind == "nested" || kind == "flattened" {
		return tree(random, 3)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%d,"price":%d.%02d,"active":%t,"deleted_at":null,"updated_at":"2024-05-%02dT10:11:12.345Z"`,
		row, random.IntN(1000), random.IntN(100), row%2 == 0, 1+row%28)
	for n := range fields {
		text := strings.Repeat("lorem ipsum ", 1+random.IntN(4))
		switch kind {
		case "large":
			text = strings.Repeat(text, 16)
		case "utf8":
			text = "Съешь ещё этих 日本語の文字列 😀 naïve café " + strconv.Itoa(n)
		case "escaped":
			text = strings.Trim(strconv.QuoteToASCII("Съешь ещё этих мягких 日本語の文字列 "+strconv.Itoa(n)), `"`)
		case "numbers":
			fmt.Fprintf(&b, `,"number_%d":%v,"at_%[1]d":"2024-05-%02[3]dT10:11:12.345678+02:00"`, n, random.Float64()*1e6, 1+random.IntN(28))
			continue
		}
		fmt.Fprintf(&b, `,"field_%d":"%s"`, n, text)
	}
	b.WriteByte('}')
	return b.String()
}

func tree(random *rand.Rand, depth int) string {
	if depth == 0 {
		if random.IntN(2) == 0 {
			return strconv.Itoa(random.IntN(100000))
		}
		return strconv.Quote("v" + strconv.Itoa(random.IntN(1000)))
	}
	var members []string
	for n := range 5 {
		members = append(members, fmt.Sprintf(`"k%d":%s`, n, tree(random, depth-1)))
	}
	return "{" + strings.Join(members, ",") + `,"list":[1,2,3,"x"]}`
}

// prepared is an encoder that has seen the rows.
func prepared(t testing.TB, rows []string, schema json.RawMessage) *layout.Encoder {
	t.Helper()
	plan, err := layout.NewPlan(sidecar.Table{Name: "t", Schema: schema}, nil, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := plan.Observe([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	return plan.Encoder()
}

// busy is how long the process has had a processor: what a benchmark costs on a machine that others use, too.
func busy(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkAppend writes rows, beside encoding/json.Valid on the same ones, which only looks whether they are JSON.
func BenchmarkAppend(b *testing.B) {
	for _, kind := range rowKinds() {
		rows, schema := rowsOf(kind)
		encoder, line := prepared(b, rows, schema), make([]byte, 0, 1<<16)
		size := 0
		for _, row := range rows {
			size += len(row)
		}
		run := func(name string, do func(row []byte) error) {
			b.Run(kind+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(size / len(rows)))
				b.ReportAllocs()
				raw := make([][]byte, len(rows))
				for i, row := range rows {
					raw[i] = []byte(row)
				}
				before, i := busy(b), 0
				for ; b.Loop(); i++ {
					if err := do(raw[i%len(raw)]); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(i)*float64(size/len(rows))/1e6/(busy(b)-before).Seconds(), "MB/cpu-s")
			})
		}
		run("append", func(row []byte) (err error) { line, err = encoder.Append(line[:0], row); return err })
		run("walk", encoder.Walk)
		plan, err := layout.NewPlan(sidecar.Table{Name: "t", Schema: schema}, nil, layout.Options{})
		if err != nil {
			b.Fatal(err)
		}
		run("observe", plan.Observe)
		run("valid", func(row []byte) error { _ = json.Valid(row); return nil })
	}
}

// TestRowsCostNoMemory: a row whose keys were seen is written without an allocation.
func TestRowsCostNoMemory(t *testing.T) { //nolint:paralleltest // it counts allocations
	for _, kind := range rowKinds() {
		rows, schema := rowsOf(kind)
		encoder, line := prepared(t, rows, schema), make([]byte, 0, 1<<17)
		raw := make([][]byte, len(rows))
		for i, row := range rows {
			raw[i] = []byte(row)
		}
		write := func() {
			for _, row := range raw {
				var err error
				if line, err = encoder.Append(line[:0], row); err != nil {
					t.Fatal(err)
				}
			}
		}
		write()
		if allocated := testing.AllocsPerRun(3, write); allocated > 0 {
			t.Errorf("%s: %v allocations for %d rows", kind, allocated, len(rows))
		}
	}
}
