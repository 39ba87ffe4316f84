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

// connector is the connector as a session sees it: two pipes and an exit status file.
type connector struct {
	stdout         *os.File
	stderr         *os.File
	exitStatusFile string
	watchdog       *watchdog
	idle           func(now time.Time, due bool) // is called before each read, with due about twice a second
	entered        atomic.Int64                  // Unix nanoseconds when the read that is under way began; 0 when none is

	// The reader's:
	left time.Time // when the last read of stdout returned
	next time.Time // when the clock ticks next

	mu sync.Mutex
	// +checklocks:mu
	stopAt time.Time // no read goes on after it; zero is no limit
}

// openConnector opens both pipes at the same time, since the connector may open them in any order. It waits for the connector until ctx ends.
func openConnector(ctx context.Context, config Config, w *watchdog, idle func(time.Time, bool)) (*connector, error) {
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
	return &connector{stdout: file, stderr: other.file, exitStatusFile: config.ExitStatusFile, watchdog: w, idle: idle, left: now}, nil
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

// Read reads stdout. Before each read it lets the session's clock tick; while the connector says nothing, a read ends for that now and then, and is
// begun again.
func (c *connector) Read(p []byte) (int, error) {
	c.entered.Store(time.Now().UnixNano())
	for {
		now := time.Now()
		due := !now.Before(c.next)
		c.idle(now, due)
		if after := time.Now(); after.Sub(now) > tickInterval/5 {
			c.entered.Store(after.UnixNano()) // the tick had to wait: we did not listen
		}
		if due {
			c.next = now.Add(tickInterval)
			c.wakeAt(c.next)
		}
		n, err := c.stdout.Read(p)
		c.left = time.Now()
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !c.stopped() {
			continue
		}
		c.entered.Store(0)
		if n > 0 {
			c.watchdog.output(c.left)
		}
		return n, err
	}
}

// wakeAt makes the next read end at a time when nothing comes until then, or earlier when reading is to stop.
func (c *connector) wakeAt(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopAt.IsZero() && c.stopAt.Before(at) {
		at = c.stopAt
	}
	_ = c.stdout.SetReadDeadline(at) //nolint:errcheck // of a pipe that is closed the read itself says so
}

// stopped says that no read goes on any more.
func (c *connector) stopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.stopAt.IsZero() && !time.Now().Before(c.stopAt)
}

// silent is how long the read that is under way has waited in vain. The connector is not to blame for time without a read: a destination is slow
// then.
func (c *connector) silent(now time.Time) time.Duration {
	entered := c.entered.Load()
	if entered == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, entered))
}

// readBy bounds all reads from now on.
func (c *connector) readBy(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopAt = deadline
	wake := deadline
	if tick := time.Now().Add(tickInterval); tick.Before(wake) {
		wake = tick
	}
	return errors.Join(c.stdout.SetReadDeadline(wake), c.stderr.SetReadDeadline(deadline))
}

// logStderr logs the lines of stderr until it ends, and adds them to words. It is true when that was the pipe's end, and not a deadline's.
func (c *connector) logStderr(logger *logs.Logger, longest int, words *cause.Tail) (bool, error) {
	reader := airbyte.NewLogReader(c.stderr, longest)
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
		words.Add(logger.Connector(line.Level, line.Message), failedLevel(line.Level))
	}
}

// failedLevel says that log lines of a level are about failures.
func failedLevel(level airbyte.Level) bool {
	return level == airbyte.LevelError || level == airbyte.LevelFatal
}

// exit is how the connector ended. Ask after both pipes have ended: the shim writes its file before it closes them.
func (c *connector) exit() (verdict.Exit, error) {
	status, err := pipe.ReadExitStatus(c.exitStatusFile)
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

// close closes the pipes. Whoever still writes gets EPIPE, so this comes last.
func (c *connector) close() error { return closeAll(c.stdout, c.stderr) }
