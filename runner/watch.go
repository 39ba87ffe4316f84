package runner

import (
	"context"
	"errors"
	"sync"
)

// Watch is how a caller follows a running task and ends it early.
type Watch struct {
	// Event is called from one goroutine at a time. It may be nil.
	Event func(Event)
	// Usage asks for events of what the connector uses, while a read runs: they cost the machine a little.
	Usage bool
	// Stop ends the task gracefully when it is closed: SIGTERM to the connector and the sidecar, a grace period, then SIGKILL. Cancelling the
	// context of the run ends it at once. Either way what was started is gone afterwards.
	Stop <-chan struct{}
}

// ErrStopped is the cause when Stop ends a task before there is anything to stop gracefully.
var ErrStopped = errors.New("stopped")

// Serial is the same watch with an Event that may be called from many goroutines and is never nil.
func (w Watch) Serial() Watch {
	var mutex sync.Mutex
	show := w.Event
	w.Event = func(event Event) {
		mutex.Lock()
		defer mutex.Unlock()
		if show != nil {
			show(event)
		}
	}
	return w
}

// UntilStop is a context for the steps before the connector runs: Stop ends it too, with the cause ErrStopped. The release has to be called.
func (w Watch) UntilStop(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-w.Stop:
			cancel(ErrStopped)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
	}
}
