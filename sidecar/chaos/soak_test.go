package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/proctest"
)

const (
	soakRows    = 1_000_000
	soakStreams = 200
	soakMemory  = 64 << 20 // bytes that a sidecar may take at most
	soakLimit   = 5 * time.Minute
)

// TestSoakMemory reads a million rows with a state after each of them over 200 streams in turns, and a GLOBAL state after each hundred: memory stays
// flat, and every row arrives.
func TestSoakMemory(t *testing.T) {
	for _, to := range []places{bulkerAlone, folderAlone, tablesAlone} {
		for state, each := range map[string]int{"STREAM": 1, "GLOBAL": 100} {
			t.Run(fmt.Sprintf("%s, %s states", to, state), func(t *testing.T) {
				report, peak, took := soak(t, to, soakStreams, state, each)
				t.Logf("%v, %d MiB, %d states saved", took.Round(time.Millisecond), peak>>20, report.StatesSaved)
				if peak == 0 || peak >= soakMemory {
					t.Errorf("the sidecar took %d bytes of memory", peak)
				}
			})
		}
	}
}

// TestThousandsOfStreams is the same with 5000 streams, as of a database with as many tables: each has its buffer, its state and its place on the
// disk.
func TestThousandsOfStreams(t *testing.T) {
	const streams, most = 5000, 128 << 20
	for _, to := range []places{bulkerAlone, folderAlone} {
		t.Run(string(to), func(t *testing.T) {
			report, peak, took := soak(t, to, streams, "STREAM", 1)
			t.Logf("%v, %d MiB, %d states saved", took.Round(time.Millisecond), peak>>20, report.StatesSaved)
			if peak == 0 || peak >= most {
				t.Errorf("the sidecar took %d bytes of memory", peak)
			}
		})
	}
}

// BenchmarkSoak prints how much longer a million rows take with a state after each over 200 streams in turns than with a state per 10,000 of one
// stream: the median of three each, taken in turns.
func BenchmarkSoak(b *testing.B) {
	const times = 3
	for _, to := range []places{bulkerAlone, folderAlone} {
		b.Run(string(to), func(b *testing.B) {
			for b.Loop() {
				var calm, busy []time.Duration
				for range times {
					_, _, took := soak(b, to, 1, "STREAM", 10_000)
					calm = append(calm, took)
					_, _, took = soak(b, to, soakStreams, "STREAM", 1)
					busy = append(busy, took)
				}
				slices.Sort(calm)
				slices.Sort(busy)
				b.ReportMetric(calm[times/2].Seconds(), "s-one-stream")
				b.ReportMetric(busy[times/2].Seconds(), "s-200-streams")
				b.ReportMetric(busy[times/2].Seconds()/calm[times/2].Seconds(), "ratio")
			}
		})
	}
}

// soak reads soakRows rows of so many streams and gives the report, the sidecar's memory in bytes, and its time. every is the number of rows between
// states.
func soak(t testing.TB, where places, streams int, state string, every int) (sidecar.Report, int64, time.Duration) {
	t.Helper()
	env := []string{"LOG_FORMAT=json"}
	config := map[string]any{"counts": map[string]int{"orders": soakRows}}
	if streams > 1 {
		config = manyStreams(streams, soakRows/streams)
	}
	config["interleave"], config["records_per_state"], config["state_type"] = true, every, state
	server := &bulkerProcess{}
	if where == bulkerAlone {
		server = startBulker(t, "-discard")
	}
	to := servers{bulker: server}
	if where.tables() {
		to.postgres = postgrestest.Start(t)
	}
	s := newScenario(t, setup{places: where, config: config, more: env}, to)
	if streams == 1 {
		s.choose("orders")
	}
	began := time.Now()
	life := s.begin("soak")
	peak := proctest.WatchHighWater(life.sidecar.command.Process.Pid, life.sidecar.done)
	life.sidecar.wait(t, soakLimit)
	took := time.Since(began)
	report := life.report(t)
	var rows int64
	for _, stream := range report.Streams {
		rows += stream.Rows
	}
	if report.Status != sidecar.StatusSuccess || rows != soakRows || len(report.Streams) != streams {
		t.Fatalf("%d rows of %d streams: %s", rows, len(report.Streams), life.sidecar.output.String())
	}
	life.connector.wait(t, time.Minute)
	server.stop()
	return report, <-peak, took
}

// report is the outcome that the sidecar printed; it needs LOG_FORMAT=json.
func (l *life) report(t testing.TB) sidecar.Report {
	t.Helper()
	var line struct {
		Event  string         `json:"event"`
		Report sidecar.Report `json:"report"`
	}
	printed := strings.Split(strings.TrimSpace(l.sidecar.output.String()), "\n")
	for _, text := range slices.Backward(printed) {
		if json.Unmarshal([]byte(text), &line) == nil && line.Event == sidecar.EventReport {
			return line.Report
		}
	}
	t.Fatalf("the sidecar printed no report:\n%s", l.sidecar.output.String())
	return line.Report
}
