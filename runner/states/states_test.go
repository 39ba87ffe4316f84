package states

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/mapping"
)

// of is the saved STREAM state of a stream, which may have a namespace.
func of(stream, state string) sidecar.SavedState {
	descriptor := airbyte.StreamDescriptor{Name: stream}
	if namespace, name, dotted := strings.Cut(stream, "."); dotted {
		descriptor = airbyte.StreamDescriptor{Namespace: namespace, Name: name}
	}
	return sidecar.SavedState{Key: stream, Stream: descriptor, State: json.RawMessage(state), SavedAt: time.Unix(1, 0)}
}

func ofAll(key, state string) sidecar.SavedState {
	return sidecar.SavedState{Key: key, State: json.RawMessage(state), SavedAt: time.Unix(1, 0)}
}

// cdc is a GLOBAL state of two streams.
const cdc = `{"shared_state":{"lsn":7},"stream_states":[{"stream_descriptor":{"name":"users","namespace":"shop"},"stream_state":{"n":1}},` +
	`{"stream_descriptor":{"name":"orders","namespace":"shop"},"stream_state":{"n":2}}],"more":1}`

// told is a list of entries for comparing.
func told(entries []Entry) (lines []string) {
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%s %s %s", e.Name(), e.Kind, e.State))
	}
	return lines
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	equal(t, "STREAM", told(Of([]sidecar.SavedState{of("users", `2`), of("b.items", `1`), of("gone", `null`)})), "b.items STREAM 1", "users STREAM 2")
	equal(t, "GLOBAL", told(Of([]sidecar.SavedState{ofAll(sidecar.GlobalStateKey, cdc), of("full", `{}`)})), "full STREAM {}",
		`(all streams) GLOBAL {"lsn":7}`, `shop.orders GLOBAL {"n":2}`, `shop.users GLOBAL {"n":1}`)
	equal(t, "a GLOBAL one of its own shape", told(Of([]sidecar.SavedState{ofAll(sidecar.GlobalStateKey, `{"at":1}`)})), `(all streams) GLOBAL {"at":1}`)
	equal(t, "LEGACY", told(Of([]sidecar.SavedState{ofAll(sidecar.LegacyStateKey, `{"users":{"n":1}}`)})), `(all streams) LEGACY {"users":{"n":1}}`)
}

func TestSelection(t *testing.T) {
	t.Parallel()
	saved := Of([]sidecar.SavedState{of("users", `1`), of("shop.users", `2`), of("shop.orders", `3`), of("a*b", `4`)})
	for _, test := range []struct {
		selection Selection
		want      []string
	}{
		{nil, []string{"a*b", "shop.orders", "shop.users", "users"}},
		{Selection{"users"}, []string{"shop.users", "users"}},
		{Selection{"shop.users"}, []string{"shop.users"}},
		{Selection{"shop.*"}, []string{"shop.orders", "shop.users"}},
		{Selection{"*s*r*"}, []string{"shop.orders", "shop.users", "users"}},
		{Selection{"u*s", "orders"}, []string{"shop.orders", "shop.users", "users"}},
		{Selection{"a*b"}, []string{"a*b"}},
		{Selection{"?sers"}, []string{"shop.users", "users"}},
		{Selection{"*"}, []string{"a*b", "shop.orders", "shop.users", "users"}},
	} {
		selected, err := Selected(saved, test.selection)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprint(test.selection), names(selected), test.want...)
	}
	for _, nothing := range []string{"user", "sers", "shop.use", "users.*", "s*x"} {
		none := (*NoneError)(nil)
		if _, err := Selected(saved, Selection{"users", nothing}); !errors.As(err, &none) || !strings.Contains(err.Error(), `"`+nothing+`": there are`) {
			t.Errorf("%s: %v", nothing, err)
		}
	}
}

// described is a change for comparing.
func described(c Change) (lines []string) {
	for _, key := range c.Gone {
		lines = append(lines, "- "+key)
	}
	for _, state := range c.States {
		lines = append(lines, "+ "+state.Key+" "+string(state.State))
	}
	return lines
}

