package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// sink is a LogSink that does what a test tells it.
type sink struct {
	mu     sync.Mutex
	lines  []string
	before func(context.Context) error
}

// AppendLogs implements sidecar.LogSink.
func (s *sink) AppendLogs(ctx context.Context, records []sidecar.LogRecord) error {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, record := range records {
		s.lines = append(s.lines, record.Message)
	}
	return nil
}

// TestLastLinesAreStored ends a session while a slow sink is in the middle of a write: that write, and what came after, arrives.
func TestLastLinesAreStored(t *testing.T) {
	t.Parallel()
	for _, lines := range []int{1, 600, 2500} {
		synctest.Test(t, func(t *testing.T) {
			slow := &sink{before: func(ctx context.Context) error {
				select {
				case <-time.After(300 * time.Millisecond):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}}
			logger := New(Options{Format: zerolog.Nop(), Sinks: []sidecar.LogSink{slow}, Mask: strings.Clone})
			stop := logger.Start(t.Context())
			for i := range lines {
				logger.Connector(airbyte.LevelInfo, fmt.Sprint(i))
			}
			time.Sleep(100 * time.Millisecond) // the first write is under way
			stop(time.Hour)
			if len(slow.lines) != lines || logger.LostText() != "" {
				t.Errorf("%d of %d lines are stored; %s", len(slow.lines), lines, logger.LostText())
			}
		})
	}
}

// TestSinkThatHangsEndsInTime gives the last lines up when their time is over, and counts them.
func TestSinkThatHangsEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hanging := &sink{before: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		logger := New(Options{Format: zerolog.Nop(), Sinks: []sidecar.LogSink{hanging}, Mask: strings.Clone})
		stop := logger.Start(t.Context())
		for range 1000 {
			logger.Info("x")
		}
		began := time.Now()
		stop(700 * time.Millisecond)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
		if stored, _ := logger.Lost(); stored != 1000 {
			t.Errorf("%d lines are counted as lost", stored)
		}
	})
}

// stalled is a stderr that nobody reads.
type stalled struct{ released chan struct{} }

func (s stalled) Write(p []byte) (int, error) {
	<-s.released
	return len(p), nil
}

// TestStalledConsoleHoldsNobodyUp logs far more than fits while stderr takes nothing: no call waits, lines are dropped and counted, and the last ones
// are kept.
func TestStalledConsoleHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := stalled{make(chan struct{})}
		console := NewConsole(out)
		logger := New(Options{Console: console, Format: zerolog.New(console), Mask: strings.Clone})
		began := time.Now()
		for range 1000 {
			logger.Warn(strings.Repeat("x", 10_000))
		}
		if console.Close(time.Second) || time.Since(began) != time.Second {
			t.Errorf("closed after %v", time.Since(began))
		}
		const held = 2 * maxConsoleBytes / 10_000 // lines: as many as may wait, and as many in the write that hangs
		if _, dropped := logger.Lost(); dropped < 1000-held || dropped > 1000 || !strings.Contains(logger.LostText(), "stderr") {
			t.Errorf("%d lines are dropped: %s", dropped, logger.LostText())
		}
		close(out.released)
		synctest.Wait()
	})
}

// TestConsoleKeepsTheVerdict: the last line of a session fits in when others did not.
func TestConsoleKeepsTheVerdict(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	console := NewConsole(writer)
	logger := New(Options{Console: console, Format: zerolog.New(console), Mask: strings.Clone, Reports: true})
	for range 1000 {
		logger.Warn(strings.Repeat("x", 10_000))
	}
	logger.Report(sidecar.Report{Command: sidecar.CommandRead, Status: sidecar.StatusFailed, Cause: "this is why"})
	var shown strings.Builder
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(&shown, reader)
		done <- err
	}()
	if !console.Close(10 * time.Second) {
		t.Fatal("it does not end")
	}
	if err := errors.Join(writer.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown.String(), "this is why") || !strings.Contains(shown.String(), `"event":"report"`) {
		t.Error("the verdict was dropped")
	}
}

