package session

import (
	"fmt"
	"sync"
	"time"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/verdict"
)

// watchdog decides when a session has waited long enough (I4). It has no clock of its own: the others tell it what happens, and ask at every tick.
type watchdog struct {
	limits  Deadlines
	started time.Time // of the task
	began   time.Time // of the session

	mu sync.Mutex // the reader tells, the watch goroutine asks
	// +checklocks:mu
	opened time.Time // when the pipes were open; zero before
	// +checklocks:mu
	first bool // a first message came
	// +checklocks:mu
	spoke time.Time // the last output; zero before
	// +checklocks:mu
	alive time.Time // last sign of life, or when somebody began to read again
	// +checklocks:mu
	saw string // what that was
	// +checklocks:mu
	over bool // stdout has ended: only the task's own deadline still counts
	// +checklocks:mu
	exited time.Time // when the connector was first seen to have exited while its pipes were open
	// +checklocks:mu
	warned map[verdict.Stop]bool
}

func newWatchdog(limits Deadlines, started, now time.Time) *watchdog {
	if started.IsZero() || started.After(now) {
		started = now
	}
	return &watchdog{limits: limits, started: started, began: now, alive: now, warned: map[verdict.Stop]bool{}}
}

// open says that both pipes are open.
func (w *watchdog) open(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened, w.alive, w.saw = now, now, "its pipes opened"
}

// output counts any output of the connector, a message or not.
func (w *watchdog) output(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoke = now
	if w.limits.AliveOn == AliveAny || w.limits.AliveOn == "" {
		w.beat(now, "output")
	}
}

// heard is when the connector last said anything; zero before.
func (w *watchdog) heard() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spoke
}

// message counts Airbyte messages, the last of a kind; moves says whether a RECORD or a STATE was among them.
func (w *watchdog) message(now time.Time, kind airbyte.Type, moves bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first = true
	if moves || w.limits.AliveOn != AliveRecords {
		w.beat(now, string(kind))
	}
}

// waited says that nobody was reading until now: the connector is not to blame for that time.
func (w *watchdog) waited(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.After(w.alive) { // it may rest until later
		w.alive = now
	}
}

// restUntil lets a connector that is rate-limited be silent until a time.
func (w *watchdog) restUntil(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.After(w.alive) {
		w.alive, w.saw = until, "RATE_LIMITED"
	}
}

// finish says that stdout has ended.
func (w *watchdog) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// listening says that stdout is open and has not ended.
func (w *watchdog) listening() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.opened.IsZero() && !w.over
}

// exit notes that the connector was seen to have exited, and says for how long that is known.
func (w *watchdog) exit(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.exited.IsZero() {
		w.exited = now
	}
	return now.Sub(w.exited)
}

// sawExit says that the connector was seen to have exited.
func (w *watchdog) sawExit() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.exited.IsZero()
}

// beat is a sign of life.
//
// +checklocks:w.mu
func (w *watchdog) beat(now time.Time, what string) {
	if now.After(w.alive) {
		w.alive = now
	}
	w.saw = what
	delete(w.warned, verdict.StopSilence)
}

// check says which deadline has passed, if any, and what to warn of: each deadline warns once, when four fifths of it are over.
func (w *watchdog) check(now time.Time) (stop verdict.Stop, warning string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, limit := range []struct {
		stop     verdict.Stop
		since    time.Time
		limit    time.Duration
		variable string
		what     string
	}{
		{verdict.StopTask, w.started, w.limits.Task, "TASK_TIMEOUT_HOURS", "the task runs"},
		{verdict.StopPipeOpen, w.sinceBegan(), w.limits.PipeOpen, "PIPE_OPEN_TIMEOUT", "the connector has not opened its pipes"},
		{verdict.StopFirstMessage, w.sinceOpen(!w.first), w.limits.FirstMessage, "FIRST_MESSAGE_TIMEOUT", "the connector has sent no message"},
		{verdict.StopSilence, w.sinceAlive(), w.limits.Silence, "SILENCE_TIMEOUT", "the connector has been silent (last seen: " + w.saw + ")"},
	} {
		if limit.limit <= 0 || limit.since.IsZero() || w.over && limit.stop != verdict.StopTask {
			continue
		}
		passed := now.Sub(limit.since)
		if passed >= limit.limit {
			return limit.stop, ""
		}
		if passed >= limit.limit*4/5 && !w.warned[limit.stop] {
			w.warned[limit.stop] = true
			warning = fmt.Sprintf("%s for %v; at %v it will be stopped (%s)", limit.what, passed.Round(time.Second), limit.limit, limit.variable)
		}
	}
	return "", warning
}

// sinceBegan is when the session began, as long as the pipes are not open.
//
// +checklocks:w.mu
func (w *watchdog) sinceBegan() time.Time {
	if !w.opened.IsZero() {
		return time.Time{}
	}
	return w.began
}

// sinceOpen is when the pipes were open, as long as that matters.
//
// +checklocks:w.mu
func (w *watchdog) sinceOpen(matters bool) time.Time {
	if !matters {
		return time.Time{}
	}
	return w.opened
}

// sinceAlive is the last sign of life after the first message; before it the other deadline counts.
//
// +checklocks:w.mu
func (w *watchdog) sinceAlive() time.Time {
	if !w.first || w.opened.IsZero() {
		return time.Time{}
	}
	return w.alive
}