func TestReset(t *testing.T) {
	t.Parallel()
	streams := []sidecar.SavedState{of("users", `1`), of("orders", `2`)}
	global := []sidecar.SavedState{ofAll(sidecar.GlobalStateKey, cdc), of("full", `{}`)}
	legacy := []sidecar.SavedState{ofAll(sidecar.LegacyStateKey, `{"users":1}`)}
	for _, test := range []struct {
		name      string
		saved     []sidecar.SavedState
		selection Selection
		want      []string
		note      string
	}{
		{"all", streams, nil, []string{"- users", "- orders"}, ""},
		{"one", streams, Selection{"u*"}, []string{"- users"}, ""},
		{"GLOBAL", global, nil, []string{"- _GLOBAL_STATE", "- full"}, ""},
		{"a stream of a GLOBAL one", global, Selection{"users"}, []string{`+ _GLOBAL_STATE {"shared_state":{"lsn":7},"stream_states":[` +
			`{"stream_descriptor":{"name":"orders","namespace":"shop"},"stream_state":{"n":2}}],"more":1}`}, "shared_state"},
		{"all streams of a GLOBAL one", global, Selection{"shop.*"}, []string{"- _GLOBAL_STATE"}, "forgotten, too"},
		{"a full refresh beside a GLOBAL one", global, Selection{"full"}, []string{"- full"}, ""},
		{"LEGACY", legacy, nil, []string{"- _LEGACY_STATE"}, ""},
	} {
		change, err := Reset(test.saved, test.selection)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		equal(t, test.name, described(change), test.want...)
		if notes := strings.Join(change.Notes, "; "); !strings.Contains(notes, test.note) || (notes == "") != (test.note == "") {
			t.Errorf("%s: notes %q, want %q", test.name, notes, test.note)
		}
	}
	if _, err := Reset(legacy, Selection{"users"}); err == nil || !strings.Contains(err.Error(), "as a whole") {
		t.Errorf("a stream of a LEGACY one: %v", err)
	}
	none := (*NoneError)(nil)
	if _, err := Reset(streams, Selection{"nobody"}); !errors.As(err, &none) {
		t.Errorf("nobody: %v", err)
	}
}

