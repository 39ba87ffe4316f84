package sidecar

import (
	"bytes"
	"slices"

	"sync-sidecar/sidecar/airbyte"
)

// ledger enforces I1: it holds each state back until every row that the state covers is acknowledged. It is pure bookkeeping over counts: per
// stream how many rows were handed over and how many are acknowledged, always a prefix, since loads of one stream follow each other.
type ledger struct {
	streams []streamLedger
	wide    []wideState // GLOBAL and LEGACY, oldest first
	epoch   int64       // rises with each closed batch: two states of one epoch become saveable at the same moment
}

// streamLedger is the account of one stream.
type streamLedger struct {
	stream airbyte.StreamDescriptor
	handed Position
	acked  Position
	frozen bool // rows were lost: no later state of this stream may be saved
	// stale says that the table holds rows that the first load replaces. Until it has, a state of the stream is held back: the run after a crash would
	// go on from it, and add to those rows.
	stale   bool
	states  []streamState
	batches int64 // closed so far
}

// streamState is a STREAM state that waits for its rows.
type streamState struct {
	needs Position
	batch int64 // the batch that was open when it came
	state SavedState
}

// ready is the state as it is saved. Of most that a source sends for every row it is never asked.
func (s streamState) ready(stream airbyte.StreamDescriptor) SavedState {
	s.state.Covers = map[airbyte.StreamDescriptor]Position{stream: s.needs}
	return s.state
}

// wideState is a GLOBAL or LEGACY state that waits for the rows of all streams.
type wideState struct {
	needs []Position // by stream
	epoch int64
	state SavedState
}

func newLedger(streams []airbyte.StreamDescriptor) *ledger {
	l := &ledger{streams: make([]streamLedger, len(streams))}
	for i, stream := range streams {
		l.streams[i].stream = stream
	}
	return l
}

// handOver counts a row of a stream that goes to the destination.
func (l *ledger) handOver(stream int, bytes int64) {
	s := &l.streams[stream]
	s.handed.Rows++
	s.handed.Bytes += bytes
}

// closeBatch notes that later rows of the stream belong to another load.
func (l *ledger) closeBatch(stream int) {
	l.streams[stream].batches++
	l.epoch++
}

// freeze keeps all later states that cover the stream from being saved: a resume from one would skip rows that never arrived.
func (l *ledger) freeze(stream int) { l.streams[stream].frozen = true }

// streamState takes a STREAM state and returns it when its rows are all acknowledged already. The bytes of the state are the caller's again
// afterwards.
func (l *ledger) streamState(stream int, state SavedState) (ready []SavedState) {
	s := &l.streams[stream]
	if s.frozen {
		return nil
	}
	entry := streamState{needs: s.handed, batch: s.batches, state: state}
	if last := len(s.states) - 1; last >= 0 && s.states[last].batch == s.batches && (s.acked.Rows < s.handed.Rows || s.stale) {
		entry.state.State = append(s.states[last].state.State[:0], state.State...)
		s.states[last] = entry // the same load acknowledges both: the later one wins
		return nil
	}
	entry.state.State = bytes.Clone(state.State)
	if s.acked.Rows >= s.handed.Rows && !s.stale {
		s.states = s.states[:0]
		return []SavedState{entry.ready(s.stream)}
	}
	s.states = append(s.states, entry)
	return nil
}

// wideState takes a GLOBAL or LEGACY state and returns it when all rows are acknowledged already.
func (l *ledger) wideState(state SavedState) (ready []SavedState) {
	if l.anyFrozen() {
		return nil
	}
	var entry *wideState
	if last := len(l.wide) - 1; last >= 0 && l.wide[last].epoch == l.epoch && l.wide[last].state.Key == state.Key {
		entry = &l.wide[last]
	} else {
		l.wide = append(l.wide, wideState{epoch: l.epoch, needs: make([]Position, len(l.streams))})
		l.thin()
		entry = &l.wide[len(l.wide)-1]
	}
	entry.state = state
	for i := range l.streams {
		entry.needs[i] = l.streams[i].handed
	}
	return l.wideReady()
}

// acknowledge counts rows of a stream as durable and returns the states that may be saved now, in the order in which the source sent them.
func (l *ledger) acknowledge(stream int, rows, bytes int64) (ready []SavedState) {
	s := &l.streams[stream]
	s.acked.Rows += rows
	s.acked.Bytes += bytes
	s.stale = false
	return append(l.streamReady(s), l.wideReady()...)
}

// empty says that a stream ended well without a row: its table stays as it is, and so its states may be saved.
func (l *ledger) empty(stream int) (ready []SavedState) {
	s := &l.streams[stream]
	s.stale = false
	return l.streamReady(s)
}

// streamReady takes the STREAM states out that wait for nothing more.
func (l *ledger) streamReady(s *streamLedger) (ready []SavedState) {
	done := 0
	for done < len(s.states) && s.states[done].needs.Rows <= s.acked.Rows {
		done++
	}
	if done > 0 {
		ready = append(ready, s.states[done-1].ready(s.stream)) // a later state subsumes the earlier ones
		s.states = append(s.states[:0], s.states[done:]...)
	}
	return ready
}

// wideReady takes the GLOBAL and LEGACY states out that wait for nothing more.
func (l *ledger) wideReady() (ready []SavedState) {
	done := 0
	for done < len(l.wide) && l.satisfied(l.wide[done].needs) {
		done++
	}
	if done == 0 {
		return nil
	}
	entry := l.wide[done-1]
	entry.state.Covers = make(map[airbyte.StreamDescriptor]Position, len(l.streams))
	for i := range l.streams {
		entry.state.Covers[l.streams[i].stream] = entry.needs[i]
	}
	l.wide = slices.Delete(l.wide, 0, done)
	return []SavedState{entry.state}
}

// mostWide is how many GLOBAL and LEGACY states may wait, mostWideBytes is what they may take together beside the newest. They wait for the slowest
// stream, a full refresh of hours perhaps, while other streams close batches; those of a database's log may hold its whole schema history.
const (
	mostWide      = 32
	mostWideBytes = 8 << 20
)

// thin drops every second waiting state when there are too many. The newest stays. Nothing is lost by it but the chance to save a little earlier.
func (l *ledger) thin() {
	for len(l.wide) > mostWide || len(l.wide) > 2 && l.wideBytes() > mostWideBytes {
		at, newest := -1, len(l.wide)-1
		l.wide = slices.DeleteFunc(l.wide, func(wideState) bool {
			at++
			return at%2 == 1 && at < newest
		})
	}
}

// wideBytes is what the waiting GLOBAL and LEGACY states take beside the newest.
func (l *ledger) wideBytes() (sum int) {
	for _, wide := range l.wide[:len(l.wide)-1] {
		sum += len(wide.state.State)
	}
	return sum
}

func (l *ledger) satisfied(needs []Position) bool {
	for i := range l.streams {
		if l.streams[i].acked.Rows < needs[i].Rows {
			return false
		}
	}
	return true
}

func (l *ledger) anyFrozen() bool {
	for i := range l.streams {
		if l.streams[i].frozen {
			return true
		}
	}
	return false
}

// waiting says how many states are held back.
func (l *ledger) waiting() int {
	n := len(l.wide)
	for i := range l.streams {
		n += len(l.streams[i].states)
	}
	return n
}
