package bulker

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// expiredError is why a request was given up.
type expiredError struct {
	after time.Duration
	phase string
	hint  string // the setting that decides, as " (NAME)"
}

func (e *expiredError) Error() string { return fmt.Sprintf("%s for %s%s", e.phase, e.after, e.hint) }

// deadline cancels a request that does not get on. Waiting for rows is not its business: those have a deadline of their own.
type deadline struct {
	cancel context.CancelCauseFunc
	stall  time.Duration
	answer time.Duration

	mu    sync.Mutex
	timer *time.Timer
	phase string
	after time.Duration
	ended bool
}

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

// rest says that nothing is expected of Bulker now.
func (d *deadline) rest() { d.set(false) }

// end is the last call.
func (d *deadline) end() { d.set(true) }

func (d *deadline) set(ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = d.ended || ended
	if d.timer != nil {
		d.timer.Stop()
	}
}

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

func (d *deadline) expire() {
	d.mu.Lock()
	expired := &expiredError{after: d.after, phase: d.phase}
	if d.phase == noAnswer {
		expired.hint = " (LOAD_TIMEOUT)"
	}
	d.mu.Unlock()
	d.cancel(expired)
}