// parsed are the states of a file.
func parsed(t *testing.T, file string) []airbyte.State {
	t.Helper()
	states, err := airbyte.ParseStateFile([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return states
}

// entry is a STREAM state in a file.
func entry(name, state string) string {
	return `{"type":"STREAM","stream":{"stream_descriptor":{"name":"` + name + `"},"stream_state":` + state + `}}`
}

func TestImport(t *testing.T) {
	t.Parallel()
	saved := []sidecar.SavedState{of("users", `1`), of("orders", `2`)}
	global := []sidecar.SavedState{ofAll(sidecar.GlobalStateKey, cdc)}
	for _, test := range []struct {
		name      string
		saved     []sidecar.SavedState
		file      string
		selection Selection
		want      []string
		fails     string
	}{
		{"an array", saved, "[" + entry("users", `{"b":1,"a":2}`) + "]", nil, []string{"- orders", `+ users {"b":1,"a":2}`}, ""},
		{"a null is none", saved, "[" + entry("users", `3`) + "," + entry("orders", `null`) + "]", nil, []string{"- orders", `+ users 3`}, ""},
		{"messages", nil, `[{"type":"STATE","state":` + entry("users", `3`) + `}]`, nil, []string{"+ users 3"}, ""},
		{"the data of a LEGACY one", saved, `{"users":{"n":1}}`, nil, []string{"- users", "- orders", `+ _LEGACY_STATE {"users":{"n":1}}`}, ""},
		{"GLOBAL", saved, `[{"type":"GLOBAL","global":{"shared_state":1,"stream_states":[]}}]`, nil,
			[]string{"- users", "- orders", `+ _GLOBAL_STATE {"shared_state":1,"stream_states":[]}`}, ""},
		{"some streams", saved, "[" + entry("users", `3`) + "," + entry("new", `4`) + "]", Selection{"new"}, []string{"+ new 4"}, ""},
		{"some streams beside a GLOBAL one", global, "[" + entry("users", `3`) + "]", Selection{"users"}, nil, "as a whole"},
		{"a part of a GLOBAL one", saved, `{"type":"GLOBAL","global":` + cdc + `}`, Selection{"users"}, nil, "as a whole"},
		{"nobody", saved, "[" + entry("users", `3`) + "]", Selection{"orders"}, nil, `no state of "orders"`},
		{"nothing", saved, "[]", nil, nil, "state reset"},
		{"only nulls", saved, "[" + entry("users", `null`) + "]", nil, nil, "state reset"},
		{"twice", saved, "[" + entry("users", `3`) + "," + entry("users", `4`) + "]", nil, nil, `two states of stream "users"`},
		{"two kinds", saved, "[" + entry("users", `3`) + `,{"type":"GLOBAL","global":{"shared_state":1}}]`, nil, nil, "one kind"},
		{"a stream with a name of ours", saved, "[" + entry("_GLOBAL_STATE", `3`) + "]", nil, nil, "_GLOBAL_STATE"},
		{"one key for two", saved, "[" + entry("a.b", `3`) + `,{"type":"STREAM","stream":{"stream_descriptor":{"name":"b","namespace":"a"},` +
			`"stream_state":1}}]`, nil, nil, `saved as "a.b"`},
	} {
		change, err := Import(test.saved, parsed(t, test.file), test.selection)
		switch {
		case test.fails == "" && err != nil, test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
			t.Errorf("%s: %v, want %q", test.name, err, test.fails)
		case test.fails == "":
			equal(t, test.name, described(change), test.want...)
		}
	}
}

// A connector has to know the kind of states that takes the place of another.
func TestImportTellsOfAnotherKind(t *testing.T) {
	t.Parallel()
	saved := []sidecar.SavedState{of("users", `1`)}
	for file, want := range map[string]int{`{"users":{"n":1}}`: 1, "[" + entry("orders", `3`) + "]": 0} {
		change, err := Import(saved, parsed(t, file), nil)
		if err != nil || len(change.Notes) != want || want > 0 && !strings.Contains(change.Notes[0], "STREAM, and what takes its place LEGACY") {
			t.Errorf("%s: %q, %v", file, change.Notes, err)
		}
	}
}

// What is exported is a file that the connector takes, and that an import makes the same states of.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	for name, saved := range map[string][]sidecar.SavedState{
		"STREAM": {of("shop.users", `{"n": 1}`), of("orders", `{"n":2}`)},
		"GLOBAL": {ofAll(sidecar.GlobalStateKey, cdc)},
		"LEGACY": {ofAll(sidecar.LegacyStateKey, `{"users":{"n":1}}`)},
	} {
		exported, notes, err := Export(saved, nil)
		if err != nil || len(notes) > 0 {
			t.Fatal(name, notes, err)
		}
		file, err := airbyte.FormatStateFile(exported)
		if err != nil {
			t.Fatal(name, err)
		}
		if name != "LEGACY" && file[0] != '[' {
			t.Errorf("%s: the file is no array: %s", name, file)
		}
		change, err := Import(nil, parsed(t, string(file)), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		differences, err := Compare(Of(saved), Of(change.States))
		if err != nil || len(differences) > 0 {
			t.Errorf("%s: %+v, %v", name, differences, err)
		}
	}
}

func TestExportChoosesOneKind(t *testing.T) {
	t.Parallel()
	saved := []sidecar.SavedState{of("users", `{"n":1}`), of("full", `{"__ab_full_refresh_sync_complete":true}`),
		of("plain", `{"__ab_no_cursor_state_message":true}`), ofAll(sidecar.GlobalStateKey, cdc)}
	exported, notes, err := Export(saved, nil)
	if err != nil || len(exported) != 1 || exported[0].Stream.Name != "users" || len(notes) != 3 {
		t.Errorf("%+v, %q, %v", exported, notes, err)
	}
	if _, _, err := Export(saved[3:], Selection{"users"}); err == nil || !strings.Contains(err.Error(), "as a whole") {
		t.Errorf("a part of a GLOBAL one: %v", err)
	}
	exported, _, err = Export(saved[1:], nil)
	if err != nil || len(exported) != 1 || exported[0].Type != airbyte.StateGlobal {
		t.Errorf("GLOBAL beside a full refresh: %+v, %v", exported, err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	saved := Of([]sidecar.SavedState{of("same", `{"a": 1, "b": 1e2}`), of("other", `1`), of("here", `1`)})
	file := Of(mapping.GivenStates(parsed(t, "["+entry("same", `{"b":100,"a":1.0}`)+","+entry("other", `2`)+","+entry("there", `1`)+"]")))
	differences, err := Compare(saved, file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, d := range differences {
		lines = append(lines, fmt.Sprint(d.Entry().Name(), " ", d.Left != nil, " ", d.Right != nil))
	}
	equal(t, "differences", lines, "here true false", "other true true", "there false true")
}

func TestCursor(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		`{"updated_at":"2024-01-02T03:04:05Z"}`: "updated_at=2024-01-02T03:04:05Z",
		`{"b":[1, 2],"a":{"x": null}}`:          `a={"x":null}, b=[1,2]`,
		`{"version":2,"state_type":"cursor_based","stream_name":"users","cursor_field":["id"],"cursor":"17"}`: "id=17",
		`"plain"`: "plain", `7`: "7", `{}`: "{}", `[ ]`: "[]",
	} {
		if got := Cursor(json.RawMessage(state)); got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
}
