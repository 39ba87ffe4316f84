// Package tally holds what arrived of each stream against what its source says that it sent, and draws the conclusions from lines that did not arrive (I7).
//
// In come rows, states with their counts, and damaged lines; out comes whether rows of a stream are lost, or may be. It is pure; a Stream belongs to one
// goroutine.
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
	lastState []byte  // as the source sent it
	counted   bool    // the source gives counts, and the last one agreed
	unproven  bool    // a state without a count came since the doubt
	lost      string
	doubt     string
}

// missing are messages that did not arrive and may have been of a stream.
type missing struct{ messages, rows, states int }

// Row counts a row that arrived.
func (s *Stream) Row() { s.rows++ }

// Lose notes how rows of the stream were lost; false when some were lost before.
func (s *Stream) Lose(how string) bool {
	if s.lost != "" {
		return false
	}
	s.lost = how
	return true
}

// Lost is how rows of the stream were lost; empty when none are known to be.
func (s *Stream) Lost() string { return s.lost }

// Doubt is how a row of the stream may have been lost; empty when none may. A later count that agrees clears it.
func (s *Stream) Doubt() string { return s.doubt }

// Sound says that no row is known or feared to be lost.
func (s *Stream) Sound() bool { return s.lost == "" && s.doubt == "" }

// Counted says that the source told how many rows it sent, and that all of them arrived so far.
func (s *Stream) Counted() bool { return s.counted && s.doubt == "" }

// Fear notes how a row may have been lost. False when the source counts its rows, so that its next count will tell; else no state of the stream can be
// trusted from here on.
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

// State takes a STATE and the number of rows that its source says it sent since the one before (I3; negative is none), and returns how that shows a loss.
func (s *Stream) State(state []byte, count float64) (lost string) {
	// A state that comes twice repeats its count, too.
	if s.rows > 0 || s.missing.messages > 0 || !bytes.Equal(state, s.lastState) {
		lost = s.compare(count)
	}
	s.lastState = append(s.lastState[:0], state...)
	return lost
}

// compare holds a count against what arrived.
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
	case int64(count) < arrived && absent.states > 0 && absent.rows == 0: // the others were counted by a state that could not be read
	default:
		s.counted = false
		return fmt.Sprintf("the source says that it sent %d rows between two states, %d arrived", int64(count), arrived)
	}
	return ""
}

// both says that a row and a state that counted rows may be missing: then a count that agrees may do so by chance.
func (m missing) both() bool { return m.rows > 0 && m.states > 0 && m.messages > 1 }

// Global is the account of the rows between two GLOBAL or LEGACY states. Its zero value has seen nothing.
type Global struct {
	rows int64
	last []byte
}

// Row counts a row of any stream that arrived.
func (g *Global) Row() { g.rows++ }

// State takes a state, whose bytes it keeps, and a count as Stream.State does, and returns how many rows arrived when that is another number.
func (g *Global) State(state []byte, count float64) (arrived int64, differs bool) {
	arrived = g.rows
	repeated := arrived == 0 && bytes.Equal(state, g.last)
	g.rows, g.last = 0, state
	return arrived, count >= 0 && int64(count) != arrived && !repeated
}
