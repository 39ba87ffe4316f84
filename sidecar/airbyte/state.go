package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// stateParts says where the members of a `state` object are on the line. They are found during the scan of the line, because some sources send a
// state for every row.
type stateParts struct {
	whole     span
	scope     span // type
	stream    span
	name      span // stream.stream_descriptor.name
	namespace span // stream.stream_descriptor.namespace
	state     span // stream.stream_state
	global    span
	data      span
	count     span // sourceStats.recordCount
}

// scan fills the parts from the value at b[i] within depth objects and returns the index after it, as the skip functions do.
func (p *stateParts) scan(b []byte, i, depth int) int {
	*p = stateParts{whole: span{i: i}}
	return p.whole.end(scanMembers(b, i, depth, p.member))
}

// resume continues a scan that has reached the value of stream_state, at b[i].
func (p *stateParts) resume(b []byte, i, depth int) int {
	i = scanValue(b, i, depth+2, &p.state)
	i = p.stream.end(scanRest(b, i, depth+1, p.streamMember))
	return p.whole.end(scanRest(b, i, depth, p.member))
}

// member scans the value of a member at b[i], within depth objects.
func (p *stateParts) member(b, key []byte, i, depth int) int {
	switch string(key) {
	case "type":
		return scanValue(b, i, depth, &p.scope)
	case "stream":
		p.stream, p.name, p.namespace, p.state = span{i: i}, span{}, span{}, span{}
		return p.stream.end(scanMembers(b, i, depth, p.streamMember))
	case "global":
		return scanValue(b, i, depth, &p.global)
	case "data":
		return scanValue(b, i, depth, &p.data)
	case "sourceStats":
		p.count = span{}
		return scanMembers(b, i, depth, p.statsMember)
	default:
		return skipValue(b, i, depth)
	}
}

func (p *stateParts) streamMember(b, key []byte, i, depth int) int {
	switch string(key) {
	case "stream_descriptor":
		p.name, p.namespace = span{}, span{}
		return scanMembers(b, i, depth, p.descriptorMember)
	case "stream_state":
		return scanValue(b, i, depth, &p.state)
	default:
		return skipValue(b, i, depth)
	}
}

func (p *stateParts) descriptorMember(b, key []byte, i, depth int) int {
	switch string(key) {
	case "name":
		return scanValue(b, i, depth, &p.name)
	case "namespace":
		return scanValue(b, i, depth, &p.namespace)
	default:
		return skipValue(b, i, depth)
	}
}

func (p *stateParts) statsMember(b, key []byte, i, depth int) int {
	if string(key) == "recordCount" {
		return scanValue(b, i, depth, &p.count)
	}
	return skipValue(b, i, depth)
}

// scope is the type of a state in capitals.
func (v value) scope() StateType {
	if string(v.raw()) == `"STREAM"` { // most states, decided without an allocation
		return StateStream
	}
	return StateType(strings.ToUpper(v.text()))
}

// guess is the scope of a state without a type. By the protocol that is LEGACY, but some sources leave the type out of other states too.
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

// decodeState reads a `state` object from a line that was scanned before, such as an entry of a state file.
func decodeState(v value) (*State, error) {
	var p stateParts
	if !v.absent() {
		p.scan(v.line, v.i, 0)
	}
	return p.decode(v.line)
}

// decode makes a State of the parts on line b. The error says which part is missing.
func (p *stateParts) decode(b []byte) (*State, error) {
	if (value{b, p.whole}).kind() != '{' {
		return nil, missing("state")
	}
	s := &State{Type: value{b, p.scope}.scope()}
	if s.Type == "" {
		s.Type = p.guess(b)
	}
	s.RecordCount = p.recordCount(b)
	switch s.Type {
	case StateStream:
		if (value{b, p.name}).kind() != '"' {
			return nil, missing("state.stream.stream_descriptor.name")
		}
		s.Stream = p.descriptor(b)
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

// descriptor names the stream of a STREAM state.
func (p *stateParts) descriptor(b []byte) StreamDescriptor {
	return StreamDescriptor{Name: value{b, p.name}.text(), Namespace: value{b, p.namespace}.text()}
}

// recordCount is sourceStats.recordCount; -1 when the source gave no count.
func (p *stateParts) recordCount(b []byte) float64 {
	count := value{b, p.count}
	if number, isInteger := bytes.CutSuffix(count.raw(), []byte(".0")); isInteger && len(number) == 1 && isDigit(number[0]) {
		return float64(number[0] - '0') // without an allocation: a source that sends a state for every row counts 1.0
	}
	if n, ok := count.number(); ok {
		return n
	}
	return -1
}

// raw is the state itself, as the source sent it, without the scope and the stream's name.
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

// scope names the state in an error.
func (s State) scope() string {
	if s.Type == StateStream {
		return fmt.Sprintf("STREAM %q", s.Stream)
	}
	return string(s.Type)
}
