package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ParseStateFile reads a file for --state, or a state that was exported from elsewhere. It takes an array of STREAM, GLOBAL or LEGACY states, each
// bare or as a whole STATE message, or one such state. Any other object is the data of a LEGACY state. An empty file, `{}`, `[]` and `null` hold no
// state.
func ParseStateFile(file []byte) ([]State, error) {
	if len(bytes.TrimSpace(file)) == 0 {
		return nil, nil
	}
	var valid json.RawMessage
	if err := json.Unmarshal(file, &valid); err != nil {
		return nil, fmt.Errorf("state is not JSON: %w", located(file, err))
	}
	// In valid JSON a line feed can only be white space. The scanner would take it for the end of the line.
	v := valueOf(pad(bytes.ReplaceAll(bytes.ToValidUTF8(valid, []byte("\uFFFD")), []byte{'\n'}, []byte{' '})), 0)
	switch v.kind() {
	case '[':
		return stateList(v)
	case '{':
		return stateObject(v)
	case 'n':
		return nil, nil
	default:
		return nil, errors.New("state is neither an array nor an object")
	}
}

// stateList reads the entries of the array form.
func stateList(list value) ([]State, error) {
	var states []State
	for entry := range list.elements() {
		state := entry
		if inner := entry.member("state"); inner.kind() == '{' && Type(entry.member("type").text()) == TypeState {
			state = inner
		}
		s, err := decodeState(state)
		if err != nil {
			return nil, fmt.Errorf("state entry %d: %w", len(states), err)
		}
		states = append(states, *s)
	}
	return states, nil
}

// stateObject reads a file that is one object: a STATE message, a state, or the data of a LEGACY state.
func stateObject(object value) ([]State, error) {
	if object.line[skipSpace(object.line, object.i+1)] == '}' {
		return nil, nil
	}
	if Type(object.member("type").text()) == TypeState && object.member("state").kind() == '{' {
		object = object.member("state")
	}
	switch StateType(object.member("type").text()) {
	case StateStream, StateGlobal, StateLegacy:
		s, err := decodeState(object)
		if err != nil {
			return nil, err
		}
		return []State{*s}, nil
	default:
		return []State{{Type: StateLegacy, Data: object.raw(), RecordCount: -1}}, nil
	}
}

// FormatStateFile writes the file for --state: an array of STREAM states, an array of one GLOBAL state, or the bare data of one LEGACY state. It
// writes each state as the source sent it, and leaves out resets (null states), which mean the same as no state. The error names states whose
// scopes do not go together, or a state that is not JSON.
func FormatStateFile(states []State) ([]byte, error) {
	var kept []State
	for _, s := range states {
		if raw := s.raw(); len(raw) > 0 && string(raw) != "null" {
			kept = append(kept, s)
		}
	}
	if len(kept) == 0 {
		return []byte("[]"), nil
	}
	if kept[0].Type == StateLegacy && len(kept) == 1 {
		return bytes.Clone(kept[0].Data), nil
	}
	var file bytes.Buffer // written by hand, because an encoder would rewrite the raw states
	for i, s := range kept {
		if s.Type != kept[0].Type || s.Type != StateStream && len(kept) > 1 {
			return nil, fmt.Errorf("states of %s and %s do not go together: reset the state, or remove one of them", kept[0].scope(), s.scope())
		}
		if !json.Valid(s.raw()) {
			return nil, fmt.Errorf("state of %s is not JSON: reset it", s.scope())
		}
		file.WriteByte("[,"[min(i, 1)])
		if err := s.writeEntry(&file); err != nil {
			return nil, err
		}
	}
	file.WriteByte(']')
	return file.Bytes(), nil
}

// writeEntry writes the state as an element of the array form.
func (s State) writeEntry(file *bytes.Buffer) error {
	if s.Type == StateGlobal {
		fmt.Fprintf(file, `{"type":"GLOBAL","global":%s}`, s.Global)
		return nil
	}
	descriptor, err := json.Marshal(s.Stream)
	if err != nil {
		return fmt.Errorf("encode descriptor of %s: %w", s.scope(), err)
	}
	fmt.Fprintf(file, `{"type":"STREAM","stream":{"stream_descriptor":%s,"stream_state":%s}}`, descriptor, s.StreamState)
	return nil
}
