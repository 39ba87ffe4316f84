package chaos

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// paced is a sync of some seconds, with many states.
func paced(more ...string) setup {
	return setup{keyed: true, config: map[string]any{"count": 900, "rate": 300, "interleave": true, "records_per_state": 10},
		more: append([]string{"BATCH_ROWS=40", "STATE_AGE=10ms", "BATCH_AGE=200ms"}, more...)}
}

// TestSignal ends runs by SIGTERM. What was committed stays, the verdict is recorded within the grace period, and the next run goes on.
func TestSignal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		places     places
		faults     map[string]any
		pod        bool // the connector gets the signal, too
		sourceCode int
		grace      time.Duration
	}{
		// The source says what it has not read; nobody closes its pipe before.
		"the whole pod":         {places: bulkerAndPostgres, pod: true, sourceCode: 143, grace: 20 * time.Second},
		"the folder":            {places: folderAlone, pod: true, sourceCode: 143, grace: 20 * time.Second},
		"a source that is slow": {places: bulkerAlone, pod: true, faults: map[string]any{"slow_stop": 0.5}, sourceCode: 143, grace: 20 * time.Second},
		"a source that ends":    {places: bulkerAndPostgres, sourceCode: 0, grace: 20 * time.Second},
		"a source that goes on": {places: bulkerAndPostgres, faults: map[string]any{"ignore_sigterm": true}, pod: true, sourceCode: 1, grace: time.Second},
		"a source that is quiet": {places: folderAlone, grace: 2 * time.Second,
			faults: map[string]any{"silence": map[string]any{"after_row": 300, "seconds": 60}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := servers{}
			if c.places.bulker() {
				to.bulker = startBulker(t)
			}
			if c.places.postgres() {
				to.postgres = postgrestest.Start(t)
			}
			set := paced("SHUTDOWN_GRACE=" + c.grace.String())
			set.places, set.config["faults"] = c.places, c.faults
			s := newScenario(t, set, to)
			s.expect()
			l := s.begin("task")
			until(t, "a third is delivered", func() bool { return s.delivered() > 0.3 })
			began := time.Now()
			l.sidecar.signal(t, syscall.SIGTERM)
			if c.pod {
				l.connector.signal(t, syscall.SIGTERM)
			}
			code := l.sidecar.wait(t, time.Minute)
			if took := time.Since(began); took > c.grace+time.Second {
				t.Errorf("it took %v", took)
			}
			if code != 143 || !strings.Contains(lastLine(l.sidecar.output.String()), "read CANCELLED: cancelled by a signal; ") {
				t.Errorf("exit code %d; it said:\n%s", code, l.sidecar.output.String())
			}
			if c.faults["silence"] != nil {
				l.connector.killTree(t)
			} else if got := l.connector.wait(t, time.Minute); got != c.sourceCode {
				t.Errorf("the connector exited with %d, want %d: %s", got, c.sourceCode, l.connector.output.String())
			}
			s.judged(t, l, "CANCELLED")
			if cursors, err := s.cursors(); err != nil || cursors["orders"] < 60 {
				t.Errorf("saved: %v, %v", cursors, err)
			}
			delete(s.config, "faults")
			s.write("config.json", s.config)
			s.judged(t, s.begin("next"), "SUCCESS")
		})
	}
}

// TestSecondSignal does not wait any more.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	set := paced("SHUTDOWN_GRACE=10m")
	set.places = folderAlone
	set.config["faults"] = map[string]any{"silence": map[string]any{"after_row": 10, "seconds": 600}}
	s := newScenario(t, set, servers{})
	l := s.begin("task")
	until(t, "it listens", func() bool { return strings.Contains(l.sidecar.output.String(), "STARTED") })
	l.sidecar.signal(t, syscall.SIGTERM)
	until(t, "it has heard the first", func() bool { return strings.Contains(l.sidecar.output.String(), "cancelled by SIGTERM") })
	l.sidecar.signal(t, syscall.SIGTERM)
	if code := l.sidecar.wait(t, 10*time.Second); code != 143 {
		t.Errorf("exit code %d", code)
	}
	if status, err := s.taskStatus("task"); err != nil || status != "RUNNING" {
		t.Errorf("recorded %q, %v", status, err)
	}
}

