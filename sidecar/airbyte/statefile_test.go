package airbyte

import (
	"fmt"
	"strings"
	"testing"
)

func describeStates(states []State) string {
	var out []string
	for _, s := range states {
		out = append(out, fmt.Sprintf("%s %q %s", s.Type, s.Stream, s.raw()))
	}
	return strings.Join(out, " | ")
}

func TestStateFile(t *testing.T) {
	for _, test := range []struct{ name, file, want, formatted string }{
		{"empty", ``, ``, `[]`},
		{"white space", " \n", ``, `[]`},
		{"empty object", `{}`, ``, `[]`},
		{"empty object on two lines", "{\n}", ``, `[]`},
		{"empty array", `[]`, ``, `[]`},
		{"null", `null`, ``, `[]`},
		{"legacy", `{"cursor":  1.0}`, `LEGACY "" {"cursor":  1.0}`, `{"cursor":  1.0}`},
		{"legacy in an array", `[{"type":"LEGACY","data":{"a":1}}]`, `LEGACY "" {"a":1}`, `{"a":1}`},
		{"legacy without type", `[{"data":{"a":1}}]`, `LEGACY "" {"a":1}`, `{"a":1}`},
		{"streams", `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a","namespace":"n"},"stream_state":{"id": 5}}},` + "\n" +
			`{"type":"STREAM","stream":{"stream_descriptor":{"name":"b"},"stream_state":"x<>&"}}]`,
			`STREAM "n.a" {"id": 5} | STREAM "b" "x<>&"`,
			`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a","namespace":"n"},"stream_state":{"id": 5}}},` +
				`{"type":"STREAM","stream":{"stream_descriptor":{"name":"b"},"stream_state":"x<>&"}}]`},
		{"wrapped", `[{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":1e400}}}]`,
			`STREAM "a" 1e400`, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":1e400}}]`},
		{"global", `[{"type":"GLOBAL","global":{"shared_state":{"lsn":12345678901234567890},"stream_states":[]}}]`,
			`GLOBAL "" {"shared_state":{"lsn":12345678901234567890},"stream_states":[]}`,
			`[{"type":"GLOBAL","global":{"shared_state":{"lsn":12345678901234567890},"stream_states":[]}}]`},
		{"one message", `{"type":"STATE","state":{"type":"GLOBAL","global":{"a":1}}}`, `GLOBAL "" {"a":1}`, `[{"type":"GLOBAL","global":{"a":1}}]`},
		{"one state", `{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{}}}`, `STREAM "a" {}`,
			`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{}}}]`},
		{"legacy data with a type of its own", `{"type":"cursor","a":1}`, `LEGACY "" {"type":"cursor","a":1}`, `{"type":"cursor","a":1}`},
		{"reset", `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":null}}]`, `STREAM "a" null`, `[]`},
		{"NUL and lone surrogate", `{"a":"\u0000\ud800"}`, `LEGACY "" {"a":"\u0000\ud800"}`, `{"a":"\u0000\ud800"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			states, err := ParseStateFile([]byte(test.file))
			if got := describeStates(states); err != nil || got != test.want {
				t.Errorf("ParseStateFile(%s) = %s, %v, want %s", test.file, got, err, test.want)
			}
			file, err := FormatStateFile(states)
			if string(file) != test.formatted || err != nil {
				t.Errorf("FormatStateFile = %s, %v, want %s", file, err, test.formatted)
			}
		})
	}
}

func TestStateFileErrors(t *testing.T) {
	for file, want := range map[string]string{
		`{`:                       "state is not JSON: line 1, column 1: unexpected end of JSON input",
		`12`:                      "state is neither an array nor an object",
		`[{}]`:                    "state entry 0: neither state.type nor state.data is there",
		`[{"data":1},5]`:          "state entry 1: state is missing or of the wrong kind",
		`[{"type":"STREAM"}]`:     "state entry 0: state.stream.stream_descriptor.name is missing or of the wrong kind",
		`{"type":"GLOBAL","a":1}`: "state.global is missing or of the wrong kind",
	} {
		if states, err := ParseStateFile([]byte(file)); err == nil || err.Error() != want {
			t.Errorf("ParseStateFile(%s) = %v, %v, want error %q", file, states, err, want)
		}
	}
}

func TestFormatStateFileErrors(t *testing.T) {
	stream := State{Type: StateStream, Stream: StreamDescriptor{Name: "a"}, StreamState: []byte(`{}`)}
	global := State{Type: StateGlobal, Global: []byte(`{}`)}
	legacy := State{Type: StateLegacy, Data: []byte(`{}`)}
	for _, test := range []struct {
		states []State
		want   string
	}{
		{[]State{stream, global}, `states of STREAM "a" and GLOBAL do not go together: reset the state, or remove one of them`},
		{[]State{global, global}, `states of GLOBAL and GLOBAL do not go together: reset the state, or remove one of them`},
		{[]State{legacy, stream}, `states of LEGACY and LEGACY do not go together: reset the state, or remove one of them`},
		{[]State{{Type: StateStream, StreamState: []byte(`{`)}}, `state of STREAM "" is not JSON: reset it`},
	} {
		if file, err := FormatStateFile(test.states); err == nil || err.Error() != test.want {
			t.Errorf("FormatStateFile = %s, %v, want error %q", file, err, test.want)
		}
	}
}

// A state file that was written is read back as the same states.
func FuzzStateFile(f *testing.F) {
	f.Add([]byte(`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a","namespace":"n"},"stream_state":{"id": 5}}}]`))
	f.Add([]byte(`[{"type":"GLOBAL","global":{"shared_state":{"lsn":1}}}]`))
	f.Add([]byte(`{"cursor": "\ud800"}`))
	f.Add([]byte("{\"type\":\"STATE\",\n\"state\":{\"data\":[1]}}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		states, err := ParseStateFile(file)
		if err != nil {
			return
		}
		formatted, err := FormatStateFile(states)
		if err != nil || string(formatted) == "[]" {
			return // mixed scopes, or only resets
		}
		if len(states) == 1 && states[0].Type == StateLegacy {
			if string(formatted) != string(states[0].Data) {
				t.Fatalf("legacy state %s became %s", states[0].Data, formatted)
			}
			return // its data may look like a state itself
		}
		again, err := ParseStateFile(formatted)
		if err != nil {
			t.Fatalf("%s: %v", formatted, err)
		}
		kept := states[:0]
		for _, s := range states {
			if raw := s.raw(); len(raw) > 0 && string(raw) != "null" {
				kept = append(kept, s)
			}
		}
		if got, want := describeStates(again), describeStates(kept); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}
