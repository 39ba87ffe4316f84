package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/cause"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/verdict"
)

// tickInterval is how often a session looks at its deadlines and the age of its batches.
const tickInterval = 500 * time.Millisecond

// source is the connector as a session sees it: two pipes and an exit status file.
type source struct {
	stdout         *os.File
	stderr         *os.File
	exitStatusFile string
	watchdog       *watchdog
	idle           func(now time.Time, due bool) // is called before each read; due about twice a second
	entered        atomic.Int64                  // Unix nanoseconds when the read that is under way began; 0 while we do not listen

	// The reader's:
	left time.Time // when the last read of stdout returned
	next time.Time // when the clock ticks next

	mu sync.Mutex
	// +checklocks:mu
	stopAt time.Time // no read goes on after it; zero is no limit
}

// openSource opens both pipes at once, since the two sides may open them in any order. It waits for the other side until ctx ends.
func openSource(ctx context.Context, config Config, w *watchdog, idle func(time.Time, bool)) (*source, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type opened struct {
		file *os.File
		err  error
	}
	stderr := make(chan opened, 1)
	go func() {
		file, err := pipe.OpenReader(ctx, config.StderrPipe)
		if err != nil {
			cancel()
		}
		stderr <- opened{file, err}
	}()
	file, err := pipe.OpenReader(ctx, config.StdoutPipe)
	if err != nil {
		cancel()
	}
	other := <-stderr
	if err != nil || other.err != nil {
		return nil, errors.Join(err, other.err, closeAll(file, other.file))
	}
	now := time.Now()
	w.open(now)
	return &source{stdout: file, stderr: other.file, exitStatusFile: config.ExitStatusFile, watchdog: w, idle: idle, left: now}, nil
}

func closeAll(files ...*os.File) error {
	var all []error
	for _, file := range files {
		if file != nil {
			all = append(all, file.Close())
		}
	}
	return errors.Join(all...)
}

// Read reads stdout. Before each read the session's own clock may tick; a read of a source that says nothing ends for that and begins again.
func (s *source) Read(p []byte) (int, error) {
	for {
		now := time.Now()
		due := !now.Before(s.next)
		s.idle(now, due)
		if due {
			s.next = now.Add(tickInterval)
			s.wakeAt(s.next)
		}
		s.entered.Store(now.UnixNano())
		n, err := s.stdout.Read(p)
		s.left = time.Now()
		s.entered.Store(0)
		if n > 0 {
			s.watchdog.output(s.left)
		}
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !s.stopped() {
			continue
		}
		return n, err
	}
}

// wakeAt lets the next read end at a time when nothing comes, or earlier when reading is to stop.
func (s *source) wakeAt(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopAt.IsZero() && s.stopAt.Before(at) {
		at = s.stopAt
	}
	_ = s.stdout.SetReadDeadline(at) //nolint:errcheck // of a pipe that is closed the read itself says so
}

// stopped says that no read goes on any more.
func (s *source) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.stopAt.IsZero() && !time.Now().Before(s.stopAt)
}

// silent is how long we have been listening in vain. Time in which we did not listen, because a destination is slow, is not the source's.
func (s *source) silent(now time.Time) time.Duration {
	entered := s.entered.Load()
	if entered == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, entered))
}

// readBy bounds all reads from now on.
func (s *source) readBy(deadline time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopAt = deadline
	wake := deadline
	if tick := time.Now().Add(tickInterval); tick.Before(wake) {
		wake = tick
	}
	return errors.Join(s.stdout.SetReadDeadline(wake), s.stderr.SetReadDeadline(deadline))
}

// logStderr turns stderr into log lines until it ends; true when that was its clean end. words learns what was said.
func (s *source) logStderr(logger *logs.Logger, longest int, words *cause.Tail) (bool, error) {
	reader := airbyte.NewLogReader(s.stderr, longest)
	for {
		line, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("read stderr of the connector: %w", err)
		}
		words.Add(logger.Source(line.Level, line.Message), failedLevel(line.Level))
	}
}

// failedLevel says that a log line of a level tells of a failure.
func failedLevel(level airbyte.Level) bool {
	return level == airbyte.LevelError || level == airbyte.LevelFatal
}

// exit is how the connector ended, to be asked after both pipes have ended: the shim writes its file before it lets go of them.
func (s *source) exit() (verdict.Exit, error) {
	status, err := pipe.ReadExitStatus(s.exitStatusFile)
	switch {
	case err != nil:
		return verdict.Exit{}, err
	case status.Phase == pipe.Absent:
		return verdict.Exit{Known: verdict.ExitUnknown}, nil
	case status.Phase == pipe.Running:
		return verdict.Exit{Known: verdict.ExitKilled}, nil
	default:
		return verdict.Exit{Known: verdict.ExitStatus, Code: status.Code, Signal: status.Signal, OutOfMemory: status.OutOfMemory}, nil
	}
}

// close lets go of the pipes. Whoever still writes gets EPIPE, so this comes last.
func (s *source) close() error { return closeAll(s.stdout, s.stderr) }
