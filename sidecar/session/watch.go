package session

import (
	"context"
	"fmt"
	"time"

	"sync-sidecar/sidecar/shutdown"
	"sync-sidecar/sidecar/verdict"
)

// watch looks after the signal and the deadlines until done is closed. It calls stopped once, when the session is to end, and each about twice a
// second.
func (s *session) watch(ctx context.Context, done <-chan struct{}, stopped func(), each func(now time.Time)) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	signalled := ctx.Done()
	for {
		select {
		case <-done:
			return
		case <-signalled:
			signalled = nil
			s.noteSignal(ctx)
			stopped()
			s.readBy(time.Now().Add(shutdown.Reading.After(s.config.Deadlines.Shutdown)))
		case <-ticker.C:
			now := time.Now()
			each(now)
			s.letGo(now)
			if s.deadline(now) {
				stopped()
				s.readBy(now)
			}
		}
	}
}

// noteSignal notes that the session was cancelled, if it was.
func (s *session) noteSignal(ctx context.Context) {
	if ctx.Err() != nil && s.stopping.cancelled(ctx, time.Now()) {
		s.logs.Warn(fmt.Sprintf("%v: saving what can be saved", context.Cause(ctx)))
	}
}

// deadline asks the watchdog, and is true when a deadline has just passed.
func (s *session) deadline(now time.Time) bool {
	if connector := s.connector.Load(); connector != nil && connector.entered.Load() == 0 {
		s.watchdog.waited(now)
	}
	if s.stopping.reason() != "" {
		return false
	}
	stop, warning := s.watchdog.check(now)
	if warning != "" {
		s.logs.Warn(warning)
	}
	if stop == "" || !s.stopping.stop(stop, now) {
		return false
	}
	s.logs.Error(verdict.StopText(stop))
	return true
}

// letGo stops reading when the connector has exited and something that it left behind holds its pipes open without a word: a session must not
// wait for that for ever.
func (s *session) letGo(now time.Time) {
	connector := s.connector.Load()
	if connector == nil || connector.stopped() || !s.watchdog.listening() {
		return
	}
	if !s.watchdog.sawExit() {
		exit, err := connector.exit()
		if err != nil || exit.Known != verdict.ExitStatus {
			return
		}
	}
	known := s.watchdog.exit(now)
	if known < s.config.Deadlines.Drain || connector.silent(now) < s.config.Deadlines.Drain {
		return
	}
	s.warn(fmt.Sprintf("the connector exited %v ago, and something that it started still holds its output open: not waiting for it",
		known.Round(time.Second)))
	s.readBy(now)
}
