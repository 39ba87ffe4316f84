package loader

import (
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/spool"
)

// waitingBatches is how many closed batches of a stream there may be, with the one that is being loaded, before the connector has to wait: the pipe
// is the back-pressure.
const waitingBatches = 2

// wholeShare is how many bytes a full refresh may hold in memory: it holds them until its end, so that memory is better used for batches.
const wholeShare = 1 << 20

// Row takes one row of a stream, with extra members (spool.Spool.Add). It may block until there is room. Rows of a stream that has failed are
// dropped: no state that covers them is saved. The appender's.
func (l *Loader) Row(index int, data, extra []byte) {
	s := l.streams[index]
	if s.failed.Load() {
		l.drop(s)
		return
	}
	b := s.open
	if b == nil {
		b = l.openBatch(s)
	}
	size, err := b.spool.Add(data, extra)
	if spool.NoSpace(err) {
		err = l.withRoom(func() (err error) {
			size, err = b.spool.Add(data, extra)
			return err
		})
	}
	if err != nil {
		l.failToSpool(s, err)
		return
	}
	s.handed.Rows++
	s.handed.Bytes += size
	b.rows++
	b.bytes += size
	if s.cursor != "" {
		b.order.Follow(data, s.cursor)
	}
	switch full := l.full(s, b); {
	case b.live:
	case s.exact:
		if full {
			l.goLive(s, b)
		}
	case full:
		l.closeBatch(s)
		l.awaitRoom(s)
	default:
		l.relieve(s, b, size)
	}
}

// full says that a batch is large enough to be loaded.
func (l *Loader) full(s *stream, b *batch) bool {
	limit := l.config.Batch
	if !s.working.Load() {
		limit.Rows, limit.Bytes = limit.Rows/8, limit.Bytes/8
	}
	return b.rows >= limit.Rows || b.bytes >= limit.Bytes
}

// StreamState takes a STREAM state, whose bytes it copies. The appender's.
func (l *Loader) StreamState(index int, state sidecar.SavedState, now time.Time) {
	s := l.streams[index]
	l.sequence++
	state.Sequence = l.sequence
	l.mu.Lock()
	order, ready := l.letGo(l.tracker.StreamState(index, s.handed, state))
	l.mu.Unlock()
	l.saveable(order, ready)
	if s.config.Incremental && l.kind == noState {
		l.kind = ofStreams
	}
	l.atState(s, now)
}

// GlobalState takes a GLOBAL or LEGACY state, whose bytes it keeps. The appender's.
func (l *Loader) GlobalState(state sidecar.SavedState, now time.Time) {
	l.sequence++
	state.Sequence, l.covering, l.kind = l.sequence, l.sequence, ofAll
	l.mu.Lock()
	order, ready := l.letGo(l.tracker.GlobalState(l.handed, state))
	l.mu.Unlock()
	l.saveable(order, ready)
	l.atStateOfAll(now)
	for _, s := range l.streams {
		l.atState(s, now)
	}
}

// beforeAll is the Sequence of what Forget lets go: before that of any state that the connector sends.
const beforeAll = 1

// Forget lets `null` take the place of an earlier run's state at once: it covers no rows. States of this run that came before, and wait for their
// rows, still take its place. The appender's.
func (l *Loader) Forget(state sidecar.SavedState) {
	state.Sequence = beforeAll
	l.mu.Lock()
	order, ready := l.letGo([]sidecar.SavedState{state})
	l.mu.Unlock()
	l.saveable(order, ready)
}

// handed is how much of a stream is in batches.
func (l *Loader) handed(stream int) sidecar.Position { return l.streams[stream].handed }

// Freeze keeps later states that cover a stream from being saved: rows of it were lost before they got here.
func (l *Loader) Freeze(index int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tracker.Freeze(index)
}

// Tick closes batches that have become old, and drops those of streams that have failed. The appender's.
func (l *Loader) Tick(now time.Time) {
	for _, s := range l.streams {
		b := s.open
		switch {
		case b == nil:
		case s.failed.Load():
			l.drop(s)
		case !s.exact && !b.live && now.Sub(b.since) >= l.config.Batch.Age && l.hasRoom(s):
			l.closeBatch(s)
		}
	}
	l.tickExact(now)
}

