package destination

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// stallLimit is how long the server may take no row of a COPY while there are some.
const stallLimit = 10 * time.Minute

// watch ends a load that does not move: a COPY whose rows nobody takes, or the rest of a load after its last row. It rests while a row is waited for.
type watch struct {
	cancel context.CancelCauseFunc
	limit  time.Duration // from the last row to the commit; 0 is none

	mu sync.Mutex
	// +checklocks:mu
	timer *time.Timer // nil while it rests
}

// newWatch watches over what has the returned context.
func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watch{cancel: cancel, limit: limit}
}

// rest waits for a row.
func (w *watch) rest() { w.within(0, nil) }

// rows waits for the server to ask for more.
func (w *watch) rows() {
	w.within(stallLimit, fmt.Errorf("the server took no row for %v", stallLimit))
}

// end waits for the rest of a load, whose last row was taken.
func (w *watch) end() {
	w.within(w.limit, fmt.Errorf("not committed within %v of the last row (LOAD_TIMEOUT)", w.limit))
}

// within ends the load with cause unless something else is heard in time; 0 is no limit.
func (w *watch) within(limit time.Duration, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if limit > 0 {
		w.timer = time.AfterFunc(limit, func() { w.cancel(cause) })
	}
}

// stop ends the watch.
func (w *watch) stop() {
	w.rest()
	w.cancel(nil)
}
