package kubernetes

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// ended is how a shard ended whose sidecar gave a verdict.
func ended(status sidecar.Status, code int, cause string, streams ...sidecar.StreamReport) shardEnd {
	return shardEnd{outcome: runner.Outcome{Sidecar: runner.Exit{Code: code}, Report: sidecar.Report{Command: sidecar.CommandRead, Status: status,
		Cause: cause, ExitCode: code, Streams: streams, StartedAt: time.Date(2026, 1, 1, 0, 0, code, 0, time.UTC), Seconds: 10, StatesSaved: 2,
		Warnings: []string{"hm"}}}}
}

const failed, partial, cancelled = sidecar.StatusFailed, sidecar.StatusPartial, sidecar.StatusCancelled

func TestOneOutcomeOfManyShards(t *testing.T) {
	t.Parallel()
	good := func(name string) shardEnd {
		return ended(sidecar.StatusSuccess, 0, "", sidecar.StreamReport{Stream: name, Status: sidecar.StatusSuccess, Rows: 5, Read: 5})
	}
	lost := shardEnd{err: errGone}
	refused := shardEnd{outcome: runner.Outcome{Refusal: "bad token", Sidecar: runner.Exit{Code: sidecar.ExitUsage}}}
	for name, test := range map[string]struct {
		ends   []shardEnd
		status sidecar.Status
		code   int
		cause  string
	}{
		"all good":        {[]shardEnd{good("a"), good("b")}, sidecar.StatusSuccess, sidecar.ExitOK, ""},
		"one failed":      {[]shardEnd{good("a"), ended(failed, 1, "no disk")}, partial, sidecar.ExitPartial, "shard 1 FAILED: no disk"},
		"a Pod was lost":  {[]shardEnd{lost, good("b")}, partial, sidecar.ExitPartial, "shard 0 FAILED: the Pod is gone"},
		"all refused":     {[]shardEnd{refused, refused}, failed, sidecar.ExitUsage, "shard 0 FAILED: bad token; shard 1 FAILED: bad token"},
		"failed apart":    {[]shardEnd{refused, ended(failed, 3, "x")}, failed, sidecar.ExitFailed, "shard 1 FAILED: x"},
		"cancelled":       {[]shardEnd{good("a"), ended(cancelled, 143, "SIGTERM")}, cancelled, 143, "shard 1 CANCELLED: SIGTERM"},
		"not yet started": {[]shardEnd{ended(cancelled, 143, "x"), {err: runner.ErrStopped}}, cancelled, 143, "shard 1 CANCELLED"},
		"too slow":        {[]shardEnd{good("a"), ended(sidecar.StatusTimeExceeded, 6, "silent")}, sidecar.StatusTimeExceeded, 6, "silent"},
	} {
		all := newCrowd(len(test.ends), []string{"b", "a"}, runner.Watch{}.Serial())
		all.ends = test.ends
		got, err := all.outcome()
		if err != nil || got.Report.Status != test.status || got.ExitCode() != test.code || !strings.Contains(got.Cause(), test.cause) ||
			(test.cause == "") != (got.Cause() == "") {
			t.Errorf("%s: %v, %s, exit code %d, %q; want %s, %d, %q", name, err, got.Report.Status, got.ExitCode(), got.Cause(), test.status, test.code,
				test.cause)
		}
		if streams := got.Report.Streams; len(streams) != 2 || streams[0].Stream != "b" || streams[1].Stream != "a" {
			t.Errorf("%s: streams %+v", name, streams)
		}
		for _, stream := range got.Report.Streams {
			if stream.Status == sidecar.StatusPending || stream.Status == sidecar.StatusRunning {
				t.Errorf("%s: stream %s has not ended", name, stream.Stream)
			}
		}
	}
}

// Where no shard came to an outcome of its own, the cluster is at fault.
func TestShardsWithoutAnOutcome(t *testing.T) {
	t.Parallel()
	broken := errors.New("no rights")
	all := newCrowd(3, nil, runner.Watch{}.Serial())
	all.ends = []shardEnd{{err: broken}, {err: broken}, {err: errGone}}
	if _, err := all.outcome(); !errors.Is(err, broken) || !errors.Is(err, errGone) || strings.Count(err.Error(), "no rights") != 1 {
		t.Errorf("%v", err)
	}
	all.ends = []shardEnd{{err: runner.ErrStopped}, {err: runner.ErrStopped}, {err: runner.ErrStopped}}
	if _, err := all.outcome(); !errors.Is(err, runner.ErrStopped) || err.Error() != runner.ErrStopped.Error() {
		t.Errorf("%v", err)
	}
}

// One report of all streams, whichever shard spoke last; lines say whose they are.
func TestShardsAreFollowedAsOne(t *testing.T) {
	t.Parallel()
	var events []runner.Event
	all := newCrowd(2, []string{"c", "a", "b"}, runner.Watch{Event: func(event runner.Event) { events = append(events, event) }})
	report := func(stream string, rows int64, status sidecar.Status) runner.Event {
		return runner.Event{Report: &sidecar.Report{Command: sidecar.CommandRead, Status: status, StartedAt: time.Now(), StatesSaved: 1,
			Streams: []sidecar.StreamReport{{Stream: stream, Rows: rows}}}}
	}
	all.watchOf(0).Event(report("a", 5, sidecar.StatusRunning))
	all.watchOf(1).Event(report("b", 7, sidecar.StatusRunning))
	all.watchOf(0).Event(report("a", 9, sidecar.StatusSuccess))
	all.watchOf(1).Event(runner.Note("WARN", "slow"))
	all.watchOf(1).Event(runner.Event{Usage: &runner.Usage{}})
	if len(events) != 4 || events[3].Log.Message != "shard 1: slow" {
		t.Fatalf("%+v", events)
	}
	last := events[2].Report
	text, err := json.Marshal(last.Streams)
	if err != nil || last.Status != sidecar.StatusRunning || last.StatesSaved != 2 ||
		!strings.Contains(string(text), `"stream":"c","status":"PENDING"`) || last.Streams[1].Rows != 9 || last.Streams[2].Rows != 7 {
		t.Errorf("%s %+v", text, last)
	}
}
