package sidecar

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sync-sidecar/sidecar/airbyte"
)

// state takes a checkpoint.
func (r *read) state(state *airbyte.State) {
	switch state.Type {
	case airbyte.StateStream:
		s := r.of(state.Stream, "a state")
		if s == nil {
			return
		}
		saved := SavedState{Key: s.key, Stream: s.descriptor, State: orNull(state.StreamState)}
		// A state that comes twice repeats its count, too.
		if s.sinceState > 0 || s.missing.messages > 0 || !bytes.Equal(saved.State, s.lastState) {
			r.compare(s, state.RecordCount)
		}
		s.lastState = append(s.lastState[:0], saved.State...)
		r.keeper.save(r.delivery.ledger.streamState(s.index, saved))
		r.delivery.atState(r.delivery.streams[s.index], r.source.left)
	case airbyte.StateGlobal:
		r.wideState(SavedState{Key: GlobalStateKey, State: bytes.Clone(orNull(state.Global))}, state.RecordCount)
	default:
		r.wideState(SavedState{Key: LegacyStateKey, State: bytes.Clone(orNull(state.Data))}, state.RecordCount)
	}
}

// orNull is a state; an absent one resets, as null does.
func orNull(state json.RawMessage) json.RawMessage {
	if len(state) == 0 {
		return json.RawMessage("null")
	}
	return state
}

// wideState takes a state that covers all streams.
func (r *read) wideState(state SavedState, count float64) {
	repeated := r.sinceWide == 0 && bytes.Equal(state.State, r.lastWide)
	if count >= 0 && int64(count) != r.sinceWide && !repeated {
		r.warn(fmt.Sprintf("the source says that it sent %d rows since its last %s state, %d arrived", int64(count), state.Key, r.sinceWide))
	}
	r.sinceWide, r.lastWide = 0, state.State
	r.keeper.save(r.delivery.ledger.wideState(state))
	for _, s := range r.delivery.streams {
		r.delivery.atState(s, r.source.left)
	}
}

// compare holds the source's count of rows since its last state against ours (I3).
func (r *read) compare(s *streamRead, count float64) {
	arrived, lost := s.sinceState, s.missing
	s.sinceState, s.missing = 0, missing{}
	switch {
	case count < 0:
		s.unproven = s.unproven || s.doubt != ""
	case s.doubt != "" && lost.both():
		s.counted = false
		r.lose(s, s.doubt)
	case int64(count) == arrived:
		s.counted = s.lost == ""
		if !s.unproven {
			s.doubt = ""
		}
	case int64(count) < arrived && lost.states > 0 && lost.rows == 0: // the others were counted by a state that could not be read
	default:
		s.counted = false
		r.lose(s, fmt.Sprintf("the source says that it sent %d rows between two states, %d arrived", int64(count), arrived))
	}
}
