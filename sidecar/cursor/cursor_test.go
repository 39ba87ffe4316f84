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

// TestOrder holds Follow, which compares spellings where it can, against Compare.
func TestOrder(t *testing.T) {
	t.Parallel()
	values := []string{`1`, `9`, `10`, `007`, `100`, `9e1`, `1.5`, `-5`, `"2024-01-01"`, `"2024-01-02"`, `"2024-01-01T10:00:00Z"`,
		`"2024-01-01T09:59:59Z"`, `"1500-01-01T09:59:59Z"`, `"2024-02-30T09:59:59Z"`, `"2024-01-01T24:59:59Z"`, `"2024-01-01T09:59:59.5Z"`,
		`"2024-01-01T10:00:00+02:00"`, `"2024-01-01T10:00:00.000Z"`, `"abcZ"`, `"0000-00-00T00:00:00Z"`, `null`, `""`, `[1]`}
	path := NewPath([]string{"at"})
	for _, first := range values {
		for _, second := range values {
			order := Order{}
			for _, value := range []string{first, second} {
				order.Follow([]byte(`{"id":1,"at":`+value+`}`), path)
			}
			a, b := Of([]byte(`{"at":`+first+`}`), path), Of([]byte(`{"at":`+second+`}`), path)
			mixed := !Comparable(a, b)
			if order.Mixed != mixed || order.Disordered != (!mixed && Compare(b, a) < 0) {
				t.Errorf("%s, then %s: %+v", first, second, order)
			}
		}
	}
	order := Order{}
	order.Follow(nil, path)
	order.Follow([]byte(`{}`), path)
	if order.Disordered || order.Mixed {
		t.Errorf("no value: %+v", order)
	}
}

// TestRowsInOrderCostNoMemory: the cursor of every row is looked at.
func TestRowsInOrderCostNoMemory(t *testing.T) { //nolint:paralleltest // it counts allocations
	order, path := Order{}, NewPath([]string{"updated_at"})
	row := []byte(`{"id":1,"name":"x","updated_at":"2024-05-01T10:11:12.345Z","text":"y"}`)
	order.Follow(row, path)
	if allocated := testing.AllocsPerRun(100, func() { order.Follow(row, path) }); allocated > 0 {
		t.Errorf("%v allocations", allocated)
	}
}
