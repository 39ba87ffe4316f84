// Package states is about what is saved of a sync, for a person who looks at it and changes it between two runs: the states one by one, which of
// them a choice of streams means, what a reset or an import does to them, what a state file holds of them, and where two sets of states differ. It is
// pure.
package states

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Entry is what is saved of one stream, or of all of them together.
type Entry struct {
	Stream  airbyte.StreamDescriptor // empty where All
	All     bool                     // what a GLOBAL state shares, or a LEGACY state
	Kind    airbyte.StateType
	SavedAt time.Time // zero where that is not known
	State   json.RawMessage
}

// Name is what people call the entry.
func (e Entry) Name() string {
	if e.All {
		return "(all streams)"
	}
	return e.Stream.String()
}

// Of are the entries of saved states: a GLOBAL state is one for what it shares and one for each of its streams. They are sorted: by kind, then what
// is of all streams, then by name.
func Of(saved []sidecar.SavedState) []Entry {
	var entries []Entry
	for _, state := range saved {
		switch {
		case sidecar.IsNullState(state.State):
		case state.Key == sidecar.GlobalStateKey:
			entries = append(entries, ofGlobal(state)...)
		case state.Key == sidecar.LegacyStateKey:
			entries = append(entries, Entry{All: true, Kind: airbyte.StateLegacy, SavedAt: state.SavedAt, State: state.State})
		default:
			entries = append(entries, Entry{Stream: state.Stream, Kind: airbyte.StateStream, SavedAt: state.SavedAt, State: state.State})
		}
	}
	kinds := []airbyte.StateType{airbyte.StateStream, airbyte.StateGlobal, airbyte.StateLegacy}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if a.All != b.All && a.Kind == b.Kind {
			return map[bool]int{true: -1, false: 1}[a.All]
		}
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Stream.String(), b.Stream.String()))
	})
	return entries
}

// ofGlobal are the entries of a GLOBAL state.
func ofGlobal(state sidecar.SavedState) []Entry {
	all := Entry{All: true, Kind: airbyte.StateGlobal, SavedAt: state.SavedAt, State: state.State}
	global, known := parseGlobal(state.State)
	if !known { // a state is a black box
		return []Entry{all}
	}
	all.State = global.Shared
	entries := []Entry{all}
	for _, stream := range global.Streams {
		entries = append(entries, Entry{Stream: stream.Stream, Kind: airbyte.StateGlobal, SavedAt: state.SavedAt, State: stream.State})
	}
	return entries
}

// global is the content of a GLOBAL state (AirbyteGlobalState of the protocol).
type global struct {
	Shared  json.RawMessage `json:"shared_state"`
	Streams []globalStream  `json:"stream_states"`
}

type globalStream struct {
	Stream airbyte.StreamDescriptor `json:"stream_descriptor"`
	State  json.RawMessage          `json:"stream_state"`
}

// parseGlobal reads a GLOBAL state; false when it is of a shape of its own.
func parseGlobal(state json.RawMessage) (parsed global, known bool) {
	err := json.Unmarshal(state, &parsed)
	return parsed, err == nil && (parsed.Shared != nil || parsed.Streams != nil)
}

// Selection are names of streams, or patterns (runner.Names); without any all are meant.
type Selection []string

// takes says that the selection means a stream.
func (s Selection) takes(stream airbyte.StreamDescriptor) bool {
	return len(s) == 0 || slices.ContainsFunc(s, func(name string) bool { return runner.Names(name, stream) })
}

// Selected are the entries of the streams that a selection means. What is of all streams is left out where something is selected. An error names the
// parts of the selection that mean nothing here.
func Selected(entries []Entry, selection Selection) ([]Entry, error) {
	if len(selection) == 0 {
		return entries, nil
	}
	var unknown []string
	for _, pattern := range selection {
		if !slices.ContainsFunc(entries, func(e Entry) bool { return !e.All && runner.Names(pattern, e.Stream) }) {
			unknown = append(unknown, fmt.Sprintf("%q", pattern))
		}
	}
	if len(unknown) > 0 {
		return nil, &NoneError{What: strings.Join(unknown, ", "), Known: names(entries)}
	}
	return Among(entries, selection), nil
}

// Among is Selected for entries that may lack some of what is selected.
func Among(entries []Entry, selection Selection) []Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return len(selection) > 0 && (e.All || !selection.takes(e.Stream)) })
}

// NoneError says that no state is saved of what was asked for.
type NoneError struct {
	What  string   // the streams, quoted
	Known []string // what there is
}

// Error names what there is, up to a few.
func (e *NoneError) Error() string {
	if len(e.Known) == 0 {
		return "no state of " + e.What
	}
	return fmt.Sprintf("no state of %s: there are those of %s", e.What, Brief(e.Known))
}

// names of entries, each once.
func names(entries []Entry) []string {
	list := make([]string, len(entries))
	for i, entry := range entries {
		list[i] = entry.Name()
	}
	return slices.Compact(list)
}

// Brief is a list for a line: the first of its parts, and how many more there are.
func Brief(list []string) string {
	const most = 10
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// Cursor is a state in one line, for people: its members, and of the form that Airbyte's database connectors share (DbStreamState of
// source-relational-db) the cursor alone.
func Cursor(state json.RawMessage) string {
	var db struct {
		Field  []string `json:"cursor_field"`
		Cursor *string  `json:"cursor"`
	}
	if json.Unmarshal(state, &db) == nil && db.Cursor != nil && len(db.Field) > 0 {
		return strings.Join(db.Field, ".") + "=" + *db.Cursor
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(state, &members) != nil || len(members) == 0 {
		return line(state)
	}
	parts := make([]string, 0, len(members))
	for name, value := range members {
		parts = append(parts, name+"="+line(value))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// line is a JSON value in one line; a text without its quotes.
func line(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && !sidecar.IsNullState(value) {
		return text
	}
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return string(value)
	}
	return compact.String()
}
