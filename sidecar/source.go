package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/pipe"
)

// source is the connector as a session sees it: two pipes and an exit status file.
type source struct {
	stdout, stderr *os.File
	exitStatusFile string
	mu             *sync.Mutex // the session's: not held while stdout is waited for
	watchdog       *watchdog   // guarded by mu
	left           time.Time   // when the last read of stdout returned
	entered        time.Time   // when the read that is under way began; zero while we do not listen
}

// openSource opens both pipes at once, since the two sides may open them in any order. It waits for the other side until ctx ends.
func openSource(ctx context.Context, config Config, mu *sync.Mutex, w *watchdog) (*source, error) {
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
	mu.Lock()
	w.open(time.Now())
	mu.Unlock()
	return &source{stdout: file, stderr: other.file, exitStatusFile: config.ExitStatusFile, mu: mu, watchdog: w, left: time.Now()}, nil
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

// Read reads stdout without the session's lock, which the caller holds.
func (s *source) Read(p []byte) (int, error) {
	s.entered = time.Now()
	s.mu.Unlock()
	n, err := s.stdout.Read(p)
	s.mu.Lock()
	s.left, s.entered = time.Now(), time.Time{}
	if n > 0 {
		s.watchdog.output(s.left)
	}
	return n, err
}

// silent is how long we have been listening in vain. Time in which we did not listen, because a destination is slow, is not the source's.
func (s *source) silent(now time.Time) time.Duration {
	if s.entered.IsZero() {
		return 0
	}
	return now.Sub(s.entered)
}

// readBy bounds all reads from now on.
func (s *source) readBy(deadline time.Time) error {
	return errors.Join(s.stdout.SetReadDeadline(deadline), s.stderr.SetReadDeadline(deadline))
}

// logErrors turns stderr into log lines until it ends; true when that was its clean end.
func (s *source) logErrors(logs *Logs, longest int) (bool, error) {
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
		logs.Source(line.Level, line.Message)
	}
}

// exit is how the connector ended, to be asked after both pipes have ended: the shim writes its file before it lets go of them.
func (s *source) exit() (Exit, error) {
	status, err := pipe.ReadExitStatus(s.exitStatusFile)
	switch {
	case err != nil:
		return Exit{}, err
	case status.Phase == pipe.Absent:
		return Exit{Known: ExitUnknown}, nil
	case status.Phase == pipe.Running:
		return Exit{Known: ExitKilled}, nil
	default:
		return Exit{Known: ExitStatus, Code: status.Code, Signal: status.Signal, OutOfMemory: status.OutOfMemory}, nil
	}
}

// close lets go of the pipes. Whoever still writes gets EPIPE, so this comes last.
func (s *source) close() error { return closeAll(s.stdout, s.stderr) }
