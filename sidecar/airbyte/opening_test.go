package airbyte

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// FuzzOpenings compares scans that go on from how earlier lines began with scans from the first byte.
func FuzzOpenings(f *testing.F) {
	var previous []byte
	addTranscripts(f, func(line []byte) {
		f.Add(previous, line)
		f.Add(line, line)
		previous = line
	})
	const row = `{"type":"RECORD","record":{"stream":"s","data":`
	const state = `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"s"},"stream_state":`
	for _, v := range nearMisses() {
		f.Add([]byte(row+`{}}}`), []byte(row+`{"a":`+v+`},"emitted_at":1}}`))
		f.Add([]byte(row+v+`}}`), []byte(row+`{}},"record":`+v+`}`))
		f.Add([]byte(state+`{}}}}`), []byte(state+v+`},"type":"GLOBAL","sourceStats":{"recordCount":2.0}}}`))
		f.Add([]byte(state+`1},"stream":`+v+`}}`), []byte(state+`1,"stream_descriptor":`+v+`}}}`))
	}
	f.Add([]byte(`{"record":{},"state":{"stream":{"stream_state":1}}}`), []byte(`{"record":{},"state":{"stream":{"stream_state":{}}}}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var o openings
		for _, text := range [][]byte{first, first, second, first, second, second} {
			line := pad(bytes.ReplaceAll(text, []byte{'\n'}, []byte{' '}))
			var want, got envelope
			wantEnd := want.scan(line, 0)
			if end, _ := o.scan(&got, line); end != wantEnd || got != want {
				t.Fatalf("after %q: scan of %q ends at %d with %+v, want %d with %+v", first, text, end, got, wantEnd, want)
			}
		}
	})
}

// TestOpeningsAreBounded reads lines that never begin alike, as of a source that puts the time of a row before its data: they are not remembered
// for ever, and rows of a few streams are found again afterwards.
func TestOpeningsAreBounded(t *testing.T) {
	var o openings
	for n := range 10 * mostOpenings {
		o.learned(t, fmt.Sprintf(`{"type":"RECORD","record":{"emitted_at":%d,"stream":"s","data":{}}}`, n))
	}
	if len(o.known) != mostOpenings {
		t.Errorf("%d openings are known after lines that never begin alike", len(o.known))
	}
	long := `{"type":"RECORD","record":{"meta":{"x":"` + strings.Repeat("x", longestOpening) + `"},"stream":"s","data":{}}}`
	if new(openings).learned(t, long) {
		t.Error("a long opening is kept")
	}
	row := `{"type":"RECORD","record":{"emitted_at":7,"stream":"s","data":{}}}`
	for range 2 * mostOpenings {
		if !o.learned(t, row) {
			t.Fatal("an opening that was seen is not found")
		}
	}
	for n := range mostOpenings {
		o.learned(t, fmt.Sprintf(`{"type":"RECORD","record":{"stream":"%d","data":{}}}`, n))
	}
	if len(o.known) > mostOpenings || !o.learned(t, `{"type":"RECORD","record":{"stream":"1","data":{}}}`) {
		t.Errorf("%d openings are known, and new streams are not found", len(o.known))
	}
}

// learned says whether a line is remembered.
func (o *openings) learned(t *testing.T, text string) bool {
	t.Helper()
	var e envelope
	end, seen := o.scan(&e, pad([]byte(text)))
	if end != len(text) {
		t.Fatalf("scan of %s ends at %d", text, end)
	}
	return seen != nil
}
