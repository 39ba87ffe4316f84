package loader

import (
	"errors"
	"time"

	"sync-sidecar/sidecar"
)

// enqueue gives a batch to the stream's worker, a goroutine that exists only while there is work.
func (l *Loader) enqueue(s *stream, b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	account := &l.accounts[s.index]
	account.queue = append(account.queue, b)
	if !s.working.Load() {
		s.working.Store(true)
		l.loads.Go(func() { l.work(s) })
	}
}

// work loads the batches of a stream one after the other.
func (l *Loader) work(s *stream) {
	for b := l.next(s, false); b != nil; b = l.next(s, true) {
		err := l.failure(s)
		switch {
		case b.group != nil:
			err = l.loadInGroup(s, b, err)
		case err == nil:
			err = l.load(s, b)
		}
		switch {
		case err == nil:
			l.acknowledge(s, b)
		case errors.Is(err, sidecar.ErrLoadAborted):
		default:
			l.Fail(s.index, err)
		}
		l.done(b)
	}
}

// next is the batch to load; nil ends the stream's worker. done says that the first batch of the queue was loaded, or given up.
func (l *Loader) next(s *stream, done bool) *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	account := &l.accounts[s.index]
	if done {
		account.queue = account.queue[1:] // only now is the batch released, which the appender may be waiting for
		l.shortened++
		l.room.Broadcast()
	}
	if len(account.queue) == 0 {
		s.working.Store(false)
		return nil
	}
	return account.queue[0]
}

// failure is why no more rows of a stream are delivered; nil while they are.
func (l *Loader) failure(s *stream) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accounts[s.index].err
}

// acknowledge counts a batch as durable, and lets go the states that waited for it.
func (l *Loader) acknowledge(s *stream, b *batch) {
	rows, bytes := b.rowsToLoad().Count(), b.rowsToLoad().Size()
	l.mu.Lock()
	account := &l.accounts[s.index]
	account.acked.Rows += rows
	account.acked.Bytes += bytes
	account.lastAck = time.Now()
	account.loads.Batches++
	order, ready := l.letGo(l.tracker.Acknowledge(s.index, rows, bytes))
	l.mu.Unlock()
	l.saveable(order, ready)
}

// letGo gives states that may be saved a number.
//
// +checklocks:l.mu
func (l *Loader) letGo(states []sidecar.SavedState) (int64, []sidecar.SavedState) {
	if len(states) > 0 {
		l.order++
	}
	return l.order, states
}

// done says that the appender, or the worker, does not need a batch any more. The later of the two releases it.
func (l *Loader) done(b *batch) {
	if b.users.Add(-1) > 0 {
		return
	}
	if err := b.spool.Release(); err != nil {
		l.logs.Warn(err.Error())
	}
}
