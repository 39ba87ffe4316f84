package loader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
)

// group is batches of several streams that are committed as one, with the state that covers them all. Each waits for its turn in the queue of its
// stream; the worker of the last one loads them.
type group struct {
	sequence int64         // of the state
	done     chan struct{} // closed when err is final

	// Guarded by Loader.mu:
	waiting int // batches whose turn has not come
	members []member
	err     error
}

// member is a batch of a group.
type member struct {
	stream *stream
	batch  *batch
}

// errGroup is why rows are not loaded that other rows should have been committed with.
var errGroup = errors.New("one state covers these rows and those of another stream, which failed")

// errUncovered is why rows are not loaded whose state can never be committed.
var errUncovered = errors.New("the state that covers these rows covers lost rows of another stream, too")

// closeGroup closes all exact batches as a group; cut leaves in them what the last state covers. Batches of other streams are closed before, so that
// the state need not wait for later rows of theirs.
func (l *Loader) closeGroup(cut bool) {
	g := &group{sequence: l.covering, done: make(chan struct{})}
	var members []*stream
	for _, s := range l.streams {
		switch b := s.open; {
		case b == nil:
		case b.live || !s.exact:
			if !b.live {
				l.closeBatch(s)
			}
		case s.waitsForState() && (!cut || l.cutBack(s)):
			b.group = g
			members = append(members, s)
		}
	}
	if len(members) == 0 {
		return
	}
	l.mu.Lock()
	g.waiting = len(members)
	l.groups++
	l.tracker.Pin()
	l.mu.Unlock()
	for _, s := range members {
		l.closeBatch(s)
	}
}

// loadInGroup waits until the batch's group is loaded, and loads it when this batch is the last that was waited for. before is why the batch cannot
// be loaded; nil when it can.
func (l *Loader) loadInGroup(s *stream, b *batch, before error) error {
	g := b.group
	if before != nil {
		l.leaveGroup(g, before)
		return before
	}
	l.mu.Lock()
	g.members = append(g.members, member{stream: s, batch: b})
	g.waiting--
	last := g.waiting == 0
	l.mu.Unlock()
	if last {
		l.endGroup(g)
	}
	<-g.done // whoever is the last does not wait for more than Retry.For, and for no longer than l.ctx
	return g.err
}

// leaveGroup takes a batch out of its group, which fails with it.
func (l *Loader) leaveGroup(g *group, err error) {
	l.mu.Lock()
	g.waiting--
	if g.err == nil {
		g.err = &sidecar.LoadError{Permanent: true, Message: errGroup.Error(), Cause: err}
	}
	last := g.waiting == 0
	l.mu.Unlock()
	if last {
		l.endGroup(g)
	}
}

// endGroup loads a group whose batches are all there.
func (l *Loader) endGroup(g *group) {
	defer close(g.done)
	if g.err == nil && len(g.members) > 0 {
		g.err = l.loadGroup(g)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups--
	l.room.Broadcast()
}

// awaitGroup blocks until another group may be closed: one may be loaded, and one wait.
func (l *Loader) awaitGroup() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.groups >= waitingBatches && !l.hurried {
		l.room.Wait()
	}
}

// grouping says that groups are under way.
func (l *Loader) grouping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.groups > 0
}

// loadGroup is load for a group.
func (l *Loader) loadGroup(g *group) error {
	states, err := l.awaitState(g)
	if err != nil {
		return err
	}
	loads, names := make([]sidecar.Load, len(g.members)), ""
	for i, m := range g.members {
		loads[i] = sidecar.Load{Table: m.stream.config.Table, Mode: m.batch.mode, Rows: m.batch.rowsToLoad()}
		names += fmt.Sprintf("%q ", m.stream.config.Table.Stream)
	}
	return l.tryAgain("streams "+names[:len(names)-1], func() error {
		select {
		case l.batchSlot <- struct{}{}:
			defer func() { <-l.batchSlot }()
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
		began := time.Now()
		err := l.committer.LoadTogether(l.ctx, loads, states)
		for _, m := range g.members {
			l.tried(m.stream, began, err)
		}
		return err
	})
}

// awaitState waits until all that keeps the group's state from being saved is its own rows.
func (l *Loader) awaitState(g *group) ([]sidecar.SavedState, error) {
	rows := map[int]int64{}
	for _, m := range g.members {
		rows[m.stream.index] = m.batch.rowsToLoad().Count()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		states := l.tracker.Due(func(stream int) int64 { return rows[stream] })
		for _, state := range states {
			if sidecar.OfAllStreams(state.Key) && state.Sequence >= g.sequence {
				return states, nil
			}
		}
		switch {
		case l.tracker.Lost():
			return nil, &sidecar.LoadError{Permanent: true, Message: errUncovered.Error()}
		case l.ctx.Err() != nil:
			return nil, context.Cause(l.ctx)
		case l.tracker.Passed(g.sequence):
			return states, nil
		}
		l.room.Wait()
	}
}
