package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// addTranscripts makes every line of the transcripts a seed.
func addTranscripts(f *testing.F, add func(line []byte)) {
	f.Helper()
	for _, name := range transcripts(f) {
		for line := range bytes.Lines(readFile(f, "testdata/transcripts/"+name+".in")) {
			add(line)
		}
	}
}

// lastMembers reads an object with encoding/json. Of members with the same key the last one counts.
func lastMembers(t *testing.T, object []byte) map[string]json.RawMessage {
	t.Helper()
	members := make(map[string]json.RawMessage)
	decoder := json.NewDecoder(bytes.NewReader(object))
	token, err := decoder.Token()
	if token != json.Delim('{') || err != nil {
		return members
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatalf("key in %q: %v", object, err)
		}
		var member json.RawMessage
		if err := decoder.Decode(&member); err != nil {
			t.Fatalf("member %v in %q: %v", key, object, err)
		}
		members[key.(string)] = member // a key is a string
	}
	return members
}

// stringOf is the value as encoding/json reads it; false when it is not a string.
func stringOf(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// FuzzScan compares what the scanner accepts and extracts with what encoding/json and unicode/utf8 do.
func FuzzScan(f *testing.F) {
	addTranscripts(f, func(line []byte) { f.Add(line) })
	for _, v := range nearMisses() {
		f.Add([]byte(`{"type":"RECORD","record":{"stream":"s","data":{"a":` + v + `},"emitted_at":1}}`))
		f.Add([]byte(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":` + v + `},"stream_state":` + v + `}}}`))
	}
	for _, last := range []string{`{}`, `null`, `{"stream":null,"namespace":1,"data":[],"meta":1,"emitted_at":""}`} {
		f.Add([]byte(`{"type":"RECORD","record":{"stream":"s","namespace":"n","data":{},"meta":{},"emitted_at":1},"record":` + last + `,"type":1}`))
	}
	f.Add([]byte(`{"type":"RECORD","record":{"stream":"s","data":{},"file":{"bytes":1},"file_reference":{},"file_reference":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.ReplaceAll(text, []byte{'\n'}, []byte{' '})
		want := validObject(text)
		if got := scansWhole(text); got != want {
			t.Fatalf("scan = %v, want %v", got, want)
		}
		if !want {
			return
		}
		line := pad(text)
		var e envelope
		e.scan(line, skipSpace(line, 0))
		message := lastMembers(t, text)
		record := lastMembers(t, message["record"])
		compareString(t, "type", line, e.kind, message["type"])
		compareString(t, "stream", line, e.record.stream, record["stream"])
		compareString(t, "namespace", line, e.record.namespace, record["namespace"])
		compareRaw(t, "data", line, e.record.data, record["data"], "{")
		compareRaw(t, "meta", line, e.record.meta, record["meta"], "{")
		if e.record.file != isObject(record["file"]) || e.record.reference != isObject(record["file_reference"]) {
			t.Fatalf("a file: %v, a file_reference: %v", e.record.file, e.record.reference)
		}
		compareRaw(t, "emitted_at", line, e.record.emittedAt, record["emitted_at"], "-0123456789")
		compareState(t, line, &e.state, message["state"])
		compareMembers(t, value{line, span{skipSpace(line, 0), len(bytes.TrimRight(text, " \t\r"))}}, message)
	})
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(raw, []byte("{")) }

// compareState compares the parts of a state.
func compareState(t *testing.T, line []byte, p *stateParts, raw json.RawMessage) {
	t.Helper()
	state := lastMembers(t, raw)
	stream := lastMembers(t, state["stream"])
	descriptor := lastMembers(t, stream["stream_descriptor"])
	for _, part := range []struct {
		name string
		span span
		want json.RawMessage
	}{
		{"state", p.whole, raw}, {"type", p.scope, state["type"]}, {"stream", p.stream, state["stream"]}, {"global", p.global, state["global"]},
		{"data", p.data, state["data"]}, {"recordCount", p.count, lastMembers(t, state["sourceStats"])["recordCount"]},
		{"stream_state", p.state, stream["stream_state"]}, {"name", p.name, descriptor["name"]}, {"namespace", p.namespace, descriptor["namespace"]},
	} {
		if got := part.span.in(line); !bytes.Equal(got, part.want) {
			t.Fatalf("%s of state = %q, want %q", part.name, got, part.want)
		}
	}
}

func compareString(t *testing.T, name string, line []byte, s span, raw json.RawMessage) {
	t.Helper()
	want, there := stringOf(raw)
	if got := string(unescape(nil, s.in(line))); got != want || there == s.absent() {
		t.Fatalf("%s = %q (absent: %v), want %q (there: %v)", name, got, s.absent(), want, there)
	}
}

// compareRaw compares bytes. A value that begins with none of the characters in begins must be absent.
func compareRaw(t *testing.T, name string, line []byte, s span, raw json.RawMessage, begins string) {
	t.Helper()
	want := string(raw)
	if want == "" || !strings.Contains(begins, want[:1]) {
		want = ""
	}
	if got := string(s.in(line)); got != want {
		t.Fatalf("%s = %q, want %q", name, got, want)
	}
}

// compareMembers compares the methods of value.
func compareMembers(t *testing.T, object value, want map[string]json.RawMessage) {
	t.Helper()
	got := make(map[string]json.RawMessage)
	for key, member := range object.members() {
		got[string(key)] = member.raw()
		if text, isText := stringOf(member.raw()); member.text() != text || isText != (member.kind() == '"') {
			t.Fatalf("text of %s = %q, want %q", member.raw(), member.text(), text)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("members %q, want %q", got, want)
	}
	for key := range want {
		if !bytes.Equal(got[key], want[key]) || !bytes.Equal(object.member(key).raw(), want[key]) {
			t.Fatalf("member %q = %q, want %q", key, got[key], want[key])
		}
	}
}

// pieces returns the content in pieces of one size.
type pieces struct {
	content []byte
	size    int
}

func (p *pieces) Read(buffer []byte) (int, error) {
	if len(p.content) == 0 {
		return 0, io.EOF
	}
	n := copy(buffer[:min(len(buffer), p.size)], p.content)
	p.content = p.content[n:]
	return n, nil
}

// FuzzReader gives the reader any output. The reader must end with io.EOF, return only valid rows, and return something for every line that is not
// blank. The sizes of the reads must make no difference.
func FuzzReader(f *testing.F) {
	for _, name := range transcripts(f) {
		f.Add(readFile(f, "testdata/transcripts/"+name+".in"), uint16(7), uint16(0), name == "non-finite")
	}
	addTranscripts(f, func(line []byte) { f.Add(line, uint16(1), uint16(40), true) })
	f.Fuzz(func(t *testing.T, input []byte, size, limit uint16, reject bool) {
		o := Options{MaxLineBytes: int(limit), RejectNonFinite: reject}
		whole := checkedRead(t, bytes.NewReader(input), o)
		if split := checkedRead(t, &pieces{input, int(size) + 1}, o); textLines(split) != textLines(whole) {
			t.Fatalf("in pieces of %d:\n%s\nwhole:\n%s", size+1, textLines(split), textLines(whole))
		}
		lines := 0
		for line := range bytes.Lines(input) {
			if lines++; lines > 20 {
				break
			}
			if got := checkedRead(t, bytes.NewReader(line), o); len(got) == 0 && !blank(bytes.TrimSuffix(line, []byte{'\n'})) {
				t.Fatalf("nothing came of line %q", line)
			}
		}
	})
}

// checkedRead reads to the end and checks what must hold for every message.
func checkedRead(t *testing.T, src io.Reader, o Options) []string {
	t.Helper()
	var out []string
	r := NewReader(src, o)
	r.lines.chunk = 64 // so that the buffer grows and moves
	for {
		buffered, before := r.Buffered(), r.Bytes()
		m, err := r.Next()
		if buffered && r.Bytes() != before {
			t.Fatal("Next read from the source although Buffered said that it would not")
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch m.Type {
		case TypeRecord:
			if !validObject(m.Record.Data) || m.Record.Data[0] != '{' || bytes.IndexByte(m.Record.Data, '\n') >= 0 {
				t.Fatalf("data %q", m.Record.Data)
			}
			if !utf8.Valid(m.Record.Stream) || !utf8.Valid(m.Record.Namespace) {
				t.Fatalf("stream %q of %q", m.Record.Stream, m.Record.Namespace)
			}
		case TypeText, TypeLog:
			if !utf8.ValidString(m.Log.Message) || m.Log.Level == "" {
				t.Fatalf("log %+v", *m.Log)
			}
		case TypeState:
			if raw := m.State.raw(); len(raw) > 0 && !json.Valid(raw) {
				t.Fatalf("state %q", raw)
			}
		case TypeDefect:
			if m.Defect.Line < 1 || m.Defect.Kind == "" || m.Defect.Detail == "" {
				t.Fatalf("defect %+v", *m.Defect)
			}
		}
		out = append(out, describe(m))
	}
}

// FuzzRepair damages valid rows: a number becomes NaN, or a stray byte or control character gets into a string. Such a row must never be lost.
func FuzzRepair(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[2,{"c":3}],"d":"text"}`), uint16(5), byte(0))
	f.Add([]byte(`{"a":"text"}`), uint16(7), byte(0xFF))
	f.Add([]byte(`{"a":"text"}`), uint16(7), byte('\t'))
	f.Fuzz(func(t *testing.T, data []byte, at uint16, damage byte) {
		if !validObject(data) || len(data) == 0 || data[0] != '{' || bytes.IndexByte(data, '\n') >= 0 {
			return
		}
		damaged, inString := damageAt(data, int(at)%len(data), damage)
		if damaged == nil || len(lastMembers(t, data)) == 0 {
			return
		}
		line := append(append([]byte(`{"type":"RECORD","record":{"stream":"s","data":`), damaged...), `}}`...)
		r := NewReader(bytes.NewReader(line), Options{})
		m, err := r.Next()
		if err != nil || m.Type != TypeRecord || !validObject(m.Record.Data) {
			t.Fatalf("%q became %+v, %v", line, m, err)
		}
		if !inString && len(m.Record.Changes) == 0 {
			t.Fatalf("%q: no note", line)
		}
		report, err := r.Next()
		if err != nil || report.Type != TypeDefect || report.Defect.Lost || report.Defect.Stream.Name != "s" {
			t.Fatalf("%q was repaired without a report: %+v, %v", line, report, err)
		}
	})
}

// damageAt damages the value at index at: NaN replaces a number, and a byte is put into a string. It returns nil when there is neither.
func damageAt(data []byte, at int, damage byte) (damaged []byte, inString bool) {
	line := pad(data)
	for i := 0; i < len(data); i++ {
		switch c := line[i]; {
		case c == '"':
			end := skipString(line, i+1)
			if at > i && at < end-1 {
				harmless := damage >= ' ' && damage < 0xF8 || damage == '\n' // from F8 on no byte begins a character
				if harmless || bytes.IndexByte(line[i:at], '\\') >= 0 || !utf8.RuneStart(line[at]) {
					return nil, false
				}
				return bytes.Join([][]byte{data[:at], data[at:]}, []byte{damage}), true
			}
			i = end - 1
		case c == '-' || isDigit(c):
			end := skipNumber(line, i)
			if at >= i && at < end {
				return bytes.Join([][]byte{data[:i], data[end:]}, []byte("NaN")), false
			}
			i = end - 1
		}
	}
	return nil, false
}
