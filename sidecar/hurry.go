package sidecar

import (
	"context"
	"time"
)

// hurried says that a signal gave the session little time.
func (r *read) hurried() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.signalled.IsZero()
}

// loadsUntil is when loads are given up; zero while there is no hurry.
func (r *read) loadsUntil() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.signalled.IsZero():
		return r.signalled.Add(r.config.Deadlines.Shutdown * 4 / 5)
	case r.stopped == "":
		return time.Time{}
	default:
		return r.stoppedAt.Add(settleTime)
	}
}

// Twentieths of the grace period after which the parts of a session's end are over that a signal hurries.
const (
	finishingEnds = 17
	verdictEnds   = 19
)

// finishingGrace is what a signal leaves for finishing rows. Without one they may take as long as they need: merging a large file takes its time.
func (r *read) finishingGrace() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	grace := r.config.Deadlines.Shutdown * finishingEnds / 20
	if r.signalled.IsZero() {
		return grace
	}
	return time.Until(r.signalled.Add(grace))
}

// finalContext bounds the last writes to the journal: by the grace period after a signal, which may also come now, else long enough to outlast a
// restart of the journal.
func (r *read) finalContext(ctx context.Context) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	grace := r.config.Deadlines.Shutdown * verdictEnds / 20
	if !r.signalled.IsZero() {
		return context.WithDeadline(context.WithoutCancel(ctx), r.signalled.Add(grace))
	}
	lasting, cancel := untilAfter(ctx, func() time.Duration { return grace })
	final, cancelFinal := context.WithTimeout(lasting, r.config.Deadlines.Journal)
	return final, func() { cancelFinal(); cancel() }
}

// untilAfter is a context that outlives the end of ctx by grace.
func untilAfter(ctx context.Context, grace func() time.Duration) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(grace(), cancel) })
	return lasting, func() { forget(); cancel() }
}
