package sidecar

import (
	"fmt"
	"time"
)

// watchdog decides when a session has waited long enough (I4). It is pure: the session tells it what happens and asks at every tick.
type watchdog struct {
	limits  Deadlines
	started time.Time // of the task
	began   time.Time // of the session
	opened  time.Time // when the pipes were open; zero before
	first   bool      // a first message came
	alive   time.Time // last sign of life, or when we began to listen again
	saw     string    // what that was
	warned  map[Stop]bool
}

func newWatchdog(limits Deadlines, started, now time.Time) *watchdog {
	if started.IsZero() || started.After(now) {
		started = now
	}
	return &watchdog{limits: limits, started: started, began: now, alive: now, warned: map[Stop]bool{}}
}

// open says that both pipes are open.
func (w *watchdog) open(now time.Time) { w.opened, w.alive, w.saw = now, now, "its pipes opened" }

// output counts any output of the source, a message or not.
func (w *watchdog) output(now time.Time) {
	if w.limits.AliveOn == AliveAny || w.limits.AliveOn == "" {
		w.beat(now, "output")
	}
}

// message counts an Airbyte message; moves says whether it is a RECORD or a STATE.
func (w *watchdog) message(now time.Time, kind string, moves bool) {
	w.first = true
	if moves || w.limits.AliveOn != AliveRecords {
		w.beat(now, kind)
	}
}

// waited says that we did not listen until now: the source is not to blame for that time.
func (w *watchdog) waited(now time.Time) { w.alive = now }

// restUntil grants a source that is rate-limited its pause.
func (w *watchdog) restUntil(until time.Time) {
	if until.After(w.alive) {
		w.alive, w.saw = until, "RATE_LIMITED"
	}
}

func (w *watchdog) beat(now time.Time, what string) {
	if now.After(w.alive) {
		w.alive = now
	}
	w.saw = what
	delete(w.warned, StopSilence)
}

// check says which deadline has passed, if any, and what to warn of: each deadline warns once, when four fifths of it are over.
func (w *watchdog) check(now time.Time) (stop Stop, warning string) {
	for _, limit := range []struct {
		stop     Stop
		since    time.Time
		limit    time.Duration
		variable string
		what     string
	}{
		{StopTask, w.started, w.limits.Task, "TASK_TIMEOUT_HOURS", "the task runs"},
		{StopPipeOpen, w.sinceBegan(), w.limits.PipeOpen, "PIPE_OPEN_TIMEOUT", "the connector has not opened its pipes"},
		{StopFirstMessage, w.sinceOpen(!w.first), w.limits.FirstMessage, "FIRST_MESSAGE_TIMEOUT", "the connector has sent no message"},
		{StopSilence, w.sinceAlive(), w.limits.Silence, "SILENCE_TIMEOUT", "the connector has been silent (last seen: " + w.saw + ")"},
	} {
		if limit.limit <= 0 || limit.since.IsZero() {
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
func (w *watchdog) sinceBegan() time.Time {
	if !w.opened.IsZero() {
		return time.Time{}
	}
	return w.began
}

// sinceOpen is when the pipes were open, as long as that matters.
func (w *watchdog) sinceOpen(matters bool) time.Time {
	if !matters {
		return time.Time{}
	}
	return w.opened
}

// sinceAlive is the last sign of life after the first message; before it the other deadline counts.
func (w *watchdog) sinceAlive() time.Time {
	if !w.first || w.opened.IsZero() {
		return time.Time{}
	}
	return w.alive
}
