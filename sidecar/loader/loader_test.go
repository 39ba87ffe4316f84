package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/sidecartest"
	"sync-sidecar/sidecar/spool"
)

// stage is a loader in a synctest bubble, with a destination whose answers the test gives.
type stage struct {
	t           *testing.T
	loader      *Loader
	config      Config
	streams     []sidecar.StreamConfig
	destination sidecartest.Destination
	answer      func(load sidecar.Load, attempt int, rows io.Reader) error // nil reads all rows

	mu    sync.Mutex
	saved []sidecar.SavedState
}

func newStage(t *testing.T, change func(*Config), streams ...sidecar.StreamConfig) *stage {
	t.Helper()
	s := &stage{t: t}
	s.destination.OnLoad = func(_ context.Context, load sidecar.Load, attempt int, rows io.Reader) error {
		if s.answer == nil {
			return nil
		}
		return s.answer(load, attempt, rows)
	}
	config := DefaultConfig()
	config.Spool.Dir, config.Spool.MinFree = t.TempDir(), 0
	for i := range streams {
		streams[i].Table.Name = string(rune('a' + i))
		streams[i].Table.Stream = airbyte.StreamDescriptor{Name: streams[i].Table.Name}
	}
	if change != nil {
		change(&config)
	}
	s.config, s.streams = config, streams
	s.relaunch(sidecar.Capabilities{})
	return s
}

// relaunch makes the loader for a destination that can do this.
func (s *stage) relaunch(capabilities sidecar.Capabilities) {
	s.destination.Can = capabilities
	logger := logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string { return text }})
	s.loader = New(s.t.Context(), s.config, s.streams, &s.destination, logger, func(_ int64, states []sidecar.SavedState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.saved = append(s.saved, states...)
	})
}

// onDisk says that rows of a load are on the disk.
func (s *stage) onDisk(load sidecar.Load) bool {
	rows, ok := load.Rows.(*spool.Spool)
	return ok && rows.OnDisk()
}

// rows hands n rows of a stream over.
func (s *stage) rows(stream, n int) {
	for range n {
		s.row(stream, `{"id":1}`)
	}
}

// row hands one row over.
func (s *stage) row(stream int, data string) { s.loader.Row(stream, []byte(data), nil) }

// state sends a STREAM state.
func (s *stage) state(stream int) {
	s.loader.StreamState(stream, sidecar.SavedState{Key: fmt.Sprint(stream)}, time.Now())
}

func (s *stage) end(stream int, whole bool) { s.loader.End(stream, whole) }

// tick does what the session's clock does.
func (s *stage) tick() { s.loader.Tick(time.Now()) }

// finish ends all streams well and waits.
func (s *stage) finish() {
	for stream := range s.loader.streams {
		s.end(stream, true)
	}
	s.loader.Wait()
}

// loads are the loads that succeeded, each as "table mode rows".
func (s *stage) loads() []string {
	var loads []string
	for _, load := range s.destination.Loads() {
		loads = append(loads, load.String())
	}
	return loads
}

// attempts is how often loads of a table were tried.
func (s *stage) attempts(table string) int { return s.destination.Attempts(sidecar.Table{Name: table}) }

func (s *stage) expectLoads(want ...string) {
	s.t.Helper()
	if strings.Join(s.loads(), ", ") != strings.Join(want, ", ") {
		s.t.Fatalf("loads %q, want %q", s.loads(), want)
	}
}

func (s *stage) failure(stream int) error { return s.loader.Progress()[stream].Err }

func TestLoaderFirstLoadReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, sidecar.StreamConfig{Mode: sidecar.ReplaceFirst}, sidecar.StreamConfig{})
		for _, stream := range []int{0, 1, 0} {
			s.rows(stream, 1)
			synctest.Wait()
		}
		s.finish()
		s.expectLoads("a 1 1", "b 0 1", "a 0 1")
	})
}

func TestLoaderStatesDoNotCauseRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, sidecar.StreamConfig{})
		for range 1000 { // ten seconds of a row and a state each 10 ms
			s.rows(0, 1)
			s.state(0)
			time.Sleep(10 * time.Millisecond)
		}
		s.finish()
		if len(s.loads()) > 3 || len(s.saved) != len(s.loads()) {
			t.Fatalf("%d loads %v and %d saved states for 1000 states", len(s.loads()), s.loads(), len(s.saved))
		}
	})
}

func TestLoaderClosesByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, sidecar.StreamConfig{})
		s.rows(0, 3)
		time.Sleep(29 * time.Second)
		s.tick()
		s.expectLoads()
		time.Sleep(time.Second)
		s.tick()
		synctest.Wait()
		s.expectLoads("a 0 3")
		s.finish()
	})
}

// TestLoaderOverlaps shows that the connector and the destination work at the same time, and that the connector waits when it is two batches ahead.
func TestLoaderOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 800 }, sidecar.StreamConfig{})
		s.answer = func(load sidecar.Load, _ int, _ io.Reader) error {
			time.Sleep(time.Duration(load.Rows.Count()) * time.Millisecond)
			return nil
		}
		began := time.Now()
		for range 10_000 { // 10 s of connector, 10 s of destination
			s.rows(0, 1)
			time.Sleep(time.Millisecond)
		}
		s.finish()
		if took := time.Since(began); took > 11500*time.Millisecond {
			t.Fatalf("connector and destination of 10 s each took %v", took)
		}
	})
}

func TestLoaderRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, sidecar.StreamConfig{})
		s.answer = func(_ sidecar.Load, attempt int, _ io.Reader) error {
			if attempt < 5 {
				return &sidecar.LoadError{Message: "status 500"}
			}
			return nil
		}
		s.rows(0, 3)
		s.state(0)
		s.finish()
		s.expectLoads("a 0 3")
		if s.attempts("a") != 5 || len(s.saved) != 1 {
			t.Fatalf("%d attempts, %d states saved", s.attempts("a"), len(s.saved))
		}
	})
}

func TestLoaderGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, sidecar.StreamConfig{}, sidecar.StreamConfig{})
		s.answer = func(load sidecar.Load, _ int, _ io.Reader) error {
			if load.Table.Name == "a" {
				return &sidecar.LoadError{Environment: true, Message: "connection refused"}
			}
			return nil
		}
		began := time.Now()
		s.rows(0, 3)
		s.rows(1, 3)
		s.state(0)
		s.state(1)
		s.finish()
		if took := time.Since(began); took < 10*time.Minute || took > 11*time.Minute {
			t.Fatalf("gave up after %v", took)
		}
		s.expectLoads("b 0 3")
		if err := s.failure(0); err == nil || !strings.Contains(err.Error(), "connection refused") || s.failure(1) != nil {
			t.Fatalf("errors %v, %v", s.failure(0), s.failure(1))
		}
		if len(s.saved) != 1 || s.saved[0].Key != "1" {
			t.Fatalf("saved %v", s.saved)
		}
		if refusal := sidecar.AsLoadError(s.failure(0)); refusal == nil || !refusal.Environment {
			t.Fatalf("the cause is lost: %v", s.failure(0))
		}
	})
}

func TestLoaderDoesNotRetryWhatCannotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, sidecar.StreamConfig{})
		s.answer = func(sidecar.Load, int, io.Reader) error {
			return &sidecar.LoadError{Permanent: true, Message: "token too long"}
		}
		for range 100 { // the connector goes on and must not be blocked
			s.rows(0, 1)
		}
		s.finish()
		if s.attempts("a") != 1 || s.failure(0) == nil {
			t.Fatalf("%d attempts, error %v", s.attempts("a"), s.failure(0))
		}
	})
}

func TestLoaderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, sidecar.StreamConfig{})
		s.answer = func(sidecar.Load, int, io.Reader) error { return &sidecar.LoadError{Message: "status 500"} }
		s.rows(0, 1)
		s.state(0)
		synctest.Wait()
		s.loader.Stop(ErrCut)
		s.loader.Wait()
		if !errors.Is(s.failure(0), ErrCut) || len(s.saved) != 0 {
			t.Fatalf("error %v, saved %v", s.failure(0), s.saved)
		}
	})
}
