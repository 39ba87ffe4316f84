package sidecar

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// watch looks after the deadlines until stop is closed, and calls each about once a second with mu held.
func (s *session) watch(ctx context.Context, done <-chan struct{}, each func(now time.Time)) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	signalled := ctx.Done()
	for {
		select {
		case <-done:
			return
		case <-signalled:
			signalled = nil
			s.mu.Lock()
			s.noteSignal(ctx)
			s.mu.Unlock()
			s.stopReading(time.Now().Add(s.config.Deadlines.Shutdown / 2))
		case <-ticker.C:
			if s.tick(time.Now(), each) {
				s.stopReading(time.Now())
			}
		}
	}
}

// tickInterval is how often a session looks at its deadlines and the age of its batches.
const tickInterval = 500 * time.Millisecond

// tick is one look; true when a deadline has just passed.
func (s *session) tick(now time.Time, each func(time.Time)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	each(now)
	s.letGo(now)
	if s.source != nil && s.source.entered.IsZero() {
		s.watchdog.waited(now)
	}
	if s.stopped != "" || s.stdoutEOF {
		return false
	}
	stop, warning := s.watchdog.check(now)
	if warning != "" {
		s.logs.Warn(warning)
	}
	if stop == "" {
		return false
	}
	s.stopped, s.stoppedAt = stop, now
	s.logs.Error(stopText(stop))
	return true
}

// letGo stops reading when the connector has exited and something that it left behind holds its pipes open without a word: a session must not
// wait for that for ever.
func (s *session) letGo(now time.Time) {
	if s.source == nil || s.stdoutEOF {
		return
	}
	if s.exited.IsZero() {
		if exit, err := s.source.exit(); err == nil && exit.Known == ExitStatus {
			s.exited = now
		}
		return
	}
	if s.source.silent(now) < s.config.Deadlines.Drain || now.Sub(s.exited) < s.config.Deadlines.Drain || s.gone {
		return
	}
	s.gone = true
	s.warn(
		fmt.Sprintf(
			"the connector exited %v ago, and something that it started still holds its output open: not waiting for it",
			now.Sub(s.exited).Round(time.Second),
		),
	)
	if err := s.source.readBy(now); err != nil {
		s.warn(fmt.Sprintf("stop reading: %v", err))
	}
}

// noteSignal notes that the session was cancelled. One that was stopped before has only little time left from now on.
func (s *session) noteSignal(ctx context.Context) {
	if s.signalled.IsZero() {
		s.signalled = time.Now()
	}
	if s.stopped != "" {
		return
	}
	s.stopped, s.stoppedAt = StopSignal, s.signalled
	signal := Signalled{}
	if errors.As(context.Cause(ctx), &signal) {
		s.signal = signal.Number
	}
	s.logs.Warn(fmt.Sprintf("%v: saving what can be saved", context.Cause(ctx)))
}

// stopReading lets the source's pipes be read until a deadline only. Their ends stay open: closing them would kill a source that is ending by itself.
func (s *session) stopReading(deadline time.Time) {
	s.mu.Lock()
	source, abandon := s.source, s.abandon
	s.mu.Unlock()
	if source == nil && abandon != nil {
		abandon()
	}
	if source == nil {
		return
	}
	if err := source.readBy(deadline); err != nil && !errors.Is(err, os.ErrClosed) {
		s.logs.Warn(fmt.Sprintf("stop reading: %v", err))
	}
}
