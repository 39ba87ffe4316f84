// Package tally compares what arrived of each stream with what the connector says that it sent (sourceStats of a STATE), and tells what lines that
// did not arrive mean for a stream (I7).
//
// In come rows, states with their counts, and damaged lines; out comes whether rows of a stream are lost, or may be. The package is pure; a Stream
// belongs to one goroutine.
package tally

import (
	"bytes"
	"fmt"

	"sync-sidecar/sidecar/airbyte"
)

// Stream is the account of one stream. Its zero value has seen nothing.
type Stream struct {
	rows      int64   // since its last state
	missing   missing // since its last state
	lastState []byte  // as the connector sent it
	counted   bool    // the connector gives counts, and the last one agreed
	unproven  bool    // a state without a count came since the doubt
	lost      string
	doubt     string
}

// missing are messages that did not arrive and may have been of the stream.
type missing struct{ messages, rows, states int }

// Row counts a row that arrived.
func (s *Stream) Row() { s.rows++ }

// Lose notes how rows of the stream were lost. It is false when others were lost before: the first loss is the one that is told.
func (s *Stream) Lose(how string) bool {
	if s.lost != "" {
		return false
	}
	s.lost = how
	return true
}

// Lost says how rows of the stream were lost; empty when none are known to be.
func (s *Stream) Lost() string { return s.lost }

// Doubt says how a row of the stream may have been lost; empty when there is no reason to think so. A later count that agrees clears it.
func (s *Stream) Doubt() string { return s.doubt }

// Sound says that no row is lost, and none may be.
func (s *Stream) Sound() bool { return s.lost == "" && s.doubt == "" }

// Counted says that the connector told how many rows it sent, and that all of them arrived so far.
func (s *Stream) Counted() bool { return s.counted && s.doubt == "" }

// Fear notes how a row may have been lost. It is false when the connector counts its rows, so that its next count will tell. When it is true, no
// state of the stream can be trusted from here on.
func (s *Stream) Fear(how string) (untrusted bool) {
	if s.doubt == "" {
		s.doubt = how
	}
	return !s.counted
}

// Miss counts a damaged line that may have been of this stream.
func (s *Stream) Miss(d *airbyte.Defect) {
	if d.Lost {
		s.missing.rows++
	}
	if d.State {
		s.missing.states++
	}
	switch {
	case d.Both:
		s.missing.messages += 2
	case d.Lost || d.State:
		s.missing.messages++
	}
}

// State takes a STATE and the number of rows that the connector says it sent since the one before (negative when it says none). It returns how that
// shows a loss; empty when it does not (I3).
func (s *Stream) State(state []byte, count float64) (lost string) {
	// A state that is repeated repeats its count, too.
	if s.rows > 0 || s.missing.messages > 0 || !bytes.Equal(state, s.lastState) {
		lost = s.compare(count)
	}
	s.lastState = append(s.lastState[:0], state...)
	return lost
}

// compare compares a count with what arrived since the last state.
func (s *Stream) compare(count float64) (lost string) {
	arrived, absent := s.rows, s.missing
	s.rows, s.missing = 0, missing{}
	switch {
	case count < 0:
		s.unproven = s.unproven || s.doubt != ""
	case s.doubt != "" && absent.both():
		s.counted = false
		return s.doubt
	case int64(count) == arrived:
		s.counted = s.lost == ""
		if !s.unproven {
			s.doubt = ""
		}
	case int64(count) < arrived && absent.states > 0 && absent.rows == 0: // a state that could not be read counted the others
	default:
		s.counted = false
		return fmt.Sprintf("the connector says that it sent %d rows between two states, %d arrived", int64(count), arrived)
	}
	return ""
}

// both says that a row and a state that counted rows may both be missing: then a count that agrees may agree by chance.
func (m missing) both() bool { return m.rows > 0 && m.states > 0 && m.messages > 1 }

// Global is the account of the rows between two GLOBAL or LEGACY states. Its zero value has seen nothing.
type Global struct {
	rows int64
	last []byte
}

// Row counts a row of any stream that arrived.
func (g *Global) Row() { g.rows++ }

// State takes a state, whose bytes it keeps, and a count as Stream.State does. It returns how many rows arrived, and whether the count is another
// number.
func (g *Global) State(state []byte, count float64) (arrived int64, differs bool) {
	arrived = g.rows
	repeated := arrived == 0 && bytes.Equal(state, g.last)
	g.rows, g.last = 0, state
	return arrived, count >= 0 && int64(count) != arrived && !repeated
}
