package airbyte

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// Work must grow with the size of the input, not with the square of it: catalogs of 10,000 streams, schemas of 180,000 properties and lines of 64 MiB
// occur.
func TestWorkIsLinear(t *testing.T) {
	const log = `{"type":"LOG","log":{"level":"INFO","message":"a"}}`
	for name, test := range map[string]struct {
		n     int
		input func(n int) []byte
		work  func(input []byte) error
	}{
		"properties of a catalog": {2_000, func(n int) []byte { return configuredCatalog(1, n) }, parseCatalogs},
		"streams of a catalog":    {500, func(n int) []byte { return configuredCatalog(n, 3) }, parseCatalogs},
		"states of a file":        {1_000, manyStates, parseAndFormatStates},
		"a CATALOG line": {10_000, func(n int) []byte {
			return fmt.Appendf(nil, `{"type":"CATALOG","catalog":%s}`, configuredCatalog(1, n))
		}, readToEnd},
		"a broken CATALOG line": {5_000, func(n int) []byte {
			return fmt.Appendf(nil, `{"type":"CATALOG","catalog":%s`, configuredCatalog(1, n))
		}, readToEnd},
		"a GLOBAL state": {10_000, func(n int) []byte {
			return fmt.Appendf(nil, `{"type":"STATE","state":{"type":"GLOBAL","global":{"stream_states":%s}}}`, manyStates(n))
		}, readToEnd},
		"streams that take turns": {2_000, interleavedRows, readToEnd},
		"messages on one line":    {1_000, func(n int) []byte { return []byte(strings.Repeat(log, n)) }, readToEnd},
		"messages on one line, then brackets": {1_000, func(n int) []byte {
			return []byte(strings.Repeat(log, n) + strings.Repeat("}", n*len(log)))
		}, readToEnd},
		"messages on one line, with spaces": {1_000, func(n int) []byte {
			return []byte(strings.Repeat(log+strings.Repeat(" ", len(log)), n) + strings.Repeat("]", n) + "x")
		}, readToEnd},
		"lines of a stack trace": {5_000, func(n int) []byte {
			return []byte("Traceback (most recent call last):\n" + strings.Repeat("  File \"a.py\", line 1, in f\n", n))
		}, readToEnd},
		"a row of NaN": {5_000, func(n int) []byte {
			return []byte(`{"type":"RECORD","record":{"stream":"a","data":{"a":[` + strings.Repeat("NaN,", n) + `1]}}}`)
		}, readToEnd},
	} {
		t.Run(name, func(t *testing.T) {
			const times, limit = 8, 32 // linear work grows by 8, quadratic by 64
			small, large := test.input(test.n), test.input(times*test.n)
			if growth := leastCPU(t, large, test.work) / leastCPU(t, small, test.work); growth > limit {
				t.Errorf("%d times the input costs %.0f times the work", times, growth)
			}
		})
	}
}

// leastCPU is the least processor time of several runs.
func leastCPU(t *testing.T, input []byte, work func([]byte) error) float64 {
	t.Helper()
	const runs = 4
	least := 0.0
	for n := range runs {
		began := cpuSeconds(t)
		if err := work(input); err != nil {
			t.Fatal(err)
		}
		if spent := cpuSeconds(t) - began; n == 0 || spent < least {
			least = spent
		}
	}
	return max(least, 1e-4) // less is not measured well
}

func configuredCatalog(streams, properties int) []byte {
	var schema, catalog bytes.Buffer
	for n := range properties {
		fmt.Fprintf(&schema, `,"field_%d":{"type":["null","string"]}`, n)
	}
	for n := range streams {
		fmt.Fprintf(&catalog, `,{"stream":{"name":"s%d","json_schema":{"properties":{%s}}},"name":"s%d","json_schema":{}}`, n, schema.Bytes()[1:], n)
	}
	return fmt.Appendf(nil, `{"streams":[%s]}`, catalog.Bytes()[1:])
}

func manyStates(n int) []byte {
	var states bytes.Buffer
	for n := range n {
		fmt.Fprintf(&states, `,{"type":"STREAM","stream":{"stream_descriptor":{"name":"s%d"},"stream_state":{"id":%d}}}`, n, n)
	}
	return fmt.Appendf(nil, `[%s]`, states.Bytes()[1:])
}

// interleavedRows is three rows of each of n streams.
func interleavedRows(n int) []byte {
	var rows bytes.Buffer
	for n := range n {
		fmt.Fprintf(&rows, `{"type":"RECORD","record":{"stream":"s%d","data":{"id":1},"emitted_at":1}}`+"\n", n)
	}
	return bytes.Repeat(rows.Bytes(), 3)
}

func parseCatalogs(input []byte) error {
	_, configured := ParseConfiguredCatalog(input)
	_, discovered := ParseCatalog(input)
	return errors.Join(configured, discovered)
}

func parseAndFormatStates(input []byte) error {
	states, err := ParseStateFile(input)
	if err != nil {
		return err
	}
	_, err = FormatStateFile(states)
	return err
}

func readToEnd(input []byte) error {
	r := NewReader(bytes.NewReader(input), Options{})
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// The notes on a repaired row are bounded in number and length, however long its keys are and however deep it is.
func TestNotesAreBounded(t *testing.T) {
	for name, around := range map[string][2]string{
		"long key":  {`{"` + strings.Repeat("k", 1<<20) + `":`, `}`},
		"long keys": {strings.Repeat(`{"`+strings.Repeat("ключ", 300)+`":`, 100), strings.Repeat("}", 100)},
		"escapes":   {`{"` + strings.Repeat(`\u00e9`, 1<<16) + `":`, `}`},
		"deep":      {`{"a":` + strings.Repeat(`[`, 9_000), strings.Repeat(`]`, 9_000) + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			line := `{"type":"RECORD","record":{"stream":"a","data":` + around[0] + `[` + strings.Repeat("NaN,", 2*maxChanges) + `1]` + around[1] + `}}`
			m, err := NewReader(strings.NewReader(line), Options{}).Next()
			if err != nil || m.Type != TypeRecord || len(m.Record.Changes) != maxChanges {
				t.Fatalf("Next() = %s with %d notes, %v", m.Type, len(m.Record.Changes), err)
			}
			for _, c := range m.Record.Changes {
				if len(c.Field) > maxField+len("…") || c.Field == "" {
					t.Fatalf("a path of %d bytes", len(c.Field))
				}
			}
		})
	}
}
