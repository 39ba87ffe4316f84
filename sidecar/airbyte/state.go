package airbyte

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// stateParts is where the members of a `state` object are on its line. Some sources send a state for every row, so they are found while the line is
// scanned.
type stateParts struct {
	whole     span
	scope     span // type
	stream    span
	name      span // of the stream's descriptor; so the next
	namespace span
	state     span // stream_state
	global    span
	data      span
	count     span // sourceStats.recordCount
}

// scan fills the parts from the value at b[i] within depth objects and returns the index after it, as the skip functions do.
func (p *stateParts) scan(b []byte, i, depth int) int {
	*p = stateParts{}
	end := scanMembers(b, i, depth, func(key []byte, at int) int {
		switch string(key) {
		case "type":
			return scanValue(b, at, depth+1, &p.scope)
		case "stream":
			return p.scanStream(b, at, depth+1)
		case "global":
			return scanValue(b, at, depth+1, &p.global)
		case "data":
			return scanValue(b, at, depth+1, &p.data)
		case "sourceStats":
			return p.scanStats(b, at, depth+1)
		default:
			return skipValue(b, at, depth+1)
		}
	})
	if end > 0 {
		p.whole = span{i, end}
	}
	return end
}

func (p *stateParts) scanStream(b []byte, i, depth int) int {
	p.stream, p.name, p.namespace, p.state = span{}, span{}, span{}, span{}
	end := scanMembers(b, i, depth, func(key []byte, at int) int {
		switch string(key) {
		case "stream_descriptor":
			return p.scanDescriptor(b, at, depth+1)
		case "stream_state":
			return scanValue(b, at, depth+1, &p.state)
		default:
			return skipValue(b, at, depth+1)
		}
	})
	if end > 0 {
		p.stream = span{i, end}
	}
	return end
}

func (p *stateParts) scanDescriptor(b []byte, i, depth int) int {
	p.name, p.namespace = span{}, span{}
	return scanMembers(b, i, depth, func(key []byte, at int) int {
		switch string(key) {
		case "name":
			return scanValue(b, at, depth+1, &p.name)
		case "namespace":
			return scanValue(b, at, depth+1, &p.namespace)
		default:
			return skipValue(b, at, depth+1)
		}
	})
}

func (p *stateParts) scanStats(b []byte, i, depth int) int {
	p.count = span{}
	return scanMembers(b, i, depth, func(key []byte, at int) int {
		if string(key) == "recordCount" {
			return scanValue(b, at, depth+1, &p.count)
		}
		return skipValue(b, at, depth+1)
	})
}

// scope is the type of a state in capitals.
func (v value) scope() StateType {
	if string(v.raw()) == `"STREAM"` { // nearly always
		return StateStream
	}
	return StateType(strings.ToUpper(v.text()))
}

// guess is the scope of a state without a type: LEGACY by the protocol, but some sources leave it out of the others too.
func (p *stateParts) guess(b []byte) StateType {
	switch {
	case !p.data.absent():
		return StateLegacy
	case value{b, p.stream}.kind() == '{':
		return StateStream
	case value{b, p.global}.kind() == '{':
		return StateGlobal
	default:
		return ""
	}
}

// decodeState reads a `state` object that was already scanned, such as an entry of a state file.
func decodeState(v value) (*State, error) {
	var p stateParts
	if !v.absent() {
		p.scan(v.line, v.i, 0)
	}
	return p.decode(v.line)
}

// decode makes the state of the parts on line b.
func (p *stateParts) decode(b []byte) (*State, error) {
	if (value{b, p.whole}).kind() != '{' {
		return nil, missing("state")
	}
	s := &State{Type: value{b, p.scope}.scope(), RecordCount: -1}
	if s.Type == "" {
		s.Type = p.guess(b)
	}
	if n, ok := (value{b, p.count}).number(); ok {
		s.RecordCount = n
	}
	switch s.Type {
	case StateStream:
		stream := value{b, p.name}
		if stream.kind() != '"' {
			return nil, missing("state.stream.stream_descriptor.name")
		}
		s.Stream = StreamDescriptor{Name: stream.text(), Namespace: value{b, p.namespace}.text()}
		s.StreamState = value{b, p.state}.raw()
	case StateGlobal:
		if (value{b, p.global}).kind() != '{' {
			return nil, missing("state.global")
		}
		s.Global = value{b, p.global}.raw()
	case StateLegacy:
		if p.data.absent() {
			return nil, missing("state.data")
		}
		s.Data = value{b, p.data}.raw()
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
