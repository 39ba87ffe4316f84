// Package checkpoint holds each state back until every row that it covers is acknowledged (I1).
//
// In come states, each with how many rows of its streams came before it, and acknowledgements; out go the states that may be saved. Since the loads
// of one stream follow each other, what is acknowledged of it are always its first rows: counting them is enough. The package is pure; a Tracker
// belongs to one goroutine, or its owner guards it with a lock.
package checkpoint

import (
	"bytes"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Tracker says when a state may be saved.
type Tracker struct {
	streams []streamTracker
	global  []globalState // and LEGACY ones, oldest first
	passed  int64         // Sequence of the last of them that was let go
	epoch   int64         // grows with each closed batch: two states of one epoch can be saved from the same moment on
}

// streamTracker is the account of one stream.
type streamTracker struct {
	stream airbyte.StreamDescriptor
	acked  sidecar.Position
	frozen bool // rows were lost: no later state of this stream may be saved
	// replacePending says that the table still holds rows which the first load will replace. Until then a state of the stream is held back: after a
	// crash the next run would go on from it, and add to those rows.
	replacePending bool
	// refreshed says that the next run reads the stream from its first row anyway: states of all streams need not wait for it.
	refreshed bool
	states    []streamState
	batches   int64 // closed so far
}

// streamState is a STREAM state that waits for its rows.
type streamState struct {
	needs sidecar.Position
	batch int64 // the batch that was open when it came
	state sidecar.SavedState
}

// ready is the state as it is saved. When a connector sends a state for every row, most are replaced by later ones and never get here.
func (s streamState) ready(stream airbyte.StreamDescriptor) sidecar.SavedState {
	s.state.Covers = map[airbyte.StreamDescriptor]sidecar.Position{stream: s.needs}
	return s.state
}

// globalState is a GLOBAL or LEGACY state that waits for the rows of all streams.
type globalState struct {
	needs  []sidecar.Position // by stream
	epoch  int64
	pinned bool // somebody waits for just this one
	state  sidecar.SavedState
}

// New makes a tracker of streams. Of a stream that is sidecar.ReplaceFirst the table still holds rows which its first load will replace.
func New(streams []sidecar.StreamConfig) *Tracker {
	t := &Tracker{streams: make([]streamTracker, len(streams))}
	for i, stream := range streams {
		t.streams[i].stream = stream.Table.Stream
		t.streams[i].replacePending = stream.Mode == sidecar.ReplaceFirst
	}
	return t
}

// LeaveOut keeps states of all streams from waiting for a stream, or being held back for good when rows of it were lost: no run goes on from a state
// of it.
func (t *Tracker) LeaveOut(stream int) { t.streams[stream].refreshed = true }

// CloseBatch notes that the stream's further rows belong to another load.
func (t *Tracker) CloseBatch(stream int) {
	t.streams[stream].batches++
	t.epoch++
}

// Freeze keeps all later states that cover the stream from being saved: a run that goes on from one would skip rows that never arrived.
func (t *Tracker) Freeze(stream int) { t.streams[stream].frozen = true }

// StreamState takes a STREAM state, before which handed rows of its stream came, and returns it when all of these are acknowledged already. It copies
// the bytes of the state.
func (t *Tracker) StreamState(stream int, handed sidecar.Position, state sidecar.SavedState) (ready []sidecar.SavedState) {
	s := &t.streams[stream]
	if s.frozen {
		return nil
	}
	entry := streamState{needs: handed, batch: s.batches, state: state}
	if last := len(s.states) - 1; last >= 0 && s.states[last].batch == s.batches && (s.acked.Rows < handed.Rows || s.replacePending) {
		entry.state.State = append(s.states[last].state.State[:0], state.State...)
		s.states[last] = entry // the same load acknowledges both: the later one wins
		return nil
	}
	entry.state.State = bytes.Clone(state.State)
	if s.acked.Rows >= handed.Rows && !s.replacePending {
		s.states = s.states[:0]
		return []sidecar.SavedState{entry.ready(s.stream)}
	}
	s.states = append(s.states, entry)
	return nil
}

// GlobalState takes a GLOBAL or LEGACY state and returns it when the rows of all streams that came before it are acknowledged already. handed says
// how many they are. The bytes of the state are the tracker's from then on.
func (t *Tracker) GlobalState(handed func(stream int) sidecar.Position, state sidecar.SavedState) (ready []sidecar.SavedState) {
	if t.anyFrozen() {
		return nil
	}
	var entry *globalState
	if last := len(t.global) - 1; last >= 0 && t.global[last].epoch == t.epoch && t.global[last].state.Key == state.Key {
		entry = &t.global[last]
	} else {
		t.global = append(t.global, globalState{epoch: t.epoch, needs: make([]sidecar.Position, len(t.streams))})
		t.thin()
		entry = &t.global[len(t.global)-1]
	}
	entry.state = state
	for i := range t.streams {
		entry.needs[i] = handed(i)
	}
	return t.globalReady()
}

// Acknowledge counts rows of a stream as durable and returns the states that may be saved now.
func (t *Tracker) Acknowledge(stream int, rows, bytes int64) (ready []sidecar.SavedState) {
	s := &t.streams[stream]
	s.acked.Rows += rows
	s.acked.Bytes += bytes
	s.replacePending = false
	return append(t.streamReady(s), t.globalReady()...)
}

// Due are the states that could be saved now if more rows of the streams, as many as more says, were acknowledged as well.
func (t *Tracker) Due(more func(stream int) int64) (due []sidecar.SavedState) {
	for i := range t.streams {
		s := &t.streams[i]
		if rows := more(i); rows > 0 {
			if done := s.satisfied(s.acked.Rows + rows); done > 0 {
				state := s.states[done-1].ready(s.stream)
				state.State = bytes.Clone(state.State) // it still waits, and a later one may take its place
				due = append(due, state)
			}
		}
	}
	if done := t.globalSatisfied(more); done > 0 {
		due = append(due, t.covering(t.global[done-1]))
	}
	return due
}

// satisfied is how many of the waiting states need no more rows than these.
func (s *streamTracker) satisfied(rows int64) (done int) {
	for done < len(s.states) && s.states[done].needs.Rows <= rows {
		done++
	}
	return done
}

// Empty says that a stream ended well without a row: its table stays as it is. It returns the states that may be saved now.
func (t *Tracker) Empty(stream int) (ready []sidecar.SavedState) {
	s := &t.streams[stream]
	s.replacePending = false
	return t.streamReady(s)
}

// streamReady takes the STREAM states out that wait for nothing more.
func (t *Tracker) streamReady(s *streamTracker) (ready []sidecar.SavedState) {
	if done := s.satisfied(s.acked.Rows); done > 0 {
		ready = append(ready, s.states[done-1].ready(s.stream)) // the latest one replaces the others
		s.states = append(s.states[:0], s.states[done:]...)
	}
	return ready
}

// globalReady takes the GLOBAL and LEGACY states out that wait for nothing more.
func (t *Tracker) globalReady() (ready []sidecar.SavedState) {
	done := t.globalSatisfied(func(int) int64 { return 0 })
	if done == 0 {
		return nil
	}
	entry := t.global[done-1]
	t.passed = entry.state.Sequence
	t.global = slices.Delete(t.global, 0, done)
	return []sidecar.SavedState{t.covering(entry)}
}

// globalSatisfied is how many of the waiting GLOBAL and LEGACY states need no more rows than what is acknowledged and as many more.
func (t *Tracker) globalSatisfied(more func(stream int) int64) (done int) {
	for done < len(t.global) && t.reached(t.global[done].needs, more) {
		done++
	}
	return done
}

// covering is a GLOBAL or LEGACY state as it is saved.
func (t *Tracker) covering(entry globalState) sidecar.SavedState {
	entry.state.Covers = make(map[airbyte.StreamDescriptor]sidecar.Position, len(t.streams))
	for i := range t.streams {
		entry.state.Covers[t.streams[i].stream] = entry.needs[i]
	}
	return entry.state
}

// maxGlobal is how many GLOBAL and LEGACY states may wait, maxGlobalBytes how many bytes all but the newest may take together. They wait for the
// slowest stream, perhaps a full refresh of hours, while other streams close batches; a state of change data capture may hold a database's whole
// schema history.
const (
	maxGlobal      = 32
	maxGlobalBytes = 8 << 20
)

// thin drops every second waiting state when there are too many, but not the newest. All that it costs is that progress is saved a little later.
func (t *Tracker) thin() {
	for before := 0; len(t.global) != before && (len(t.global) > maxGlobal || len(t.global) > 2 && t.globalBytes() > maxGlobalBytes); {
		before = len(t.global)
		at, newest := -1, len(t.global)-1
		t.global = slices.DeleteFunc(t.global, func(state globalState) bool {
			at++
			return at%2 == 1 && at < newest && !state.pinned
		})
	}
}

// globalBytes is how many bytes the waiting GLOBAL and LEGACY states take, but for the newest.
func (t *Tracker) globalBytes() (sum int) {
	for _, state := range t.global[:len(t.global)-1] {
		sum += len(state.state.State)
	}
	return sum
}

// reached says that so many rows of each stream are acknowledged, or will be with as many more.
func (t *Tracker) reached(needs []sidecar.Position, more func(stream int) int64) bool {
	for i := range t.streams {
		if s := &t.streams[i]; !s.refreshed && s.acked.Rows+more(i) < needs[i].Rows {
			return false
		}
	}
	return true
}

// anyFrozen says that rows of some stream were lost which a state of all streams would cover.
func (t *Tracker) anyFrozen() bool {
	for i := range t.streams {
		if t.streams[i].frozen && !t.streams[i].refreshed {
			return true
		}
	}
	return false
}

// Lost says that rows were lost which a state of all streams would cover: none is let go any more.
func (t *Tracker) Lost() bool { return t.anyFrozen() }

// Pin keeps the newest GLOBAL or LEGACY state until it is let go, however many later ones wait: rows are committed together with just this one.
func (t *Tracker) Pin() {
	if last := len(t.global) - 1; last >= 0 {
		t.global[last].pinned = true
	}
}

// Passed says that the GLOBAL or LEGACY state which came as the sequence-th of all states was let go, or a later one.
func (t *Tracker) Passed(sequence int64) bool { return t.passed >= sequence }

// Waiting says how many states are held back.
func (t *Tracker) Waiting() int {
	n := len(t.global)
	for i := range t.streams {
		n += len(t.streams[i].states)
	}
	return n
}
