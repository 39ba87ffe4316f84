package airbyte

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// stateParts are the members of a state. Some sources send one for every row, so they are found in one pass.
type stateParts struct {
	scope      string
	stream     value // an object, or absent
	descriptor value
	state      value // stream_state
	global     value
	data       value
	count      value // sourceStats.recordCount
}

func (p *stateParts) read(state value) {
	for key, member := range state.members() {
		switch string(key) {
		case "type":
			p.scope = strings.ToUpper(member.text())
		case "stream":
			p.readStream(member)
		case "global":
			p.global = member
		case "data":
			p.data = member
		case "sourceStats":
			p.count = member.member("recordCount")
		}
	}
}

func (p *stateParts) readStream(stream value) {
	p.stream, p.descriptor, p.state = stream, value{}, value{}
	for key, member := range stream.members() {
		switch string(key) {
		case "stream_descriptor":
			p.descriptor = member
		case "stream_state":
			p.state = member
		}
	}
}

// guess is the scope of a state without a type: LEGACY by the protocol, but some sources leave it out of the others too.
func (p *stateParts) guess() StateType {
	switch {
	case !p.data.absent():
		return StateLegacy
	case p.stream.kind() == '{':
		return StateStream
	case p.global.kind() == '{':
		return StateGlobal
	default:
		return ""
	}
}

// decodeState reads the `state` object of a message, or an entry of a state file.
func decodeState(v value) (*State, error) {
	if v.kind() != '{' {
		return nil, missing("state")
	}
	var p stateParts
	p.read(v)
	s := &State{Type: StateType(p.scope), RecordCount: -1}
	if s.Type == "" {
		s.Type = p.guess()
	}
	if n, ok := p.count.number(); ok {
		s.RecordCount = n
	}
	switch s.Type {
	case StateStream:
		known := false
		if s.Stream, known = p.descriptor.descriptor(); !known {
			return nil, missing("state.stream.stream_descriptor.name")
		}
		s.StreamState = p.state.raw()
	case StateGlobal:
		if p.global.kind() != '{' {
			return nil, missing("state.global")
		}
		s.Global = p.global.raw()
	case StateLegacy:
		if p.data.absent() {
			return nil, missing("state.data")
		}
		s.Data = p.data.raw()
	case "":
		return nil, errors.New("neither state.type nor state.data is there")
	default:
		return nil, fmt.Errorf("state.type %q is unknown", name(string(s.Type)))
	}
	return s, nil
}

// raw is what the source gave as the state.
func (s State) raw() json.RawMessage {
	switch s.Type {
	case StateStream:
		return s.StreamState
	case StateGlobal:
		return s.Global
	default:
		return s.Data
	}
}

// scope names the state in messages.
func (s State) scope() string {
	if s.Type == StateStream {
		return fmt.Sprintf("STREAM %q", s.Stream)
	}
	return string(s.Type)
}
