package jsonobject

import "testing"

func TestSplitAndJoin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`:                           `{}`,
		`{"b": 1.10, "a":[ {} ]}`:      `{"b":1.10,"a":[ {} ]}`,
		`{"a":1e400,"a":"\u00e4<"}`:    `{"a":1e400,"a":"\u00e4<"}`,
		`{"x":12345678901234567890.0}`: `{"x":12345678901234567890.0}`,
	} {
		members, err := Split([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if joined, err := Join(members); err != nil || string(joined) != want {
			t.Errorf("%s became %s, want %s (%v)", text, joined, want, err)
		}
	}
	for _, text := range []string{``, `[]`, `1`, `{"a"`, `{"a":}`, `{"a":1`, `{"a":1,}`} {
		if members, err := Split([]byte(text)); err == nil {
			t.Errorf("%q is no object, but has %v", text, members)
		}
	}
}
