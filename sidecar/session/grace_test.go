package session

import (
	"context"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/sidecartest"
	"sync-sidecar/sidecar/verdict"
)

// terminate is a SIGTERM.
func (r *rig) terminate() { r.cancel(sidecar.Signalled{Number: 15, Name: "SIGTERM"}) }

// complete lets the connector send one row and end well.
func (r *rig) complete(stream string) {
	r.t.Helper()
	r.say(row(stream), status(stream, "COMPLETE")).exit(0).hangUp()
}

// TestVerdictHasTimeAfterSlowFinish cancels a session while its destination finishes a large stream: the verdict is recorded all the same (I2).
func TestVerdictHasTimeAfterSlowFinish(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Deadlines.Shutdown = 2 * time.Second
	finishing := make(chan struct{})
	r.destination = &sidecartest.Destination{OnFinish: func(ctx context.Context, _ []airbyte.StreamDescriptor) error {
		close(finishing)
		<-ctx.Done()
		return context.Cause(ctx)
	}}
	r.start().complete("users")
	<-finishing
	r.terminate()
	report := r.end()
	if last := r.journal.Task().Status; last != sidecar.StatusCancelled {
		t.Fatalf("recorded %s; %s: %s", last, report.Status, report.Cause)
	}
}

// TestFinishMayOutlastTheJournalTimeout is a stream whose merge takes longer than a journal may be away.
func TestFinishMayOutlastTheJournalTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Deadlines.Journal = 50 * time.Millisecond
	r.destination = &sidecartest.Destination{OnFinish: func(ctx context.Context, _ []airbyte.StreamDescriptor) error {
		select {
		case <-time.After(4 * r.config.Deadlines.Journal):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	r.start().complete("users")
	if report := r.end(); report.Status != sidecar.StatusSuccess {
		t.Fatalf("%s: %s", report.Status, report.Cause)
	}
}

// TestSignalCutsHangingHeartbeat cancels a session that waits at its end for a journal which does not answer (I4).
func TestSignalCutsHangingHeartbeat(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Deadlines.Shutdown = 2 * time.Second
	hanging, first := make(chan struct{}, 1), true
	r.journal.OnSaveTask = func(ctx context.Context, task sidecar.TaskRecord) error {
		if task.Status != sidecar.StatusRunning || first {
			first = false
			return nil
		}
		hanging <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	r.start().say(row("users"))
	<-hanging
	r.say(status("users", "COMPLETE")).exit(0).hangUp()
	eventually(t, func() bool { return r.table("users") == 1 })
	r.terminate()
	began := time.Now()
	if r.end(); time.Since(began) > 2*r.config.Deadlines.Shutdown {
		t.Fatalf("ended %v after the signal", time.Since(began))
	}
}

// TestSignalCutsHangingResult cancels a check whose journal does not answer (I4).
func TestSignalCutsHangingResult(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.config.Command, r.config.Deadlines.Shutdown = sidecar.CommandCheck, 500*time.Millisecond
	hanging := make(chan struct{}, 1)
	r.journal.OnSaveResult = func(ctx context.Context, _ sidecar.Result) error {
		select {
		case hanging <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return ctx.Err()
	}
	r.start().say(`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}`).exit(0).hangUp()
	<-hanging
	r.terminate()
	if report := r.end(); report.ExitCode != sidecar.ExitEnvironment {
		t.Fatalf("exit code %d: %s", report.ExitCode, report.Cause)
	}
}

// TestDeadlineThatPassedBeforePipesWereAwaited strikes before there is a wait to end.
func TestDeadlineThatPassedBeforePipesWereAwaited(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.makePipes()
	s := newSession(r.config, Parts{Journal: r.journal, Logs: r.logs})
	opening, abandon := context.WithCancel(t.Context())
	defer abandon()
	s.abandon = abandon
	s.stopping.stop(verdict.StopTask, time.Now())
	s.readBy(time.Now())
	ended := make(chan struct{})
	go func() { defer close(ended); s.listen(opening) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for the pipes")
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to it")
		}
		<-time.After(5 * time.Millisecond)
	}
}