// End takes note of a stream's end and closes its batch. When the stream is not whole, a full refresh that is one load is aborted: the old table
// stays (I6). The appender's.
func (l *Loader) End(index int, whole bool) {
	s := l.streams[index]
	if s.ended && s.open == nil {
		return
	}
	s.ended = true
	b := s.open
	switch {
	case s.failed.Load():
		l.drop(s)
	case s.waitsForState():
		s.whole = whole
		// Some connectors send the last state after they said that the stream is complete: rows wait for it, until Finish.
		if l.kind == ofStreams && (b == nil || !whole || b.isCovered()) {
			l.endExact(s)
		}
	case b != nil && (b.live || s.exact) && !whole:
		b.spool.Abort(sidecar.ErrLoadAborted)
		s.open = nil
		l.Freeze(index)
		l.done(b)
	case b != nil:
		l.closeBatch(s)
	case s.opened == 0 && whole:
		l.endEmpty(s)
	}
}

// endEmpty ends a stream well that had no row.
func (l *Loader) endEmpty(s *stream) {
	switch {
	case s.config.Mode == sidecar.Append:
	case l.capabilities.ReplaceEmpty:
		l.openBatch(s)
		l.closeBatch(s)
	case s.config.Mode == sidecar.ReplaceFirst:
		l.mu.Lock()
		order, ready := l.letGo(l.tracker.Empty(s.index))
		l.mu.Unlock()
		l.saveable(order, ready)
	}
}

// Ended says that End was called for a stream.
func (l *Loader) Ended(index int) bool { return l.streams[index].ended }

// openBatch makes a batch. That of a full refresh is loaded while it fills.
func (l *Loader) openBatch(s *stream) *batch {
	b := &batch{mode: s.config.Mode, since: time.Now(), live: s.config.Mode == sidecar.ReplaceWhole}
	share := l.config.Spool.Memory
	switch {
	case b.live:
		share = wholeShare
	case s.opened > 0:
		b.mode = sidecar.Append
	}
	b.spool = l.space.Spool(share)
	if s.exact {
		b.bounded = spool.NewBounded(b.spool)
	}
	s.open = b
	s.opened++
	b.users.Add(1)
	if b.live {
		b.users.Add(1)
		l.enqueue(s, b)
	}
	return b
}

// closeBatch hands the open batch to the stream's worker.
func (l *Loader) closeBatch(s *stream) {
	b := s.open
	if b == nil {
		return
	}
	l.mu.Lock()
	l.tracker.CloseBatch(s.index)
	l.mu.Unlock()
	if err := l.withRoom(b.spool.Finish); err != nil {
		if b.group != nil {
			l.leaveGroup(b.group, err)
		}
		l.failToSpool(s, err)
		return
	}
	s.open = nil
	if b.live {
		l.done(b) // its worker has it already
		return
	}
	l.enqueue(s, b)
}

// failToSpool fails a stream whose rows cannot be kept until they are acknowledged.
func (l *Loader) failToSpool(s *stream, err error) {
	l.Fail(s.index, &sidecar.LoadError{Permanent: true, Environment: true, Message: "rows cannot wait for their acknowledgement", Cause: err})
	l.drop(s)
}

// drop aborts and frees the open batch of a stream that has failed.
func (l *Loader) drop(s *stream) {
	b := s.open
	if b == nil {
		return
	}
	s.open = nil
	b.spool.Abort(sidecar.ErrLoadAborted)
	l.done(b)
}

// atState closes a batch at a STATE when that is worth a request.
func (l *Loader) atState(s *stream, now time.Time) {
	if s.exact {
		l.atCover(s, now)
		return
	}
	if b := s.open; b != nil && !b.live && !s.working.Load() && now.Sub(b.since) >= l.config.Batch.StateAge {
		l.closeBatch(s)
	}
}
