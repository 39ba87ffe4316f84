package chaos

import (
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// TestPostgresAway has Postgres die while rows come, and come back or not.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	const rows, rate = 600, 200
	for name, c := range map[string]struct {
		back bool
		code int
		said string
	}{
		"comes back in time": {back: true, code: 0, said: "read SUCCESS"},
		"is gone for good":   {back: false, code: 3, said: "600 of 600 rows delivered to bulker at "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := servers{startBulker(t), postgrestest.Start(t)}
			s := newScenario(t, setup{places: bulkerAndPostgres, keyed: true, config: map[string]any{"count": rows, "rate": rate, "interleave": true,
				"records_per_state": 10}, more: []string{"BATCH_ROWS=20", "STATE_AGE=10ms", "BATCH_AGE=200ms", "JOURNAL_TIMEOUT=3s"}}, to)
			s.expect()
			l := s.begin("task")
			until(t, "a state is saved", func() bool { cursors, err := s.cursors(); return err == nil && cursors["orders"] > 0 })
			saved, err := s.cursors()
			s.check(err)
			to.postgres.Kill(t)
			before := s.delivered()
			until(t, "rows go on without Postgres", func() bool { return s.delivered() >= before+0.2 })
			if c.back {
				to.postgres.Restart(t)
			}
			code := l.sidecar.wait(t, time.Minute)
			printed := l.sidecar.output.String()
			if code != c.code || !strings.Contains(lastLine(printed), c.said) {
				t.Errorf("exit code %d, want %d; it said:\n%s", code, c.code, printed)
			}
			if c.back {
				s.judged(t, l, "SUCCESS")
				return
			}
			for _, part := range []string{"could not be recorded", "not saved: the next run reads their rows again"} {
				if !strings.Contains(lastLine(printed), part) {
					t.Errorf("the last line does not say %q: %s", part, lastLine(printed))
				}
			}
			to.postgres.Restart(t)
			later, err := s.cursors()
			s.check(err)
			if later["orders"] < saved["orders"] || later["orders"] >= len(s.expected["orders"]) {
				t.Errorf("saved %v before Postgres died, %v after", saved, later)
			}
			s.judged(t, s.begin("next"), "SUCCESS")
		})
	}
}

// judged waits for the end of a run and checks everything that its status promises.
func (s *scenario) judged(t *testing.T, l *life, status string) outcome {
	t.Helper()
	o := l.end()
	if o.status != status {
		t.Fatalf("recorded %q, want %s; exit code %d; it said:\n%s", o.status, status, o.code, o.printed)
	}
	s.check(s.covered(s.streams()))
	s.check(s.wholeOnly())
	if status == "SUCCESS" {
		s.check(s.complete())
	}
	return o
}

// until waits for something that must happen soon.
func until(t testing.TB, what string, happened func() bool) {
	t.Helper()
	const limit = 30 * time.Second
	deadline := time.Now().Add(limit)
	for !happened() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// lastLine is the last one that is not empty.
func lastLine(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return all[len(all)-1]
}
