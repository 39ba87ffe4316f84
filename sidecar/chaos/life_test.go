package chaos

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"sync-sidecar/sidecar/pipe"
)

// life is one run of a sync: a pod with a connector and a sidecar.
type life struct {
	*scenario
	task      string
	connector *process // the shim, with the connector as its child
	sidecar   *process
}

// outcome is how a run ended.
type outcome struct {
	code, sourceCode int
	status           string // of the task, as recorded; empty when it is not
	struck           []victim
	printed          string
}

// begin does what starts a pod: init, then the connector and the sidecar side by side.
func (s *scenario) begin(task string, more ...string) *life {
	s.t.Helper()
	return s.beginAfter(task, []string{"init", "--load-state"}, more...)
}

// beginAfter is begin with another init.
func (s *scenario) beginAfter(task string, init []string, more ...string) *life {
	s.t.Helper()
	env := append(append([]string(nil), s.env...), "TASK_ID="+task, "STARTED_AT="+time.Now().UTC().Format(time.RFC3339))
	env = append(env, more...)
	prepare := start(s.t, env, "sync-sidecar", init...)
	if code := prepare.wait(s.t, time.Minute); code != 0 {
		s.failf("%s: init exited with %d: %s", task, code, prepare.output.String())
	}
	l := &life{scenario: s, task: task}
	l.connector = start(s.t, env, "sync-sidecar", "exec", "--", programs(s.t)+"/source-demo", "read", "--config", s.path("config.json"),
		"--catalog", s.path("catalog.json"), "--state", s.path("state.json"))
	l.sidecar = start(s.t, env, "sync-sidecar", "sidecar")
	return l
}

// end waits for a run that nobody looks at.
func (l *life) end(struck ...victim) outcome {
	l.t.Helper()
	o := outcome{struck: struck, code: l.sidecar.wait(l.t, 2*time.Minute)}
	if o.code == 137 || !l.connector.endsWithin(patience) {
		// In a pod it would get EPIPE, or wait for somebody who opens its pipes, until the pod ends.
		l.connector.killTree(l.t)
		l.connector.kill()
	}
	o.sourceCode = l.connector.wait(l.t, time.Minute)
	if left, err := pipe.ReadExitStatus(l.path("pipes/exit-status")); err == nil && left.Phase == pipe.Finished && o.sourceCode == 137 {
		o.sourceCode = left.Code // the shim was killed after the connector's end
	}
	o.printed = l.sidecar.output.String()
	status, err := l.taskStatus(l.task)
	l.check(err)
	o.status = status
	return o
}

// live is one life under strikes, from its start to the check of its verdict.
func (s *scenario) live(run int, strikes []strike) outcome {
	s.t.Helper()
	began := time.Now()
	l := s.begin(fmt.Sprintf("task-%d-%d", s.id, run))
	quit := make(chan struct{})
	var watching sync.WaitGroup
	var seen error
	watching.Go(func() { seen = l.watch(quit) })
	struck := l.suffer(strikes)
	o := l.end(struck...)
	close(quit)
	watching.Wait()
	cursors, err := s.cursors()
	s.note("run %d: planned %v, happened %v; source exit %d, sidecar exit %d, task %q, saved %v, took %v", run, strikes, o.struck, o.sourceCode,
		o.code, o.status, abridged(cursors), time.Since(began).Round(time.Millisecond))
	if time.Since(began) > slow {
		s.t.Logf("slow: %s\n%s", s.history[len(s.history)-1], o.printed)
	}
	s.check(err)
	if seen != nil {
		s.failf("run %d, while it ran: %v", run, seen)
	}
	if strings.Contains(o.printed, "some may be there twice") {
		s.failf("run %d: the folder does not know where it stood:\n%s", run, o.printed)
	}
	if err := o.judge(); err != nil {
		s.failf("run %d: %v; the sidecar said:\n%s", run, err, o.printed)
	}
	return o
}

// patience is for a connector whose sidecar has ended.
const patience = 3 * time.Second

// slow is what no run should take; one that does is printed.
const slow = 15 * time.Second

// verdictLine is what a session that began says at its end, whatever happens to the journal.
var verdictLine = regexp.MustCompile(`read (SUCCESS|PARTIAL|FAILED|CANCELLED|TIME_EXCEEDED)`)

// judge holds the exit code, the recorded status and what happened against each other (I2, I3).
func (o outcome) judge() error {
	said := verdictLine.FindStringSubmatch(o.printed)
	switch {
	case o.code == 137 && slices.Contains(o.struck, theSidecar):
		return nil // RUNNING stays, or nothing, or a verdict that was just recorded
	case said == nil && o.code == 3 && (o.status == "" || o.status == "FAILED") && o.hit(theBulker, thePostgres):
		return nil // it never listened to the connector
	case said == nil && o.code == 143 && (o.status == "" || o.status == "CANCELLED") && o.hit(thePod, theSidecarByTERM):
		return nil // likewise
	case said == nil && o.code == 143 && o.signals() > 1:
		return nil // the second one ends it at once
	case said == nil:
		return fmt.Errorf("it exited with %d without a verdict (recorded: %q)", o.code, o.status)
	case said[1] != o.status && !strings.Contains(o.printed, "could not be recorded"):
		return fmt.Errorf("it said %s, recorded %q, and did not say so", said[1], o.status)
	case said[1] != o.status && (o.code != 3 && o.code != 143 || !o.hit(thePostgres)):
		return fmt.Errorf("it said %s and recorded %q", said[1], o.status)
	}
	right := false
	switch o.code {
	case 0:
		right = said[1] == "SUCCESS" && o.sourceCode == 0
	case 1:
		right = said[1] == "FAILED" && o.sourceCode != 0
	case 4:
		right = said[1] == "PARTIAL" && o.sourceCode != 0
	case 3:
		right = o.hit(theBulker, thePostgres)
	case 6: // the connector did not get as far as to open its pipes
		right = said[1] == "TIME_EXCEEDED" && o.hit(theConnector) && strings.Contains(o.printed, "PIPE_OPEN_TIMEOUT")
	case 143:
		right = said[1] == "CANCELLED" && o.hit(thePod, theSidecarByTERM)
	}
	if !right {
		return fmt.Errorf("it exited with %d and said %s; the connector exited with %d", o.code, said[1], o.sourceCode)
	}
	return nil
}

// signals is how many the sidecar got that ask it to end.
func (o outcome) signals() int {
	n := 0
	for _, victim := range o.struck {
		if victim == thePod || victim == theSidecarByTERM {
			n++
		}
	}
	return n
}

// hit says whether one of them was struck.
func (o outcome) hit(victims ...victim) bool {
	return slices.ContainsFunc(victims, func(v victim) bool { return slices.Contains(o.struck, v) })
}

// abridged keeps a message readable that many streams would flood.
func abridged(cursors map[string]int) map[string]int {
	short := map[string]int{}
	for _, stream := range []string{"customers", "orders", fullRefresh} {
		if at, found := cursors[stream]; found {
			short[stream] = at
		}
	}
	return short
}
