package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

const (
	presetRuns = 320 // lives of a sidecar in one test run; CHAOS_RUNS asks for more
	workers    = 5   // scenarios at a time; each worker has a Bulker and a Postgres of its own
	calmAfter  = 6   // runs of a scenario that are disturbed
	mostRuns   = 9   // runs of a scenario after which it must have succeeded
)

// TestKillMatrix kills the parts of syncs at random moments, resumes each sync until a run succeeds, and checks that no state is ever ahead of its
// rows (I1), that no full refresh was ever shown in part (I6), and that each verdict is right (I2, I3); in the end, that every row is there as often
// as promised. CHAOS_SEED=n plays one scenario again, as exactly as the machine's timing lets it; CHAOS_FIRST=n begins with other scenarios.
func TestKillMatrix(t *testing.T) {
	runs := number(t, "CHAOS_RUNS", presetRuns)
	first := uint64(number(t, "CHAOS_FIRST", 1))
	if seed := os.Getenv("CHAOS_SEED"); seed != "" {
		first, runs = uint64(number(t, "CHAOS_SEED", 1)), 1
	}
	var lives, next, looks, tables atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d lives of a sidecar (%d of them with tables of Postgres), seeds %d to %d, %d looks while they ran", lives.Load(), tables.Load(), first,
			first+uint64(next.Load())-1, looks.Load())
		if lives.Load() > workers && looks.Load() == 0 {
			t.Error("nobody looked while they ran")
		}
	})
	for worker := range min(workers, runs) {
		t.Run(fmt.Sprint("worker", worker), func(t *testing.T) {
			t.Parallel()
			shared := servers{startBulker(t), postgrestest.Start(t)}
			for lives.Load() < int64(runs) && !t.Failed() {
				seed := first + uint64(next.Add(1)-1)
				t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
					p := play(t, seed, shared, &lives)
					looks.Add(int64(p.looks))
					if p.places.tables() {
						tables.Add(int64(p.runs))
					}
				})
			}
		})
	}
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

// play runs a scenario to its end.
func play(t *testing.T, seed uint64, shared servers, lives *atomic.Int64) *scenario {
	t.Helper()
	shared.bulker.fresh(t)
	s := newScenario(t, drawSetup(seed), shared)
	s.note("CHAOS_SEED=%d plays this again", seed)
	s.expect()
	for run := 1; run <= mostRuns; run++ {
		var strikes []strike
		if run <= calmAfter {
			strikes = drawStrikes(rand.New(rand.NewPCG(seed, uint64(run))), s.places)
		}
		lives.Add(1)
		s.runs = run
		outcome := s.live(run, strikes)
		s.check(s.covered(s.streams()))
		s.check(s.wholeOnly())
		s.check(s.exact(s.streams()))
		if outcome.code == 0 {
			s.check(s.complete())
			return s
		}
	}
	s.failf("no run succeeded")
	return s
}

// check fails with an error.
func (s *scenario) check(err error) {
	s.t.Helper()
	if err != nil {
		s.failf("%v", err)
	}
}

// drawSetup draws a sync. Everything comes from the seed.
func drawSetup(seed uint64) setup {
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	set := setup{id: seed, keyed: random.IntN(3) > 0,
		places: []places{bulkerAndPostgres, folderAlone, folderAndPostgres, tablesAlone, tablesAlone, tablesAndPostgres}[random.IntN(6)]}
	rows := 300 + random.IntN(1200)
	set.config = map[string]any{"count": rows}
	if random.IntN(12) == 0 {
		each := 5 + random.IntN(10)
		set.config, rows = manyStreams(soakStreams, each), each*soakStreams
	}
	for setting, value := range map[string]any{
		"seed": seed % 5, "rate": rows * (1 + random.IntN(3)) / 2,
		"records_per_state": []int{1, 3, 20, 100, 500}[random.IntN(5)], "state_type": pick("STREAM", "STREAM", "GLOBAL", "LEGACY"),
		"interleave": random.IntN(4) > 0, "update_every": []int{0, 0, 2, 7}[random.IntN(4)], "no_statuses": random.IntN(6) == 0,
		"faults": map[string]any{"repeat_states": random.IntN(6) == 0, "late_states": random.IntN(6) == 0},
	} {
		set.config[setting] = value
	}
	set.more = []string{
		fmt.Sprint("BATCH_ROWS=", 8*(1+random.IntN(100))), fmt.Sprint("BATCH_BYTES=", 4096<<random.IntN(12)), "STATE_AGE=" + pick("1ms", "50ms", "500ms"),
		"BATCH_AGE=" + pick("100ms", "2s"), fmt.Sprint("SPOOL_MEMORY=", random.IntN(2)*1_000_000), fmt.Sprint("LOAD_CONCURRENCY=", 1+random.IntN(4)),
		"SHUTDOWN_GRACE=8s", "DB_LOG_LEVEL=" + pick("INFO", "ERROR"),
	}
	return set
}

// manyStreams configures source-demo for so many streams with as many rows each: the streams of orders share six tenths of the count.
func manyStreams(streams, each int) map[string]any {
	const named = 2 // customers and products
	return map[string]any{"streams": streams, "counts": map[string]int{"customers": each, fullRefresh: each},
		"count": each * (streams - named) * 10 / 6}
}
