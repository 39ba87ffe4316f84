package bulker

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// expiredError says that a phase of a request took too long.
type expiredError struct {
	after time.Duration
	phase string
	hint  string // the setting that decides, as " (NAME)"
}

// Error names the phase, how long it took, and the setting.
func (e *expiredError) Error() string { return fmt.Sprintf("%s for %s%s", e.phase, e.after, e.hint) }

// deadline cancels a request that Bulker, or the network, does not take or answer. It does not count time in which the request waits for rows: those
// have a deadline of their own.
type deadline struct {
	cancel context.CancelCauseFunc
	stall  time.Duration
	answer time.Duration

	mu sync.Mutex
	// +checklocks:mu
	timer *time.Timer
	// +checklocks:mu
	phase string // what has taken too long when the timer fires
	// +checklocks:mu
	after time.Duration // how long that is
	// +checklocks:mu
	ended bool
}

// newDeadline makes a deadline whose clock does not run yet.
func newDeadline(cancel context.CancelCauseFunc, o Options) *deadline {
	return &deadline{cancel: cancel, stall: o.StallTimeout, answer: o.RequestTimeout}
}

// begin bounds the time until the connection takes the first row.
func (d *deadline) begin() { d.arm(d.stall, "the connection took no row") }

// writing bounds the time that Bulker takes for the bytes it was just given.
func (d *deadline) writing() { d.arm(d.stall, "bulker took no more rows") }

const noAnswer = "bulker did not answer after the last row"

// answering bounds the time from the last row to the answer.
func (d *deadline) answering() { d.arm(d.answer, noAnswer) }

// rest stops the clock: nothing is expected of Bulker now.
func (d *deadline) rest() { d.stop(false) }

// end stops the clock for good.
func (d *deadline) end() { d.stop(true) }

// stop stops the timer, and when ended is true no other call starts it again.
func (d *deadline) stop(ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = d.ended || ended
	if d.timer != nil {
		d.timer.Stop()
	}
}

// arm starts the timer anew.
func (d *deadline) arm(after time.Duration, phase string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	d.phase, d.after = phase, after
	if d.timer == nil {
		d.timer = time.AfterFunc(after, d.expire)
		return
	}
	d.timer.Reset(after)
}

// expire cancels the request.
func (d *deadline) expire() {
	d.mu.Lock()
	expired := &expiredError{after: d.after, phase: d.phase}
	if d.phase == noAnswer {
		expired.hint = " (LOAD_TIMEOUT)"
	}
	d.mu.Unlock()
	d.cancel(expired)
}
