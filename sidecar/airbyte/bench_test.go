package airbyte

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// corpus is about size bytes of output of a source: rows of one kind, with a STATE and a LOG every thousand rows.
func corpus(kind string, size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var out bytes.Buffer
	for row := 0; out.Len() < size; row++ {
		fmt.Fprintf(&out, `{"type":"RECORD","record":{"stream":"%s","data":%s,"emitted_at":%d}}`+"\n", kind, rowOf(random, kind, row), 1735850275276+row)
		if row%1000 == 999 {
			fmt.Fprintf(&out, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"id":%d}}}}`+"\n",
				kind, row)
			out.WriteString(`{"type":"LOG","log":{"level":"INFO","message":"Read 1000 records"}}` + "\n")
		}
	}
	return out.Bytes()
}

// kinds are the kinds of rows: of 0.3, 1.5 and 20 KB, nested objects with short values, other scripts as Python's \uXXXX, and other scripts as UTF-8.
func kinds() []string { return []string{"small", "medium", "large", "nested", "escaped", "utf8"} }

func rowOf(random *rand.Rand, kind string, row int) string {
	word := func() string { return strings.Repeat("lorem ipsum ", 1+random.IntN(4)) }
	fields := map[string]int{"small": 5, "medium": 28, "large": 40, "escaped": 8, "utf8": 18}[kind]
	if kind == "nested" {
		return tree(random, 3)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%d,"price":%d.%02d,"active":%t,"deleted_at":null,"updated_at":"2024-05-%02dT10:11:12.345Z"`,
		row, random.IntN(1000), random.IntN(100), row%2 == 0, 1+row%28)
	for n := range fields {
		text := word()
		switch kind {
		case "large":
			text = strings.Repeat(text, 16)
		case "utf8":
			text = "Съешь ещё этих 日本語の文字列 😀 naïve café " + strconv.Itoa(n)
		case "escaped":
			text = strings.Trim(strconv.QuoteToASCII("Съешь ещё этих мягких 日本語の文字列 "+strconv.Itoa(n)), `"`)
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

// endless repeats the output for as long as it is read.
type endless struct {
	output []byte
	at     int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.output[e.at:])
	e.at = (e.at + n) % len(e.output)
	return n, nil
}

// BenchmarkReader reads rows as the session does, up to one append of their bytes.
func BenchmarkReader(b *testing.B) {
	for _, kind := range kinds() {
		b.Run(kind, func(b *testing.B) {
			output := corpus(kind, 8<<20)
			r := NewReader(&endless{output: output}, Options{})
			batch := make([]byte, 0, 1<<20)
			rows, began := 0, r.Bytes()
			b.ReportAllocs()
			b.ResetTimer()
			cpu := cpuSeconds(b)
			for range b.N {
				m, err := r.Next()
				if err != nil {
					b.Fatal(err)
				}
				if m.Type != TypeRecord {
					continue
				}
				if rows++; len(batch)+len(m.Record.Data)+1 > cap(batch) {
					batch = batch[:0]
				}
				batch = append(append(batch, m.Record.Data...), '\n')
			}
			report(b, r.Bytes()-began, cpuSeconds(b)-cpu)
		})
	}
}

// BenchmarkReference reads the same rows by way of a map, as Airbyte's destinations do.
func BenchmarkReference(b *testing.B) {
	for _, kind := range kinds() {
		b.Run(kind, func(b *testing.B) {
			r := newLines(&endless{output: corpus(kind, 8<<20)}, 64<<20, 0)
			batch := make([]byte, 0, 1<<20)
			began := r.bytes
			b.ReportAllocs()
			b.ResetTimer()
			cpu := cpuSeconds(b)
			for range b.N {
				l, err := r.next()
				if err != nil {
					b.Fatal(err)
				}
				data, err := decodeAndEncode(unpad(l.text))
				if err != nil {
					b.Fatal(err)
				}
				if len(batch)+len(data)+1 > cap(batch) {
					batch = batch[:0]
				}
				batch = append(append(batch, data...), '\n')
			}
			report(b, r.bytes-began, cpuSeconds(b)-cpu)
		})
	}
}

// report adds the throughput and the processor time. On a busy machine the latter tells more.
func report(b *testing.B, bytes int64, cpu float64) {
	b.Helper()
	b.SetBytes(bytes / int64(b.N))
	b.ReportMetric(cpu/float64(bytes)*1e9, "cpu-s/GB")
}

// cpuSeconds is how much processor time this process has used.
func cpuSeconds(tb testing.TB) float64 {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// decodeAndEncode treats a line as a reader without its own scanner would.
func decodeAndEncode(line []byte) ([]byte, error) {
	var message struct {
		Type   string `json:"type"`
		Record struct {
			Stream    string         `json:"stream"`
			Namespace string         `json:"namespace"`
			Data      map[string]any `json:"data"`
			EmittedAt int64          `json:"emitted_at"`
		} `json:"record"`
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&message); err != nil {
		return nil, err
	}
	return json.Marshal(message.Record.Data)
}

var _ io.Reader = (*endless)(nil)

// BenchmarkStates reads only states: some sources send one for every row.
func BenchmarkStates(b *testing.B) {
	const state = `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users","namespace":"public"},` +
		`"stream_state":{"cursor":"2024-05-06T12:00:00.000000Z","updated":"2024-05-06T12:00:00.000000Z","id":123456}},"sourceStats":{"recordCount":1.0}}}`
	r := NewReader(&endless{output: []byte(state + "\n")}, Options{})
	b.ReportAllocs()
	began, cpu := r.Bytes(), cpuSeconds(b)
	for b.Loop() {
		m, err := r.Next()
		if err != nil || m.State.Stream.Name != "users" || m.State.RecordCount != 1 {
			b.Fatalf("Next() = %+v, %v", m, err)
		}
	}
	report(b, r.Bytes()-began, cpuSeconds(b)-cpu)
}

// BenchmarkProse reads log lines, which a source writes to stderr and, wrongly, to stdout.
func BenchmarkProse(b *testing.B) {
	const line = "2024-05-01 10:11:12,345 [main] INFO  i.a.c.i.b.IntegrationRunner(run):87 - read 1000 records in 12 ms\n"
	next := map[string]func() (int64, error){}
	logs := NewLogReader(&endless{output: []byte(line)}, 0)
	next["stderr"] = func() (int64, error) {
		_, err := logs.Next()
		return logs.lines.bytes, err
	}
	messages := NewReader(&endless{output: []byte(line)}, Options{})
	next["stdout"] = func() (int64, error) {
		_, err := messages.Next()
		return messages.Bytes(), err
	}
	for name, read := range next {
		b.Run(name, func(b *testing.B) {
			began, cpu := int64(0), cpuSeconds(b)
			b.ReportAllocs()
			for n := range b.N {
				bytes, err := read()
				if err != nil {
					b.Fatal(err)
				}
				if n == 0 {
					began = bytes - int64(len(line))
				}
				if n == b.N-1 {
					report(b, bytes-began, cpuSeconds(b)-cpu)
				}
			}
		})
	}
}
