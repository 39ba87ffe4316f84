package main

import (
	"io"
	"testing"
	"time"
)

// newBenchRun is a read of orders whose output goes nowhere.
func newBenchRun(t testing.TB, config string) *streamRun {
	t.Helper()
	c, err := parseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	j := &job{config: c, out: newOutput(discard{}), data: newDataset(c), world: world{now: time.Now}}
	j.strikes = newStrikes(&c.Faults, commandRead)
	run, err := newStreamRun(j, c.streams()[orders], configuredStream{SyncMode: incremental, CursorField: []string{cursorUpdatedAt}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	j.runs = append(j.runs, run)
	run.read, run.strikeAt = 1, never
	return run
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return io.Discard.Write(b) }
func (discard) Close() error                { return nil }

// TestNoAllocation: a source that allocates per row would be the bottleneck of what it is there to measure.
func TestNoAllocation(t *testing.T) {
	run := newBenchRun(t, `{"count":4000000000,"records_per_state":7}`)
	allocations := testing.AllocsPerRun(10_000, func() {
		if err := run.job.step(run); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations per row, want 0", allocations)
	}
}

func BenchmarkRows(b *testing.B) {
	for name, config := range map[string]string{"small": `{"count":4000000000}`, "20KB": `{"count":4000000000,"row_bytes":20000}`} {
		b.Run(name, func(b *testing.B) {
			run := newBenchRun(b, config)
			b.ReportAllocs()
			for b.Loop() {
				if err := run.job.step(run); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(run.prefix) + len(run.job.data.appendRow(nil, run.kind, run.shard, run.position)) + len(run.job.emittedAt)))
		})
	}
}
