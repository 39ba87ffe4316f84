package cursor

import (
	"bytes"
	"testing"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		older, newer string
		equal        bool
	}{
		{older: `{"at":3}`, newer: `{"at":5}`},
		{older: `{"at":9}`, newer: `{"at":10}`},
		{older: `{"at":9007199254740992}`, newer: `{"at":9007199254740993}`},
		{older: `{"at":-1e3}`, newer: `{"at":1.5}`},
		{older: `{"at":"2024-01-01"}`, newer: `{"at":"2024-01-01T00:00:01Z"}`},
		{older: `{"at":"2024-01-01T02:00:00+02:00"}`, newer: `{"at":"2024-01-01T00:00:00.5Z"}`},
		{older: `{"at":"2024-01-01T00:00:00Z"}`, newer: `{"at":"2024-01-01T02:00:00+02:00"}`, equal: true},
		{older: `{"at":"2024-01-01 10:00:00"}`, newer: `{"at":"2024-01-01T10:00:00.000001"}`},
		{older: `{"at":"a"}`, newer: `{"at":"b"}`},
		{older: `{"at":"0/16B3740"}`, newer: `{"at":"0/16B3748"}`},
		{older: `{}`, newer: `{"at":0}`},
		{older: `{"at":null}`, newer: `{"at":""}`, equal: true},
		{older: `{"at":null}`, newer: `{}`, equal: true},
		{older: `{"at":[2]}`, newer: `{"at":{"x":1}}`, equal: true},
	} {
		older, newer := Of([]byte(c.older), NewPath([]string{"at"})), Of([]byte(c.newer), NewPath([]string{"at"}))
		if got := Compare(older, newer); got > 0 || c.equal != (got == 0) || Compare(newer, older) != -got {
			t.Errorf("%s against %s: %d", c.older, c.newer, got)
		}
		first, second := older.Rank(), newer.Rank()
		coarse := c.older == `{"at":9007199254740992}` || c.older == `{"at":"0/16B3740"}` // beyond what a rank holds
		if got := bytes.Compare(first[:], second[:]); got > 0 || (c.equal || coarse) != (got == 0) {
			t.Errorf("rank of %s against %s: %d", c.older, c.newer, got)
		}
	}
	if nested := Of([]byte(`{"a":{"b.c":7}}`), NewPath([]string{"a", "b.c"})); Compare(nested, Of([]byte(`{"x":7}`), NewPath([]string{"x"}))) != 0 {
		t.Errorf("nested: %+v", nested)
	}
}
