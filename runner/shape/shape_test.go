package shape

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestShapes(t *testing.T) {
	t.Parallel()
	fields := Fields{}
	rows := []string{`{"id":1,"name":"Zoë","tags":[],"note":null,"n":1.5}`, `{"id":2,"name":"","tags":["a","b"],"note":null,"n":7,"more":{"x":1}}`,
		`{"id":3,"name":"` + strings.Repeat("é", 90) + `","tags":["a"],"yes":true}`}
	for _, text := range rows {
		decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
		decoder.UseNumber()
		var row map[string]any
		if err := decoder.Decode(&row); err != nil {
			t.Fatal(err)
		}
		fields.Take(row, true)
	}
	if got := fields.Names(map[string]any{"id": 1, "never": 1}); !slices.Equal(got, []string{"id", "more", "n", "name", "never", "note", "tags",
		"yes"}) {
		t.Errorf("fields %v", got)
	}
	for name, want := range map[string]struct {
		values, sample string
		nulls          int64
	}{
		"id": {"integer", "1", 0}, "name": {"string of 0 to 90", `"Zoë"`, 0}, "tags": {"array of 0 to 2", "[]", 0}, "note": {"always null", "", 100},
		"n": {"integer, number", "1.5", 34}, "more": {"object", `{"x":1}`, 67}, "yes": {"boolean", "true", 67},
	} {
		field := fields[name]
		if field.Values() != want.values || field.Sample != want.sample || field.Nulls(3) != want.nulls {
			t.Errorf("%s: %q, %q, %d %% null; want %+v", name, field.Values(), field.Sample, field.Nulls(3), want)
		}
	}
	var never *Field
	if never.Values() != "no value" || never.Nulls(3) != 100 {
		t.Error("a field that never came has a value")
	}
	plain := Fields{}
	plain.Take(map[string]any{"secret": "hunter2"}, false)
	if plain["secret"].Sample != "" {
		t.Error("kept a value that nobody asked for")
	}
}
