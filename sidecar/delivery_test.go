package sidecar

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

	"sync-sidecar/sidecar/airbyte"
)

// stage is a delivery in a synctest bubble, with a destination whose answers the test gives.
type stage struct {
	t        *testing.T
	mu       sync.Mutex
	delivery *delivery
	saved    []SavedState
	loads    []string // "table mode rows" of the loads that succeeded
	limits   Limits
	answer   func(load Load, attempt int, rows io.Reader) error // nil reads all rows
	attempts map[string]int
}

// Load implements Destination.
func (s *stage) Load(ctx context.Context, load Load) error {
	s.mu.Lock()
	s.attempts[load.Table.Name]++
	attempt, answer := s.attempts[load.Table.Name], s.answer
	s.mu.Unlock()
	rows, err := load.Rows.Open(ctx)
	if err != nil {
		return err
	}
	if answer != nil {
		if err := answer(load, attempt, rows); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, rows); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads = append(s.loads, fmt.Sprintf("%s %d %d", load.Table.Name, load.Mode, load.Rows.Count()))
	return nil
}

// Limits implements Destination.
func (s *stage) Limits() Limits { return s.limits }

// String implements Destination.
func (s *stage) String() string { return "stage" }

func newStage(t *testing.T, change func(*Config), streams ...StreamConfig) *stage {
	t.Helper()
	s := &stage{t: t, attempts: map[string]int{}}
	config := DefaultConfig()
	config.Spool.Dir = t.TempDir()
	for i := range streams {
		streams[i].Table.Name = string(rune('a' + i))
		streams[i].Table.Stream = airbyte.StreamDescriptor{Name: streams[i].Table.Name}
	}
	config.Streams = streams
	if change != nil {
		change(&config)
	}
	logs := NewLogs(LogOptions{Local: zerolog.Nop(), Mask: func(text string) string { return text }})
	s.delivery = newDelivery(t.Context(), &s.mu, config, s, logs, func(states []SavedState) { s.saved = append(s.saved, states...) })
	return s
}

// rows hands n rows of a stream over.
func (s *stage) rows(stream, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.delivery.row(s.delivery.streams[stream], []byte(`{"id":1}`), nil)
	}
}

// row hands one row over.
func (s *stage) row(stream int, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivery.row(s.delivery.streams[stream], []byte(data), nil)
}

// state sends a STREAM state.
func (s *stage) state(stream int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = append(s.saved, s.delivery.ledger.streamState(stream, SavedState{Key: fmt.Sprint(stream)})...)
	s.delivery.atState(s.delivery.streams[stream], time.Now())
}

func (s *stage) end(stream int, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivery.end(s.delivery.streams[stream], whole)
}

// tick does what the session's clock does.
func (s *stage) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivery.tick()
}

// finish ends all streams well and waits.
func (s *stage) finish() {
	for stream := range s.delivery.streams {
		s.end(stream, true)
	}
	s.delivery.wait()
}

func (s *stage) expectLoads(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Join(s.loads, ", ") != strings.Join(want, ", ") {
		s.t.Fatalf("loads %q, want %q", s.loads, want)
	}
}

func (s *stage) failure(stream int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivery.streams[stream].err
}

func TestDeliveryFirstLoadReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, StreamConfig{ReplaceFirst: true}, StreamConfig{})
		for _, stream := range []int{0, 1, 0} {
			s.rows(stream, 1)
			synctest.Wait()
		}
		s.finish()
		s.expectLoads("a 1 1", "b 0 1", "a 0 1")
	})
}

func TestDeliveryStatesDoNotCauseRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, StreamConfig{})
		for range 1000 { // ten seconds of a row and a state each 10 ms
			s.rows(0, 1)
			s.state(0)
			time.Sleep(10 * time.Millisecond)
		}
		s.finish()
		if len(s.loads) > 3 || len(s.saved) != len(s.loads) {
			t.Fatalf("%d loads %v and %d saved states for 1000 states", len(s.loads), s.loads, len(s.saved))
		}
	})
}

func TestDeliveryClosesByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, StreamConfig{})
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

// TestDeliveryOverlaps shows that the source and the destination work at the same time, and that the source waits when it is two batches ahead.
func TestDeliveryOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 800 }, StreamConfig{})
		s.answer = func(load Load, _ int, _ io.Reader) error {
			time.Sleep(time.Duration(load.Rows.Count()) * time.Millisecond)
			return nil
		}
		began := time.Now()
		for range 10_000 { // 10 s of source, 10 s of destination
			s.rows(0, 1)
			time.Sleep(time.Millisecond)
		}
		s.finish()
		if took := time.Since(began); took > 11500*time.Millisecond {
			t.Fatalf("source and destination of 10 s each took %v", took)
		}
	})
}

func TestDeliveryRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, StreamConfig{})
		s.answer = func(_ Load, attempt int, _ io.Reader) error {
			if attempt < 5 {
				return &LoadError{Message: "status 500"}
			}
			return nil
		}
		s.rows(0, 3)
		s.state(0)
		s.finish()
		s.expectLoads("a 0 3")
		if s.attempts["a"] != 5 || len(s.saved) != 1 {
			t.Fatalf("%d attempts, %d states saved", s.attempts["a"], len(s.saved))
		}
	})
}

func TestDeliveryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, StreamConfig{}, StreamConfig{})
		s.answer = func(load Load, _ int, _ io.Reader) error {
			if load.Table.Name == "a" {
				return &LoadError{Environment: true, Message: "connection refused"}
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
		if refusal := asLoadError(s.failure(0)); refusal == nil || !refusal.Environment {
			t.Fatalf("the cause is lost: %v", s.failure(0))
		}
	})
}

func TestDeliveryDoesNotRetryWhatCannotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, StreamConfig{})
		s.answer = func(Load, int, io.Reader) error { return &LoadError{Permanent: true, Message: "token too long"} }
		for range 100 { // the source goes on and must not be blocked
			s.rows(0, 1)
		}
		s.finish()
		if s.attempts["a"] != 1 || s.failure(0) == nil {
			t.Fatalf("%d attempts, error %v", s.attempts["a"], s.failure(0))
		}
	})
}

// TestDeliveryWaitsForTheDisk has a slow destination and a spool that holds less than the batches may: the source waits, no stream fails.
func TestDeliveryWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Spool.Memory = 0; c.Spool.Limit = 12 * blockSize }, StreamConfig{}, StreamConfig{}, StreamConfig{})
		s.answer = func(Load, int, io.Reader) error {
			time.Sleep(time.Minute)
			return nil
		}
		for range 12_000 { // 36,000 rows are 5 times the limit
			for stream := range 3 {
				s.row(stream, `{"id":1,"text":"`+strings.Repeat("x", 100)+`"}`)
			}
		}
		s.finish()
		for stream := range 3 {
			if err := s.failure(stream); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestDeliveryStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, StreamConfig{})
		s.answer = func(Load, int, io.Reader) error { return &LoadError{Message: "status 500"} }
		s.rows(0, 1)
		s.state(0)
		synctest.Wait()
		s.delivery.stop(errLoadsCut)
		s.delivery.wait()
		if !errors.Is(s.failure(0), errLoadsCut) || len(s.saved) != 0 {
			t.Fatalf("error %v, saved %v", s.failure(0), s.saved)
		}
	})
}