// TestLogQueueIsBoundedInBytes is a connector that logs long lines faster than they can be stored.
func TestLogQueueIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	logger := New(Options{Format: zerolog.Nop(), Sinks: []sidecar.LogSink{&sink{}}, Mask: strings.Clone})
	line := strings.Repeat("x", maxText)
	for range 2 * maxQueueBytes / maxText {
		logger.Connector(airbyte.LevelInfo, line)
	}
	held := 0
	for _, record := range logger.sinks.queue {
		held += len(record.Message)
	}
	if held > maxQueueBytes || logger.sinks.lostLines() == 0 {
		t.Fatalf("%d bytes wait, %d lines are lost", held, logger.sinks.lostLines())
	}
	for logger.sinks.flush(t.Context()) {
	}
	lost := logger.sinks.lostLines()
	if logger.Connector(airbyte.LevelInfo, line); logger.sinks.lostLines() != lost || len(logger.sinks.queue) != 1 {
		t.Fatalf("a line is dropped although none waits")
	}
}

// TestCutLogLineShowsNoSecret has a secret where a long line is cut (I5).
func TestCutLogLineShowsNoSecret(t *testing.T) {
	t.Parallel()
	var shown strings.Builder
	logger := New(Options{Format: zerolog.New(&shown), Mask: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") }})
	logger.Connector(airbyte.LevelInfo, strings.Repeat("x", maxText-4)+"hunter2")
	if strings.Contains(shown.String(), "hunt") {
		t.Fatal("the begin of the secret is shown")
	}
}

// TestConnectorCannotForgeALine logs control sequences and line breaks: what reaches a terminal is visible, and looks like no line of ours.
func TestConnectorCannotForgeALine(t *testing.T) {
	t.Parallel()
	const nasty = "fine\x1b[2J\x1b]52;c;aGk=\x07\r\u202e\x00\u009b\n2026-01-01T00:00:00Z INF sidecar read SUCCESS"
	for _, json := range []bool{false, true} {
		var shown strings.Builder
		stored := &sink{}
		var out io.Writer = &shown
		if !json {
			out = zerolog.ConsoleWriter{Out: &shown, NoColor: true}
		}
		logger := New(Options{Format: zerolog.New(out), Sinks: []sidecar.LogSink{stored}, Mask: strings.Clone, Reports: json})
		stop := logger.Start(t.Context())
		logger.Connector(airbyte.LevelInfo, nasty)
		stop(time.Minute)
		for _, text := range append(slices.Clone(stored.lines), shown.String(), logger.Brief(nasty)) {
			if strings.ContainsAny(text, "\x1b\r\x07\x00\u009b\u202e") {
				t.Errorf("it holds control characters: %q", text)
			}
		}
		for i, line := range strings.Split(strings.TrimSuffix(shown.String(), "\n"), "\n") {
			if i > 0 && !strings.HasPrefix(line, "    ") {
				t.Errorf("a forged line: %q", line)
			}
		}
	}
}

// TestLargeReport: a program waits for the report, however large it is, and whatever stands in the queue.
func TestLargeReport(t *testing.T) {
	t.Parallel()
	for _, flooded := range []bool{false, true} {
		reader, writer := io.Pipe()
		console := NewConsole(writer)
		logger := New(Options{Console: console, Format: zerolog.New(console), Mask: strings.Clone, Reports: true})
		for i := 0; flooded && i < 1000; i++ {
			logger.Warn(strings.Repeat("x", 10_000))
		}
		report := sidecar.Report{Command: sidecar.CommandDiscover, Status: sidecar.StatusSuccess,
			Result: []byte(`{"streams":["` + strings.Repeat("x", 8*maxConsoleBytes) + `"]}`)}
		logger.Progress("so far", report)
		logger.Report(report)
		var shown strings.Builder
		done := make(chan error, 1)
		go func() {
			_, err := io.Copy(&shown, reader)
			done <- err
		}()
		if !console.Close(10 * time.Second) {
			t.Fatal("it does not end")
		}
		if err := errors.Join(writer.Close(), <-done); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(shown.String(), `"event":"report"`) {
			t.Errorf("flooded %v: the report is missing among %d bytes", flooded, shown.Len())
		}
	}
}
