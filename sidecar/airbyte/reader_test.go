package airbyte

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// Once the buffers have grown, a row costs no allocation, whatever its shape.
func TestRowsDoNotAllocate(t *testing.T) {
	const rows = 300
	kinds := append(kinds(), "escaped-names", "payload-first")
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			var output []byte
			switch kind {
			case "escaped-names":
				output = []byte(`{"type":"RECORD","record":{"namespace":"p\u0071","stream":"us\u00e9rs","data":{"id":1},"emitted_at":1.5e12}}` + "\n")
			case "payload-first":
				output = []byte(`{"record":{"data":{"id":1},"stream":"users","namespace":null,"emitted_at":1735850275276},"type":"RECORD"}` + "\r\n\n")
			default:
				output = onlyRows(corpus(kind, 1<<20))
			}
			r := NewReader(&endless{output: output}, Options{})
			next := func() {
				m, err := r.Next()
				if err != nil || m.Type != TypeRecord || len(m.Record.Stream) == 0 {
					t.Fatalf("Next() = %+v, %v", m, err)
				}
				if r.Buffered() && r.Lines() == 0 {
					t.Fatal("no line counted")
				}
			}
			for range rows {
				next()
			}
			if n := testing.AllocsPerRun(rows, next); n != 0 {
				t.Errorf("%v allocations per row", n)
			}
		})
	}
}

// onlyRows removes every message but the rows.
func onlyRows(output []byte) []byte {
	var rows []byte
	for line := range bytes.Lines(output) {
		if bytes.HasPrefix(line, []byte(`{"type":"RECORD"`)) {
			rows = append(rows, line...)
		}
	}
	return rows
}

func TestReaderPassesErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	record := `{"type":"RECORD","record":{"stream":"a","data":{"id":1}}}` + "\n"
	r := NewReader(io.MultiReader(strings.NewReader(record+record[:10]), iotest.ErrReader(broken), strings.NewReader(record[10:])), Options{})
	if got, want := mustDescribe(t, r), `RECORD "" "a" 0 {"id":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if m, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("Next() = %+v, %v, want %v", m, err, broken)
	}
}

func TestLimitIsOfTheLineWithoutItsEnd(t *testing.T) {
	record := `{"type":"RECORD","record":{"stream":"a","data":{"id":1}}}`
	for longest, want := range map[int]Type{len(record): TypeRecord, len(record) - 1: TypeDefect} {
		if m, err := NewReader(strings.NewReader(record+"\n"), Options{MaxLineBytes: longest}).Next(); err != nil || m.Type != want {
			t.Errorf("with a limit of %d: %+v, %v, want a %s", longest, m, err, want)
		}
	}
}

func TestReaderGivesUpOnEmptyReads(t *testing.T) {
	stuck := readerFunc(func([]byte) (int, error) { return 0, nil })
	if m, err := NewReader(stuck, Options{}).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Next() = %+v, %v, want %v", m, err, io.ErrNoProgress)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A row of 12 MB arrives whole. Afterwards its large buffer is given back.
func TestLongRow(t *testing.T) {
	const size = 12 << 20
	long := `{"type":"RECORD","record":{"stream":"a","data":{"text":"` + strings.Repeat("x", size) + `"}}}` + "\n"
	short := `{"type":"RECORD","record":{"stream":"a","data":{"id":1}}}` + "\n"
	r := NewReader(io.MultiReader(strings.NewReader(short+long), &endless{output: []byte(strings.Repeat(short, 1000))}), Options{})
	for n := range 2_000_000 {
		m, err := r.Next()
		if err != nil || m.Type != TypeRecord {
			t.Fatalf("message %d: %+v, %v", n, m, err)
		}
		if want := len(`{"text":""}`) + size; n == 1 && len(m.Record.Data) != want {
			t.Fatalf("row of %d bytes, want %d", len(m.Record.Data), want)
		}
		if n > 1 && len(r.lines.buf) == r.lines.usual() {
			return
		}
	}
	t.Errorf("the buffer still has %d bytes", len(r.lines.buf))
}

// Memory does not grow with an oversize line, and the next line is read.
func TestOversizeLineIsDrained(t *testing.T) {
	const limit, size = 1 << 20, 512 << 20
	head := `{"type":"RECORD","record":{"stream":"big","data":{"text":"`
	tail := "\n" + `{"type":"RECORD","record":{"stream":"a","data":{"id":1}}}` + "\n"
	long := io.LimitReader(&endless{output: bytes.Repeat([]byte("x"), 1<<16)}, size)
	r := NewReader(io.MultiReader(strings.NewReader(head), long, strings.NewReader(tail)), Options{MaxLineBytes: limit})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := r.Next()
	runtime.ReadMemStats(&after)
	if err != nil || m.Type != TypeDefect || m.Defect.Kind != DefectOversizeLine || !m.Defect.Known || m.Defect.Stream.Name != "big" ||
		m.Defect.Bytes != int64(len(head)+size) {
		t.Fatalf("Next() = %+v, %v", m, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("%d bytes allocated for a line over %d", grown, limit)
	}
	if got, want := mustDescribe(t, r), `RECORD "" "a" 0 {"id":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The work for a hostile line grows with its length, not with the square of it. Without a bound the first of these would take hours at 64 MiB.
func TestHostileLines(t *testing.T) {
	const size = 1 << 20
	for name, line := range map[string]string{
		"messages within messages":    strings.Repeat(`{"type":[`, size/9),
		"strings that never end":      strings.Repeat(`{"type":"`, size/9),
		"records cut by records":      strings.Repeat(`{"type":"RECORD","record":{"stream":"a","data":{"a":[`, size/53),
		"garbage, then valid objects": "x" + strings.Repeat(`{"type":{"a":`, 9000) + `1` + strings.Repeat(`}}`, 9000),
		"not a number, for ever":      `{"type":"RECORD","record":{"stream":"a","data":{"a":[` + strings.Repeat("NaN,", size/4) + `1]}}}`,
		"brackets":                    strings.Repeat("[", size),
		"closing brackets":            strings.Repeat("}", size),
		"braces":                      strings.Repeat("{", size),
		"quotes":                      `{` + strings.Repeat(`"`, size),
		"backslashes":                 `{"` + strings.Repeat(`\`, size),
		"prose":                       strings.Repeat("word ", size/5),
		"stray bytes":                 `{"type":"RECORD","record":{"stream":"a","data":{"a":"` + strings.Repeat("\xff", size) + `"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(strings.NewReader(line+"\n"), Options{})
			if got := readAll(t, r); len(got) == 0 || len(got) > 2 {
				t.Errorf("%d messages", len(got))
			}
			if overdrawn := -r.salvage.budget; overdrawn > 3*len(line) { // the last attempt may overdraw
				t.Errorf("scanned %d bytes more than allowed", overdrawn)
			}
		})
	}
}
