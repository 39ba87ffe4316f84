package session

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/sidecartest"
)

// TestErrorOfOneStream has a connector without statuses that names a stream it could not read, and exits with code 0: the full refresh of that stream
// is not committed (I6), that of the other one is.
func TestErrorOfOneStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, "bad", "good")
	r.hold("bad", 7)
	report := r.start().say(row("bad"), row("good"), `{"type":"TRACE","trace":{"type":"ERROR","error":{"message":"no more",`+
		`"stream_descriptor":{"name":"bad"}}}}`).exit(0).hangUp().end()
	if report.Status != sidecar.StatusPartial || r.table("bad") != 7 || r.table("good") != 1 {
		t.Errorf("%s: %s; bad has %d rows, good %d", report.Status, report.Cause, r.table("bad"), r.table("good"))
	}
}

// TestKilledWithHalfALine: how the connector ended is the cause, and not the line that it could not end.
func TestKilledWithHalfALine(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Streams[0].Mode = sidecar.Append
	r.start().say(row("users"))
	if _, err := io.WriteString(r.stdout, row("users")[:60]); err != nil {
		t.Fatal(err)
	}
	if report := r.exit(137).hangUp().end(); !strings.Contains(report.Cause, "SIGKILL") || strings.Contains(report.Cause, "lost") {
		t.Errorf("%s: %s", report.Status, report.Cause)
	}
}

// TestOnlyDeliveredStreamsAreFinished: a stream whose rows were refused has nothing to finish.
func TestOnlyDeliveredStreamsAreFinished(t *testing.T) {
	t.Parallel()
	r := newRig(t, "bad", "good")
	var finished []string
	r.destination = &sidecartest.Destination{
		OnLoad: func(_ context.Context, load sidecar.Load, _ int, _ io.Reader) error {
			if load.Table.Name == "bad" {
				return &sidecar.LoadError{Permanent: true, Message: "no such column"}
			}
			return nil
		},
		OnFinish: func(_ context.Context, streams []airbyte.StreamDescriptor) error {
			for _, stream := range streams {
				finished = append(finished, stream.Name)
			}
			return nil
		},
	}
	report := r.start().say(row("bad"), status("bad", "COMPLETE"), row("good"), status("good", "COMPLETE")).exit(0).hangUp().end()
	if report.Status != sidecar.StatusPartial || !slices.Equal(finished, []string{"good"}) {
		t.Errorf("%s: %s; finished %q", report.Status, report.Cause, finished)
	}
}

// TestVerdictHasTimeAfterHangingStates cancels a session whose journal does not answer when it is given a state: the verdict has a moment of its own
// (I2).
func TestVerdictHasTimeAfterHangingStates(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Deadlines.Shutdown = 2 * time.Second
	r.journal.OnSaveStates = func(ctx context.Context, _ []sidecar.SavedState) error {
		<-ctx.Done()
		return ctx.Err()
	}
	r.start().say(row("users"), status("users", "COMPLETE"),
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":1}}}`)
	eventually(t, func() bool { return r.table("users") == 1 })
	r.terminate()
	if report := r.end(); r.journal.Task().Status != sidecar.StatusCancelled || report.StatesUnsaved != 1 {
		t.Errorf("%s: %s; %d states unsaved, recorded %+v", report.Status, report.Cause, report.StatesUnsaved, r.journal.Task())
	}
}

// TestOutputAfterTheExit: what the connector started may go on writing for longer than Drain. All of it counts.
func TestOutputAfterTheExit(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Deadlines.Drain = 3 * tickInterval
	r.start().say(row("users")).exit(0)
	const more = 10
	for range more {
		<-time.After(tickInterval)
		r.say(row("users"))
	}
	if report := r.hangUp().end(); report.Status != sidecar.StatusSuccess || r.table("users") != 1+more {
		t.Errorf("%s: %s; %d rows", report.Status, report.Cause, r.table("users"))
	}
}

// TestRowsAfterTheEnd: what a full refresh has committed stays, and the row that came too late fails its stream.
func TestRowsAfterTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	report := r.start().say(row("users"), row("users"), status("users", "COMPLETE"), row("users")).exit(0).hangUp().end()
	if report.Status != sidecar.StatusPartial || !strings.Contains(report.Cause, "after the stream was complete") || r.table("users") != 2 {
		t.Errorf("%s: %s; %d rows", report.Status, report.Cause, r.table("users"))
	}
}
