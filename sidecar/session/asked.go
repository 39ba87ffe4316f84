package session

import (
	"context"
	"sync"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/pipe"
)

// untilAsked is a context that also ends when the shim was asked to end, as if we had got the signal: the kubelet tells a native sidecar only once
// the connector's container is gone, and leaves it two seconds when that took all of the Pod's time. The returned func has to be called.
func (s *session) untilAsked(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.asked = func() {
		if s.connector.Load() == nil { // before, the file may be an earlier run's
			return
		}
		status, err := pipe.ReadExitStatus(s.config.ExitStatusFile)
		if err != nil || status.Stopped == "" {
			return // an error is told at the end, when the file matters
		}
		cancel(sidecar.Signalled{Number: pipe.SignalNumber(status.Stopped), Name: status.Stopped})
		s.noteSignal(ctx)
	}
	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		ticker := time.NewTicker(tickInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-ticker.C:
				s.asked()
			}
		}
	})
	return ctx, func() {
		close(done)
		asking.Wait()
		cancel(nil)
	}
}