// TestSignalWithoutPostgres has nobody to record the verdict: the last line says so within the grace period, also when the signal comes only then.
func TestSignalWithoutPostgres(t *testing.T) {
	t.Parallel()
	for name, atEnd := range map[string]bool{"while rows come": false, "while the verdict waits": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := paced("SHUTDOWN_GRACE=3s", "JOURNAL_TIMEOUT=10m")
			set.places = bulkerAndPostgres
			to := servers{startBulker(t), postgrestest.Start(t)}
			s := newScenario(t, set, to)
			s.expect()
			l := s.begin("task")
			until(t, "a third is delivered", func() bool { return s.delivered() > 0.3 })
			to.postgres.Kill(t)
			if atEnd {
				l.connector.wait(t, time.Minute)
				until(t, "all is delivered", func() bool { return s.delivered() >= 1 })
			}
			began := time.Now()
			l.sidecar.signal(t, syscall.SIGTERM)
			code := l.sidecar.wait(t, time.Minute)
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %v", took)
			}
			last := lastLine(l.sidecar.output.String())
			if code != 143 && code != 3 || !strings.Contains(last, "could not be recorded") || !strings.Contains(last, "not saved") {
				t.Errorf("exit code %d; it said:\n%s", code, l.sidecar.output.String())
			}
			to.postgres.Restart(t)
		})
	}
}

// TestTwoRuns has two runs of one sync at once: the second refuses and names the first, which is not disturbed.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	for _, places := range []places{folderAlone, bulkerAndPostgres, folderAndPostgres} {
		t.Run(string(places), func(t *testing.T) {
			t.Parallel()
			to := servers{}
			if places.bulker() {
				to.bulker = startBulker(t)
			}
			if places.postgres() {
				to.postgres = postgrestest.Start(t)
			}
			set := paced()
			set.places = places
			s := newScenario(t, set, to)
			s.expect()
			first := s.begin("first")
			until(t, "a third is delivered", func() bool { return s.delivered() > 0.3 })
			second := start(t, append(append([]string(nil), s.env...), "TASK_ID=second"), "sync-sidecar", "sidecar")
			code := second.wait(t, time.Minute)
			if said := second.output.String(); code != 3 || !strings.Contains(said, "task first") {
				t.Errorf("exit code %d; it said:\n%s", code, said)
			}
			s.judged(t, first, "SUCCESS")
		})
	}
}

// TestSignalAtStart ends sidecars that are still connecting: at once, and as cancelled.
func TestSignalAtStart(t *testing.T) {
	t.Parallel()
	set := paced("SHUTDOWN_GRACE=3s")
	set.places = bulkerAndPostgres
	s := newScenario(t, set, servers{startBulker(t), postgrestest.Start(t)})
	if code := start(t, s.env, "sync-sidecar", "init").wait(t, time.Minute); code != 0 {
		t.Fatalf("init exited with %d", code)
	}
	const attempts, step = 24, 8 * time.Millisecond
	for attempt := range attempts {
		sidecar := start(t, append(append([]string(nil), s.env...), "TASK_ID=task"), "sync-sidecar", "sidecar")
		<-time.After(time.Duration(attempt) * step)
		began := time.Now()
		sidecar.signal(t, syscall.SIGTERM)
		code := sidecar.wait(t, time.Minute)
		if took := time.Since(began); code != 143 || took > 5*time.Second {
			t.Errorf("after %v: exit code %d, %v after the signal; it said:\n%s", time.Duration(attempt)*step, code, took, sidecar.output.String())
		}
	}
}
