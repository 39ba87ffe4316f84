package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner/states"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// widestState is how much of a state a table shows.
const widestState = 100

// show prints the saved states.
func (m *stateMode) show() error {
	entries, err := m.selected(m.saved)
	if err != nil {
		return err
	}
	if err := m.tellBehind(); err != nil {
		return err
	}
	if m.cli.String("output") == outputJSON {
		list := make([]stateJSON, len(entries))
		for i, entry := range entries {
			list[i] = m.json(entry, entry.State)
		}
		return m.printJSON(list)
	}
	rows := [][]string{{"stream", "kind", "updated", "cursor"}}
	for _, entry := range entries {
		updated := "?"
		if !entry.SavedAt.IsZero() {
			updated = entry.SavedAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		rows = append(rows, []string{entry.Name(), string(entry.Kind), updated, m.cursor(&entry)})
	}
	return m.printTable(rows)
}

// tellBehind says that the journal and the position of the rows are not the same, as after a run that was killed.
func (m *stateMode) tellBehind() error {
	if len(m.each) < 2 { // places
		return nil
	}
	differences, err := states.Compare(states.Of(m.each[0]), states.Of(m.each[1]))
	if err == nil && len(differences) > 0 && len(m.each[1]) > 0 {
		m.note("%s and %s do not hold the same states: where they differ, the latter count, which were committed together with rows",
			m.places.places[0].name, m.places.places[1].name)
	}
	return err
}

// cursor is the state of an entry for a table, without secrets.
func (m *stateMode) cursor(entry *states.Entry) string { return cut(m.wholeCursor(entry), 0) }

// wholeCursor is cursor in all its length.
func (m *stateMode) wholeCursor(entry *states.Entry) string {
	if entry == nil || sidecar.IsNullState(entry.State) {
		return "-"
	}
	return console.Line(m.masker.Mask(states.Cursor(entry.State)))
}

// cursors are both states of a difference for a table. Of long ones it shows the part that is not the same.
func (m *stateMode) cursors(d states.Difference) (left, right string) {
	left, right = m.wholeCursor(d.Left), m.wholeCursor(d.Right)
	if left == right {
		return cut(left, 0), "differs in a secret, or in what is no text for people"
	}
	same := 0
	for l, r := []rune(left), []rune(right); same < min(len(l), len(r)) && l[same] == r[same]; {
		same++
	}
	const before = 20 // runes that the states share, to know the place by
	if same < widestState-before {
		return cut(left, 0), cut(right, 0)
	}
	return cut(left, same-before), cut(right, same-before)
}

// cut is a text from a rune on, for a table.
func cut(text string, from int) string {
	runes := []rune(text)
	if from = min(from, len(runes)); from > 0 {
		runes = append([]rune("…"), runes[from:]...)
	}
	if len(runes) > widestState {
		return string(runes[:widestState-1]) + "…"
	}
	return string(runes)
}

// stateJSON is an entry for programs.
type stateJSON struct {
	Stream    string            `json:"stream,omitempty"` // none of what is of all streams
	Namespace string            `json:"namespace,omitempty"`
	Kind      airbyte.StateType `json:"kind"`
	UpdatedAt *time.Time        `json:"updated_at,omitempty"`
	State     json.RawMessage   `json:"state"`
}

// differenceJSON is a difference for programs; null is not there.
type differenceJSON struct {
	Stream    string            `json:"stream,omitempty"`
	Namespace string            `json:"namespace,omitempty"`
	Kind      airbyte.StateType `json:"kind"`
	Saved     json.RawMessage   `json:"saved"`
	File      json.RawMessage   `json:"file"`
}

// json is an entry with its state, without secrets.
func (m *stateMode) json(entry states.Entry, state json.RawMessage) stateJSON {
	result := stateJSON{Stream: entry.Stream.Name, Namespace: entry.Stream.Namespace, Kind: entry.Kind, State: m.masked(state)}
	if !entry.SavedAt.IsZero() {
		at := entry.SavedAt.UTC()
		result.UpdatedAt = &at
	}
	return result
}

// masked is a state without its secrets, and JSON all the same.
func (m *stateMode) masked(state json.RawMessage) json.RawMessage {
	if sidecar.IsNullState(state) {
		return json.RawMessage("null")
	}
	if masked := []byte(m.masker.Mask(string(state))); json.Valid(masked) {
		return masked
	}
	return json.RawMessage(`"***"`)
}

func (m *stateMode) printJSON(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	return m.print(text.String())
}

// printTable prints rows in columns.
func (m *stateMode) printTable(rows [][]string) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = console.Line(row[i])
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return m.print(text.String())
}
