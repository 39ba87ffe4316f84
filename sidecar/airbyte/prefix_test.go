package airbyte

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// FuzzPrefixCache compares scans that start after a known prefix with scans from the first byte.
func FuzzPrefixCache(f *testing.F) {
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
		var c prefixCache
		for _, text := range [][]byte{first, first, second, first, second, second} {
			line := pad(bytes.ReplaceAll(text, []byte{'\n'}, []byte{' '}))
			var want, got envelope
			wantEnd := want.scan(line, 0)
			if end, _ := c.scan(&got, line); end != wantEnd || got != want {
				t.Fatalf("after %q: scan of %q ends at %d with %+v, want %d with %+v", first, text, end, got, wantEnd, want)
			}
		}
	})
}

// A source may put the time of a row before its data, so that no two lines begin alike. The cache must not grow with such lines, and must still find
// the rows of a few streams that come after them.
func TestPrefixCacheIsBounded(t *testing.T) {
	var c prefixCache
	for n := range 10 * maxPrefixes {
		c.learned(t, fmt.Sprintf(`{"type":"RECORD","record":{"emitted_at":%d,"stream":"s","data":{}}}`, n))
	}
	if len(c.known) != maxPrefixes {
		t.Errorf("%d prefixes are known after lines that never begin alike", len(c.known))
	}
	long := `{"type":"RECORD","record":{"meta":{"x":"` + strings.Repeat("x", maxPrefixBytes) + `"},"stream":"s","data":{}}}`
	if new(prefixCache).learned(t, long) {
		t.Error("a long prefix is kept")
	}
	row := `{"type":"RECORD","record":{"emitted_at":7,"stream":"s","data":{}}}`
	for range 2 * maxPrefixes {
		if !c.learned(t, row) {
			t.Fatal("a prefix that was seen is not found")
		}
	}
	for n := range maxPrefixes {
		c.learned(t, fmt.Sprintf(`{"type":"RECORD","record":{"stream":"%d","data":{}}}`, n))
	}
	if len(c.known) > maxPrefixes || !c.learned(t, `{"type":"RECORD","record":{"stream":"1","data":{}}}`) {
		t.Errorf("%d prefixes are known, and new streams are not found", len(c.known))
	}
}

// learned scans a line and says whether its prefix is in the cache afterwards.
func (c *prefixCache) learned(t *testing.T, text string) bool {
	t.Helper()
	var e envelope
	end, p := c.scan(&e, pad([]byte(text)))
	if end != len(text) {
		t.Fatalf("scan of %s ends at %d", text, end)
	}
	return p != nil
}
