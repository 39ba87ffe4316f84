// Package jsonobject takes JSON objects apart into their members and puts them together again. Unlike a map it keeps the order of the members and the
// spelling of their values: a row or a state changes only where something in it was changed.
package jsonobject

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Member is one member of an object.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Split returns the members of an object in their order. A name that occurs twice is in the result twice.
func Split(object []byte) ([]Member, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	} else if start != json.Delim('{') {
		return nil, fmt.Errorf("read object: it begins with %v", start)
	}
	var members []Member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read object: %w", err)
		}
		next := Member{}
		next.Name, _ = name.(string) // the decoder gives nothing else here
		if err := decoder.Decode(&next.Value); err != nil {
			return nil, fmt.Errorf("read member %q: %w", next.Name, err)
		}
		members = append(members, next)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	return members, nil
}

// Join makes an object of members.
func Join(members []Member) ([]byte, error) {
	text := []byte{'{'}
	for i, member := range members {
		name, err := json.Marshal(member.Name)
		if err != nil {
			return nil, fmt.Errorf("encode name %q: %w", member.Name, err)
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, name...), ':'), member.Value...)
	}
	return append(text, '}'), nil
}
