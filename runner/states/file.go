package states

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/canonical"
	"sync-sidecar/sidecar/mapping"
)

// Export is what a state file (airbyte.FormatStateFile) holds of saved states: one kind of them, which a connector keeps to, in the order in which
// the next read would choose (mapping.StatesForConnector). The notes say what is left out.
func Export(saved []sidecar.SavedState, selection Selection) (states []airbyte.State, notes []string, err error) {
	var streams []sidecar.SavedState
	byKey := map[string]sidecar.SavedState{}
	for _, state := range saved {
		switch byKey[state.Key] = state; {
		case sidecar.IsNullState(state.State):
			delete(byKey, state.Key)
		case sidecar.OfAllStreams(state.Key):
		case mapping.OfFullRefresh(state.State):
			notes = append(notes, fmt.Sprintf("stream %q: its state only says that a full refresh is complete, and is left out: "+
				"the next read would not go on from it", state.Key))
		default:
			streams = append(streams, state)
		}
	}
	_, global := byKey[sidecar.GlobalStateKey]
	_, legacy := byKey[sidecar.LegacyStateKey]
	if len(streams) > 0 {
		if global || legacy {
			notes = append(notes, "a state of all streams is saved, too: it is left out, since the next read goes on from the states of the streams")
		}
		selected, err := Selected(Of(streams), selection)
		if err != nil {
			return nil, nil, err
		}
		for _, entry := range selected {
			states = append(states, airbyte.State{Type: airbyte.StateStream, Stream: entry.Stream, StreamState: entry.State, RecordCount: -1})
		}
		return states, notes, nil
	}
	if len(selection) > 0 && (global || legacy) {
		return nil, nil, errors.New("the state is one of all streams: it can only be exported as a whole (without --streams)")
	}
	switch {
	case global:
		state, err := compact(byKey[sidecar.GlobalStateKey].State)
		return []airbyte.State{{Type: airbyte.StateGlobal, Global: state, RecordCount: -1}}, notes, err
	case legacy:
		state, err := compact(byKey[sidecar.LegacyStateKey].State)
		return []airbyte.State{{Type: airbyte.StateLegacy, Data: state, RecordCount: -1}}, notes, err
	}
	return nil, notes, nil
}

// FromLines are the states of a connector's output that was kept, one message a line: the last of each stream, or of all. False when the text is
// something else, also one document that has lines.
func FromLines(output []byte) (states []airbyte.State, are bool) {
	if json.Valid(output) {
		return nil, false
	}
	last := map[string]int{} // by key
	for line := range bytes.Lines(output) {
		var message struct {
			Type  airbyte.Type    `json:"type"`
			State json.RawMessage `json:"state"`
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if json.Unmarshal(line, &message) != nil || message.Type == "" {
			return nil, false
		}
		if message.Type != airbyte.TypeState || len(message.State) == 0 {
			continue
		}
		found, err := airbyte.ParseStateFile(line)
		if err != nil || len(found) != 1 {
			return nil, false
		}
		key := mapping.GivenStates(found)[0].Key
		if at, known := last[key]; known {
			states[at] = found[0]
			continue
		}
		last[key] = len(states)
		states = append(states, found[0])
	}
	return states, len(states) > 0
}

// compact is a state without the line feeds that a folder adds for people.
func compact(state json.RawMessage) (json.RawMessage, error) {
	var text bytes.Buffer
	if err := json.Compact(&text, state); err != nil {
		return nil, fmt.Errorf("the saved state: %w", err)
	}
	return text.Bytes(), nil
}

// Difference is an entry that is not the same on both sides; the one that is nil is not there.
type Difference struct{ Left, Right *Entry }

// Entry is one of both, for what they share: stream and kind.
func (d Difference) Entry() Entry {
	if d.Left != nil {
		return *d.Left
	}
	return *d.Right
}

// Compare finds the entries that differ in what they mean, in the order of Of. JSON that is only spelled in another way is the same.
func Compare(left, right []Entry) ([]Difference, error) {
	others := make(map[entryKey]*Entry, len(right))
	for i := range right {
		others[right[i].key()] = &right[i]
	}
	var differences []Difference
	for i := range left {
		other := others[left[i].key()]
		if other == nil {
			differences = append(differences, Difference{Left: &left[i]})
			continue
		}
		delete(others, left[i].key())
		same, err := sameState(left[i].State, other.State)
		if err != nil {
			return nil, fmt.Errorf("the state of %s: %w", left[i].Name(), err)
		}
		if !same {
			differences = append(differences, Difference{Left: &left[i], Right: other})
		}
	}
	for i := range right {
		if others[right[i].key()] != nil {
			differences = append(differences, Difference{Right: &right[i]})
		}
	}
	return differences, nil
}

// entryKey tells what an entry is of. A journal may know namespace and name only as one text.
type entryKey struct {
	all    bool
	kind   airbyte.StateType
	stream string
}

func (e Entry) key() entryKey { return entryKey{e.All, e.Kind, e.Stream.String()} }

func sameState(a, b json.RawMessage) (bool, error) {
	left, err := canonical.JSON(a)
	if err != nil {
		return false, err
	}
	right, err := canonical.JSON(b)
	return bytes.Equal(left, right), err
}
