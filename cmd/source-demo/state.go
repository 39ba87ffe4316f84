package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The states of full refreshes, as the CDK writes them (checkpoint_reader.py, streams/core.py). The first one, given back, makes the next full
// refresh read nothing: whoever keeps states must know not to.
const (
	fullRefreshDone = "__ab_full_refresh_sync_complete"
	noCursorState   = "__ab_no_cursor_state_message"
)

// oddToken is what states carry with the fault odd_states: a NUL and a lone surrogate, which JSON can say and most stores cannot keep.
const oddToken = `"a\u0000b\ud800c"` //nolint:gosec // opens nothing

// savedStates is what --state gives.
type savedStates map[descriptor]json.RawMessage

type streamState struct {
	Descriptor descriptor      `json:"stream_descriptor"`
	State      json.RawMessage `json:"stream_state"`
}

// loadStates reads a state file: an array of STREAM or GLOBAL states, or an object, the data of a LEGACY state, by name of stream.
func loadStates(path string) (savedStates, error) {
	saved := savedStates{}
	if path == "" {
		return saved, nil
	}
	raw, err := readJSON("state", path)
	if err != nil {
		return nil, err
	}
	switch trimmed := bytes.TrimSpace(raw); {
	case len(trimmed) == 0 || string(trimmed) == "null":
		return saved, nil
	case trimmed[0] == '[':
		return saved, saved.addMessages(path, trimmed)
	case trimmed[0] == '{':
		var legacy map[string]json.RawMessage
		if err := json.Unmarshal(trimmed, &legacy); err != nil {
			return nil, fmt.Errorf("state %s: %w", path, err)
		}
		for name, state := range legacy {
			saved[descriptor{Name: name}] = state
		}
		return saved, nil
	}
	return nil, fmt.Errorf("state %s: an array of states, or an object, is expected", path)
}

// addMessages takes the states of an array.
func (s savedStates) addMessages(path string, raw []byte) error {
	var messages []struct {
		Type   string       `json:"type"`
		Stream *streamState `json:"stream"`
		Global *struct {
			StreamStates []streamState `json:"stream_states"`
		} `json:"global"`
	}
	if err := json.Unmarshal(raw, &messages); err != nil {
		return fmt.Errorf("state %s: %w", path, err)
	}
	for n, m := range messages {
		switch {
		case m.Type == stateStream && m.Stream != nil:
			s[m.Stream.Descriptor] = m.Stream.State
		case m.Type == stateGlobal && m.Global != nil:
			for _, one := range m.Global.StreamStates {
				s[one.Descriptor] = one.State
			}
		default:
			return fmt.Errorf("state %s: [%d]: a STREAM state with stream, or a GLOBAL one with global, is expected, not type %q", path, n, m.Type)
		}
	}
	return nil
}

// of is the state of a stream; nil when there is none, or an empty one. LEGACY states know no namespace.
func (s savedStates) of(d descriptor) json.RawMessage {
	state, found := s[d]
	if !found {
		state = s[descriptor{Name: d.Name}]
	}
	if trimmed := string(bytes.TrimSpace(state)); trimmed == "" || trimmed == "null" || trimmed == "{}" {
		return nil
	}
	return state
}

// resume sets where the stream goes on from its state.
func (r *streamRun) resume(state json.RawMessage) error {
	if state == nil || r.job.deviates("state_ignored") {
		return nil
	}
	if r.job.deviates("state_refused") {
		return fmt.Errorf("state of stream %q: this source cannot go on from a state", r.name)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(state, &fields); err != nil {
		return fmt.Errorf("state of stream %q: an object is expected", r.name)
	}
	if token := string(fields["token"]); r.job.config.Faults.OddStates && !strings.EqualFold(token, oddToken) {
		return fmt.Errorf("state of stream %q: token: came back as %s, and was %s", r.name, token, oddToken)
	}
	field := r.cursor
	if !r.incremental {
		if string(fields[fullRefreshDone]) == "true" {
			r.start = r.total
			return nil
		}
		if !r.job.config.Resumable {
			return nil
		}
		field = "position"
	}
	value, found := fields[field]
	if !found {
		return nil // a state of another sync mode or cursor: read everything, as the CDK does
	}
	position, err := r.positionOf(field, value)
	if err != nil {
		return fmt.Errorf("state of stream %q: %s: %w", r.name, field, err)
	}
	r.start, r.state = position, state
	return nil
}

// positionOf is where a stream stands that has seen everything up to the value of a cursor.
func (r *streamRun) positionOf(field string, value json.RawMessage) (int64, error) {
	if field == cursorUpdatedAt {
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return 0, fmt.Errorf("a time is expected, not %s", value)
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return 0, err
		}
		return r.job.data.positionOf(at.UnixMilli()), nil
	}
	var number float64
	if err := json.Unmarshal(value, &number); err != nil || number < 0 || number != float64(int64(number)) {
		return 0, fmt.Errorf("a whole number is expected, not %s", value)
	}
	return min(int64(number), maxPosition), nil
}

