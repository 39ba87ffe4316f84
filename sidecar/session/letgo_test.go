package session

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// TestOutputThatSomethingHoldsOpen has a connector that exited while something that it started holds its stdout open without a word: the session
// lets go after Drain, which is longer than the clock's tick, and knows how the connector ended.
func TestOutputThatSomethingHoldsOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Deadlines.Drain = 3 * tickInterval
	report := r.start().say(row("users"), status("users", "COMPLETE")).exit(7).end()
	text := report.Cause + strings.Join(report.Warnings, "\n")
	if !strings.Contains(text, "holds its output open") || !strings.Contains(text, "code 7") || report.Streams[0].Rows != 1 {
		t.Errorf("%s: %s; warnings %q", report.Status, report.Cause, report.Warnings)
	}
}

// TestSlowDestinationIsNoSilence: rows came, and the reader waits for a destination before it reads again. That is no connector without a message,
// and none that is silent.
func TestSlowDestinationIsNoSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	hangs := newStalled(t)
	r.destination, r.config.Load.Batch.Rows, r.config.Streams[0].Mode = hangs, 8, sidecar.Append
	r.config.Deadlines.FirstMessage, r.config.Deadlines.Silence, r.config.Deadlines.Shutdown = time.Second, time.Second, time.Second
	r.start()
	r.say(strings.Split(strings.TrimSuffix(strings.Repeat(row("users")+"\n", 200), "\n"), "\n")...)
	<-hangs.hit
	time.AfterFunc(3*time.Second, r.terminate)
	if report := r.end(); report.Status != sidecar.StatusCancelled {
		t.Errorf("%s: %s", report.Status, report.Cause)
	}
}

// losingJournal is a journal whose lock another run may take.
type losingJournal struct {
	*sidecartest.Journal
	lost atomic.Bool
}

// LockError implements sidecar.LockKeeper.
func (l *losingJournal) LockError() error {
	if l.lost.Load() {
		return sidecar.ErrLocked
	}
	return nil
}

// TestLockLostWhileLoading: another run took over after the connector's end, while its rows are being loaded. They must not replace
// what that one brings.
func TestLockLostWhileLoading(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	journal, loading := &losingJournal{Journal: r.journal}, make(chan struct{})
	r.destination = &sidecartest.Destination{OnLoad: func(ctx context.Context, _ sidecar.Load, _ int, rows io.Reader) error {
		if _, err := io.Copy(io.Discard, rows); err != nil {
			return err
		}
		close(loading)
		<-ctx.Done()
		return context.Cause(ctx)
	}}
	r.makePipes()
	ctx, cancel := context.WithCancelCause(t.Context())
	r.cancel = cancel
	go func() {
		r.report <- Run(ctx, r.config, Parts{Destination: r.destination, Journal: journal, Logs: r.logs})
	}()
	r.stdout, r.stderr = r.open(r.config.StdoutPipe), r.open(r.config.StderrPipe)
	r.complete("users")
	<-loading
	journal.lost.Store(true)
	if report := r.end(); report.Status != sidecar.StatusFailed || report.ExitCode != sidecar.ExitEnvironment || r.table("users") > 0 {
		t.Errorf("%s, exit code %d: %s; the table has %d rows", report.Status, report.ExitCode, report.Cause, r.table("users"))
	}
}
