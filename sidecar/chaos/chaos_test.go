package chaos

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

const (
	presetRuns = 320 // lives of a sidecar in one test run; CHAOS_RUNS asks for more
	workers    = 4   // scenarios at a time; each worker has a Bulker and a Postgres of its own
	calmAfter  = 6   // runs of a scenario that are disturbed
	mostRuns   = 12  // runs of a scenario after which it must have succeeded
)

// TestKillMatrix kills the parts of syncs at random moments, resumes each sync until a run succeeds, and checks after every run that no state is
// ahead of its rows (I1), that no full refresh was shown in part (I6), and that the verdict is right (I2, I3); in the end, that every row is there
// as often as promised.
func TestKillMatrix(t *testing.T) {
	runs := number(t, "CHAOS_RUNS", presetRuns)
	first := uint64(number(t, "CHAOS_SEED", 1))
	single := os.Getenv("CHAOS_SEED") != ""
	var lives, next atomic.Int64
	for worker := range workers {
		t.Run(fmt.Sprint("worker", worker), func(t *testing.T) {
			t.Parallel()
			postgres, bulker := postgrestest.Start(t), startBulker(t)
			for lives.Load() < int64(runs) && !t.Failed() {
				seed := first + uint64(next.Add(1)-1)
				if single && seed > first {
					return
				}
				t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
					lives.Add(int64(play(t, seed, bulker, postgres)))
				})
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d lives of a sidecar", lives.Load()) })
}

// number is a variable's value, or a preset.
func number(t testing.TB, variable string, preset int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return preset
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// play runs a scenario to its end and gives the number of its runs.
func play(t *testing.T, seed uint64, bulker *bulkerProcess, postgres *postgrestest.Server) int {
	bulker.kill()
	bulker.dir = t.TempDir()
	bulker.t = t
	s := newScenario(t, seed, bulker, postgres)
	bulker.restart()
	for run := 1; run <= mostRuns; run++ {
		done := s.live(run)
		s.bulker.kill()
		s.checkStates()
		s.checkFullRefresh()
		if done {
			s.checkRows()
			return run
		}
		s.bulker.restart()
	}
	s.failf("no run succeeded")
	return mostRuns
}

// live is one life of the sidecar; true when it says SUCCESS.
func (s *scenario) live(run int) bool {
	s.t.Helper()
	task := fmt.Sprintf("task-%d-%d", s.seed, run)
	env := append(append([]string(nil), s.env...), "TASK_ID="+task, fmt.Sprintf("STARTED_AT=%s", time.Now().UTC().Format(time.RFC3339)))
	prepare := start(s.t, env, "sync-sidecar", "init", "--load-state")
	if code := prepare.wait(s.t, time.Minute); code != 0 {
		s.failf("run %d: init exited with %d: %s", run, code, prepare.output.String())
	}
	source := start(s.t, env, "sync-sidecar", "exec", "--", programs(s.t)+"/source-demo", "read", "--config", s.path("config.json"),
		"--catalog", s.path("catalog.json"), "--state", s.path("state.json"))
	sidecar := start(s.t, env, "sync-sidecar", "sidecar")
	victim := s.disturb(run, source, sidecar)
	code := sidecar.wait(s.t, 2*time.Minute)
	if code == 137 {
		source.killTree(s.t)
		source.kill() // in a pod it would get EPIPE; what it does then is not ours to test
	}
	sourceCode := source.wait(s.t, time.Minute)
	status := s.task(task)
	s.note("run %d: %s; source exit %d, sidecar exit %d, task %q, states %v", run, victim, sourceCode, code, status, s.cursors())
	s.checkVerdict(run, code, sourceCode, status, sidecar)
	return code == 0
}

// checkVerdict holds the exit code, the recorded status and what happened against each other.
func (s *scenario) checkVerdict(run, code, sourceCode int, status string, sidecar *process) {
	s.t.Helper()
	statuses := map[int][]string{0: {"SUCCESS"}, 1: {"FAILED"}, 3: {"FAILED", "PARTIAL", "RUNNING", ""}, 4: {"PARTIAL"}, 137: {"", "RUNNING", "SUCCESS", "PARTIAL", "FAILED"}}
	allowed, known := statuses[code]
	right := false
	for _, each := range allowed {
		right = right || each == status
	}
	if !known || !right {
		s.failf("run %d: the sidecar exited with %d and recorded %q; it said:\n%s", run, code, status, sidecar.output.String())
	}
	if code == 0 && sourceCode != 0 {
		s.failf("run %d: SUCCESS though the connector exited with %d", run, sourceCode)
	}
}

// disturb kills one part at a random moment and, when it is a server, starts it again a little later.
func (s *scenario) disturb(run int, source, sidecar *process) string {
	s.t.Helper()
	if run > calmAfter {
		return "calm"
	}
	delay := time.Duration(s.random.IntN(1200)) * time.Millisecond
	outage := time.Duration(s.random.IntN(600)) * time.Millisecond
	victim := s.random.IntN(10)
	<-time.After(delay)
	switch {
	case victim < 4:
		sidecar.kill()
		return fmt.Sprintf("sidecar killed after %v", delay)
	case victim < 5:
		source.killTree(s.t)
		return fmt.Sprintf("source killed after %v", delay)
	case victim < 6:
		source.killTree(s.t)
		source.kill()
		return fmt.Sprintf("source and shim killed after %v", delay)
	case victim < 8 && s.places == bulkerAndPostgres:
		s.bulker.kill()
		<-time.After(outage)
		s.bulker.restart()
		return fmt.Sprintf("Bulker killed after %v for %v", delay, outage)
	case victim < 9 && s.places != folderAlone:
		s.postgres.Kill(s.t)
		<-time.After(outage)
		s.postgres.Restart(s.t)
		return fmt.Sprintf("Postgres killed after %v for %v", delay, outage)
	}
	return "undisturbed"
}
