package session

import (
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/verdict"
)

func TestWatchdog(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limits := Deadlines{PipeOpen: 59 * time.Minute, FirstMessage: time.Minute, Silence: 10 * time.Minute, Task: time.Hour}
	after := func(d time.Duration) time.Time { return start.Add(d) }
	for _, test := range []struct {
		name    string
		alive   AliveOn
		play    func(w *watchdog)
		at      time.Duration
		stop    verdict.Stop
		warning string // a part of it
	}{
		{"fresh", AliveAny, func(*watchdog) {}, 0, "", ""},
		{"closed pipes, warning", AliveAny, func(*watchdog) {}, 48 * time.Minute, "", "PIPE_OPEN_TIMEOUT"},
		{"closed pipes", AliveAny, func(*watchdog) {}, 59 * time.Minute, verdict.StopPipeOpen, ""},
		{"task", AliveAny, func(*watchdog) {}, time.Hour, verdict.StopTask, ""},
		{"first message, warning", AliveAny, func(w *watchdog) { w.open(start) }, 50 * time.Second, "", "FIRST_MESSAGE_TIMEOUT"},
		{"first message", AliveAny, func(w *watchdog) { w.open(start) }, time.Minute, verdict.StopFirstMessage, ""},
		{"prose is no message", AliveAny, func(w *watchdog) { w.open(start); w.output(after(30 * time.Second)) }, time.Minute,
			verdict.StopFirstMessage, ""},
		{"silence", AliveAny, func(w *watchdog) { w.open(start); w.message(after(time.Second), "LOG", false) },
			10*time.Minute + time.Second, verdict.StopSilence, ""},
		{"prose is a sign of life", AliveAny, func(w *watchdog) {
			w.open(start)
			w.message(after(time.Second), "LOG", false)
			w.output(after(5 * time.Minute))
		}, 12 * time.Minute, "", ""},
		{"prose is none where messages are asked for", AliveMessages, func(w *watchdog) {
			w.open(start)
			w.message(after(time.Second), "LOG", false)
			w.output(after(5 * time.Minute))
		}, 12 * time.Minute, verdict.StopSilence, ""},
		{"a LOG is none where records are asked for", AliveRecords, func(w *watchdog) {
			w.open(start)
			w.message(after(time.Second), "RECORD", true)
			w.message(after(5*time.Minute), "LOG", false)
		}, 12 * time.Minute, verdict.StopSilence, ""},
		{"what was seen last is said", AliveAny, func(w *watchdog) { w.open(start); w.message(after(time.Second), "STATE", true) },
			9 * time.Minute, "", "STATE"},
		{"time in which we did not listen does not count", AliveAny, func(w *watchdog) {
			w.open(start)
			w.message(after(time.Second), "RECORD", true)
			w.waited(after(9 * time.Minute))
		}, 12 * time.Minute, "", ""},
		{"a rate limit may last", AliveAny, func(w *watchdog) {
			w.open(start)
			w.message(after(time.Second), "TRACE", false)
			w.restUntil(after(30 * time.Minute))
		}, 35 * time.Minute, "", ""},
		{"a rate limit is not cut short while nobody reads", AliveAny, func(w *watchdog) {
			w.open(start)
			w.message(after(time.Second), "TRACE", false)
			w.restUntil(after(30 * time.Minute))
			w.waited(after(2 * time.Minute))
		}, 35 * time.Minute, "", ""},
		{"a rate limit ends", AliveAny, func(w *watchdog) {
			w.open(start)
			w.message(after(time.Second), "TRACE", false)
			w.restUntil(after(30 * time.Minute))
		}, 41 * time.Minute, verdict.StopSilence, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			limits := limits
			limits.AliveOn = test.alive
			w := newWatchdog(limits, start, start)
			test.play(w)
			stop, warning := w.check(after(test.at))
			if stop != test.stop || !strings.Contains(warning, test.warning) || test.warning == "" && warning != "" {
				t.Fatalf("stop %q, warning %q; want %q, %q", stop, warning, test.stop, test.warning)
			}
			if warning != "" {
				if _, again := w.check(after(test.at)); again != "" {
					t.Fatalf("warned twice: %q", again)
				}
			}
		})
	}
}
