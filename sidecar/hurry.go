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

// finalContext bounds a part of the end: so many twentieths of the grace period after a signal, which may also come now, else long enough to outlast
// a restart of the journal.
func (r *read) finalContext(ctx context.Context, twentieths time.Duration) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lasting, grace := context.WithoutCancel(ctx), r.config.Deadlines.Shutdown*twentieths/20
	if !r.signalled.IsZero() {
		return context.WithDeadline(lasting, r.signalled.Add(grace))
	}
	final, cancel := context.WithTimeout(lasting, r.config.Deadlines.Journal)
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return final, func() { forget(); cancel() }
}