// appendState appends what the source would need to go on from here: a JSON object.
func (r *streamRun) appendState(b []byte) []byte {
	if r.position == r.start && r.incremental {
		if r.state == nil {
			return append(b, "{}"...)
		}
		return append(b, r.state...) // nothing new: the cursor stays what it was
	}
	b = append(b, '{')
	if r.job.config.Faults.OddStates {
		b = append(append(b, `"token":`...), oddToken+","...)
	}
	switch {
	case r.incremental && r.cursor == cursorUpdatedAt:
		b = append(appendTime(append(b, `"updated_at":"`...), r.job.data.updatedAt(r.remembered())), `"}`...)
	case r.incremental:
		b = fmt.Appendf(b, `"id":%d}`, r.remembered())
	case !r.atEnd() && !r.job.config.Resumable:
		b = append(bytes.TrimSuffix(b, []byte(",")), '}')
	case !r.atEnd():
		b = fmt.Appendf(b, `"position":%d}`, r.position)
	case r.job.config.Resumable:
		b = append(b, `"`+fullRefreshDone+`":true}`...)
	default:
		b = append(b, `"`+noCursorState+`":true}`...)
	}
	return b
}

// remembered is how far a state says that the stream was read.
func (r *streamRun) remembered() int64 {
	if r.job.deviates("state_ahead") {
		return min(r.position+ahead, r.total)
	}
	return r.position
}

// state appends a STATE message of the configured type, for one stream or for all of them.
func (j *job) state(run *streamRun) error {
	if j.config.NoStates {
		return nil
	}
	b, start, count := j.out.lines, len(j.out.lines), run.sinceState
	switch j.config.StateType {
	case stateGlobal:
		b, count = append(b, `{"type":"STATE","state":{"type":"GLOBAL","global":{`...), j.sinceState
		b = fmt.Appendf(b, `"shared_state":{"lsn":%d},"stream_states":[`, j.positions())
		b = j.appendStates(b, func(b []byte, one *streamRun) []byte {
			return one.appendState(append(append(append(b, `{"stream_descriptor":`...), one.descriptor...), `,"stream_state":`...))
		}, '}')
		b = append(b, "]}"...)
	case stateLegacy: // without a type and without stats, as it was before there were types
		b = append(b, `{"type":"STATE","state":{"data":{`...)
		b = j.appendStates(b, func(b []byte, one *streamRun) []byte {
			return one.appendState(append(append(b, quote(one.name)...), ':'))
		}, 0)
		b = append(b, '}')
	default:
		b = append(append(b, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":`...), run.descriptor...)
		b = append(run.appendState(append(b, `,"stream_state":`...)), '}')
	}
	if !j.config.NoSourceStats && j.config.StateType != stateLegacy {
		b = append(appendFloat(append(b, `,"sourceStats":{"recordCount":`...), float64(count+j.statsError)), '}')
	}
	b = append(b, "}}\n"...)
	if j.config.Faults.RepeatStates {
		b = append(b, b[start:]...)
	}
	j.out.lines = b
	run.sinceState, j.sinceState = 0, 0
	return j.out.spill()
}

// appendStates appends the states of all streams that have one; end closes each, unless it is 0.
func (j *job) appendStates(b []byte, one func([]byte, *streamRun) []byte, end byte) []byte {
	first := true
	for _, run := range j.runs {
		if run.state == nil && run.position == run.start && !run.started {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if b = one(b, run); end != 0 {
			b = append(b, end)
		}
	}
	return b
}

// positions is how far all streams are together: it stands for the log position of a replicating source.
func (j *job) positions() int64 {
	var sum int64
	for _, run := range j.runs {
		sum += run.position
	}
	return sum
}
