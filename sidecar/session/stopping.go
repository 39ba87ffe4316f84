package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/shutdown"
	"sync-sidecar/sidecar/verdict"
)

// stopping is whether, why and since when a session ends before its connector does. The first reason counts; a signal shortens the time in any case.
type stopping struct {
	mu sync.Mutex
	// +checklocks:mu
	why verdict.Stop
	// +checklocks:mu
	since time.Time
	// +checklocks:mu
	signal time.Time // when the first one came
	// +checklocks:mu
	number int // of the signal that is the reason
}

// stop gives a reason; false when there is one already.
func (s *stopping) stop(why verdict.Stop, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != "" {
		return false
	}
	s.why, s.since = why, now
	return true
}

// cancelled notes that the session's context has ended.
func (s *stopping) cancelled(ctx context.Context, now time.Time) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signal.IsZero() {
		s.signal = now
	}
	if s.why != "" {
		return false
	}
	s.why, s.since = verdict.StopSignal, now
	if signal := (sidecar.Signalled{}); errors.As(context.Cause(ctx), &signal) {
		s.number = signal.Number
	}
	return true
}

// reason is empty while the session goes on.
func (s *stopping) reason() verdict.Stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// signalNumber is the number of the signal that is the reason.
func (s *stopping) signalNumber() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number
}

// signalled says that a signal came, whatever the reason.
func (s *stopping) signalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.signal.IsZero()
}

// settleTime is how long loads may still take after a deadline has passed.
const settleTime = 10 * time.Minute

// loadsEnd is when the reader and the loads are given up; zero while they have no limit.
func (s *stopping) loadsEnd(grace time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.signal.IsZero():
		return shutdown.Loads.Ends(s.signal, grace)
	case s.why == "":
		return time.Time{}
	default:
		return s.since.Add(settleTime)
	}
}

// left is the time until a phase ends after a signal, negative when it has ended; without a signal it is noLimit.
func (s *stopping) left(phase shutdown.Phase, grace time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signal.IsZero() {
		return noLimit
	}
	return time.Until(phase.Ends(s.signal, grace))
}

// noLimit is longer than any wait.
const noLimit = 1 << 62

// bound is a context that outlives ctx, but only until a phase of the grace period ends. The signal may still come.
func (s *session) bound(ctx context.Context, phase shutdown.Phase) (context.Context, context.CancelFunc) {
	grace := s.config.Deadlines.Shutdown
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		s.stopping.cancelled(ctx, time.Now())
		time.AfterFunc(s.stopping.left(phase, grace), cancel)
	})
	return lasting, func() { forget(); cancel() }
}
