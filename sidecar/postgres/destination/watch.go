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
	timer *time.Timer
	// +checklocks:mu
	due time.Time // zero while it rests
	// +checklocks:mu
	ended bool // the last row was taken
}

// newWatch watches over what has the returned context, until stop.
func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel, limit: limit}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(stallLimit, w.look)
	return ctx, w
}

// rest waits for a row.
func (w *watch) rest() { w.set(0, false) }

// rows waits for the server to ask for more.
func (w *watch) rows() { w.set(stallLimit, false) }

// end waits for the rest of a load, whose last row was taken.
func (w *watch) end() { w.set(w.limit, true) }

// set ends the load unless something else is heard in time; 0 is no limit.
func (w *watch) set(limit time.Duration, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due, w.ended = time.Time{}, ended
	w.timer.Stop()
	if limit > 0 {
		w.due = time.Now().Add(limit)
		w.timer.Reset(limit)
	}
}

// look ends the load when it is due. A timer that had run out when it was set anew is not.
func (w *watch) look() {
	w.mu.Lock()
	due, ended := !w.due.IsZero() && !time.Now().Before(w.due), w.ended
	w.mu.Unlock()
	switch {
	case due && ended:
		w.cancel(fmt.Errorf("not committed within %v of the last row (LOAD_TIMEOUT)", w.limit))
	case due:
		w.cancel(fmt.Errorf("the server took no row for %v", stallLimit))
	}
}

// stop ends the watch.
func (w *watch) stop() {
	w.rest()
	w.cancel(nil)
}
