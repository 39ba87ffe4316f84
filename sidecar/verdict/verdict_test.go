package verdict

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// ended is the evidence of a connector that ended well, with these streams.
func ended(streams ...StreamEvidence) Evidence {
	for i := range streams {
		streams[i].Stream = airbyte.StreamDescriptor{Name: string(rune('a' + i))}
	}
	return Evidence{Exit: Exit{Known: ExitStatus}, StdoutEOF: true, StderrEOF: true, Messages: 10, Statuses: true, Streams: streams}
}

// with changes evidence.
func with(e Evidence, change func(*Evidence)) Evidence {
	change(&e)
	return e
}

func TestDecide(t *testing.T) {
	t.Parallel()
	complete := StreamEvidence{Last: airbyte.StreamComplete, Read: 5, Acked: 5}
	running := StreamEvidence{Last: airbyte.StreamRunning, Read: 5, Acked: 3}
	untold := StreamEvidence{Read: 5, Acked: 5}
	unreachable := &sidecar.LoadError{Environment: true, Message: "connection refused"}
	refused := &sidecar.LoadError{Permanent: true, Message: "unmarhsal error: x"}
	for _, test := range []struct {
		name     string
		evidence Evidence
		status   sidecar.Status
		streams  string // the streams' statuses
		cause    string // a part of it
		exit     int
	}{
		{"all complete", ended(complete, complete), sidecar.StatusSuccess, "SUCCESS SUCCESS", "", sidecar.ExitOK},
		{"an empty stream", ended(StreamEvidence{Last: airbyte.StreamComplete}), sidecar.StatusSuccess, "SUCCESS", "", sidecar.ExitOK},
		{"exit unknown, as in upstream's pod", with(ended(complete), func(e *Evidence) { e.Exit = Exit{} }), sidecar.StatusSuccess, "SUCCESS", "",
			sidecar.ExitOK},
		{"no statuses at all, exit 0", with(ended(untold), func(e *Evidence) { e.Statuses = false }), sidecar.StatusSuccess, "SUCCESS", "", sidecar.ExitOK},
		{"no statuses, exit unknown", with(ended(untold), func(e *Evidence) { e.Statuses, e.Exit = false, Exit{} }), sidecar.StatusSuccess,
			"SUCCESS", "", sidecar.ExitOK},
		{"no statuses, exit 1", with(ended(untold), func(e *Evidence) { e.Statuses, e.Exit.Code = false, 1 }),
			sidecar.StatusPartial, "PARTIAL", "exited with code 1", sidecar.ExitPartial},
		{"no statuses, but an error trace", with(ended(untold), func(e *Evidence) { e.Statuses, e.ConnectorError = false, "no access" }),
			sidecar.StatusPartial, "PARTIAL", "no access", sidecar.ExitPartial},
		{"nothing came for an incremental stream, exit 0", with(ended(StreamEvidence{}), func(e *Evidence) { e.Messages, e.Statuses = 0, false }),
			sidecar.StatusSuccess, "SUCCESS", "", sidecar.ExitOK},
		{"nothing came, exit 0", with(ended(StreamEvidence{Mode: sidecar.ReplaceWhole}), func(e *Evidence) { e.Messages, e.Statuses = 0, false }),
			sidecar.StatusFailed, "FAILED", "AIRBYTE_ENTRYPOINT", sidecar.ExitFailed},
		{"an error trace alone, exit unknown", with(ended(StreamEvidence{}), func(e *Evidence) {
			e.Messages, e.Statuses, e.Bare, e.Exit, e.ConnectorError = 2, false, true, Exit{}, "no access"
		}), sidecar.StatusFailed, "FAILED", "no access", sidecar.ExitFailed},
		{"nothing came, exit 127", with(ended(StreamEvidence{}), func(e *Evidence) { e.Messages, e.Statuses, e.Exit.Code = 0, false, 127 }),
			sidecar.StatusFailed, "FAILED", "code 127", sidecar.ExitFailed},
		{"all complete, exit 1", with(ended(complete), func(e *Evidence) { e.Exit.Code, e.ConnectorError = 1, "teardown" }),
			sidecar.StatusPartial, "SUCCESS", "exited with code 1: teardown", sidecar.ExitPartial},
		{"killed with its shim", with(ended(running), func(e *Evidence) { e.Exit = Exit{Known: ExitKilled} }),
			sidecar.StatusPartial, "PARTIAL", "killed together with its shim", sidecar.ExitPartial},
		{"killed before anything was acknowledged", with(ended(StreamEvidence{Last: airbyte.StreamRunning, Read: 5}), func(e *Evidence) {
			e.Exit = Exit{Known: ExitStatus, Code: 137, Signal: "SIGKILL"}
		}), sidecar.StatusFailed, "FAILED", "SIGKILL", sidecar.ExitFailed},
		{"out of memory", with(ended(running), func(e *Evidence) { e.Exit = Exit{Known: ExitStatus, Code: 137, Signal: "SIGKILL", OutOfMemory: true} }),
			sidecar.StatusPartial, "PARTIAL", "out of memory", sidecar.ExitPartial},
		{"one of two incomplete, exit 0", ended(complete, StreamEvidence{Last: airbyte.StreamIncomplete}),
			sidecar.StatusPartial, "SUCCESS FAILED", `stream "b"`, sidecar.ExitPartial},
		{"incomplete without a word", ended(complete, StreamEvidence{}), sidecar.StatusPartial, "SUCCESS FAILED", "without a word", sidecar.ExitPartial},
		{"the stream's own error goes before the general one",
			with(ended(complete, StreamEvidence{Last: airbyte.StreamIncomplete, Error: "403 for b"}), func(e *Evidence) {
				e.Exit.Code, e.ConnectorError = 1, "the following streams did not sync successfully"
			}), sidecar.StatusPartial, "SUCCESS FAILED", `stream "b": 403 for b`, sidecar.ExitPartial},
		{"all failed", with(ended(StreamEvidence{Last: airbyte.StreamIncomplete, Error: "bad key"}), func(e *Evidence) { e.Exit.Code = 1 }),
			sidecar.StatusFailed, "FAILED", "bad key", sidecar.ExitFailed},
		{"an error trace of a stream that then completes is no failure",
			ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 1, Acked: 1, Error: "retried"}),
			sidecar.StatusSuccess, "SUCCESS", "", sidecar.ExitOK},
		{"a general error trace alone is no failure", with(ended(complete), func(e *Evidence) { e.ConnectorError = "hm" }),
			sidecar.StatusSuccess, "SUCCESS", "", sidecar.ExitOK},
		{"Bulker unreachable", ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 5, LoadError: unreachable}),
			sidecar.StatusFailed, "FAILED", "connection refused", sidecar.ExitEnvironment},
		{"Bulker was reached for one of two streams", ended(complete, StreamEvidence{Last: airbyte.StreamComplete, Read: 5, LoadError: unreachable}),
			sidecar.StatusPartial, "SUCCESS FAILED", "connection refused", sidecar.ExitPartial},
		{"Bulker refuses a row of one stream", ended(complete, StreamEvidence{Last: airbyte.StreamComplete, Read: 5, LoadError: refused}),
			sidecar.StatusPartial, "SUCCESS FAILED", "unmarhsal", sidecar.ExitPartial},
		{"rows without acknowledgement are no success", ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 5, Acked: 4}),
			sidecar.StatusPartial, "PARTIAL", "1 of 5 rows were not acknowledged", sidecar.ExitPartial},
		{"a lost row", ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 5, Acked: 5, Lost: "line 7 was lost"}),
			sidecar.StatusPartial, "PARTIAL", "line 7 was lost", sidecar.ExitPartial},
		{"a lost row goes before a bad end", with(ended(StreamEvidence{Read: 5, Acked: 5, Lost: "line 7 was lost"}), func(e *Evidence) { e.Exit.Code = 1 }),
			sidecar.StatusPartial, "PARTIAL", "line 7 was lost", sidecar.ExitPartial},
		{"lost lines of unknown streams", with(ended(complete), func(e *Evidence) { e.LostLines = 2 }), sidecar.StatusPartial, "SUCCESS",
			"2 lines", sidecar.ExitPartial},
		{"lost lines, but the connector's counts prove that every row came",
			with(ended(StreamEvidence{Last: airbyte.StreamComplete, CountsSeen: true}), func(e *Evidence) {
				e.LostLines = 2
			}), sidecar.StatusSuccess, "SUCCESS", "", sidecar.ExitOK},
		{"stderr held open", with(ended(complete), func(e *Evidence) { e.StderrEOF = false }),
			sidecar.StatusPartial, "SUCCESS", "holds its pipe open", sidecar.ExitPartial},
		{"states unsaved", with(ended(complete), func(e *Evidence) { e.Unsaved = errors.New("postgres is gone") }),
			sidecar.StatusPartial, "SUCCESS", "postgres is gone", sidecar.ExitEnvironment},
		{"a full refresh that was not committed", ended(complete, StreamEvidence{Last: airbyte.StreamIncomplete, Read: 9, Aborted: true}),
			sidecar.StatusPartial, "SUCCESS FAILED", "before the end", sidecar.ExitPartial},
		{"cancelled", with(ended(complete, running), func(e *Evidence) { e.Stopped, e.StdoutEOF = StopSignal, false }),
			sidecar.StatusCancelled, "SUCCESS CANCELLED", "signal", sidecar.ExitSignal + 15},
		{"cancelled, and the connector says so itself", with(ended(StreamEvidence{Last: airbyte.StreamIncomplete, Read: 5, Acked: 5}), func(e *Evidence) {
			e.Stopped = StopSignal
		}), sidecar.StatusCancelled, "CANCELLED", "signal", sidecar.ExitSignal + 15},
		{"cancelled while loads were cut",
			with(ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 9, Acked: 5, LoadError: errors.New("not delivered in time")}), func(e *Evidence) {
				e.Stopped = StopSignal
			}), sidecar.StatusCancelled, "CANCELLED", "signal", sidecar.ExitSignal + 15},
		{"cancelled after all was done", with(ended(complete), func(e *Evidence) { e.Stopped = StopSignal }),
			sidecar.StatusCancelled, "SUCCESS", "signal", sidecar.ExitSignal + 15},
		{"silence", with(ended(running), func(e *Evidence) { e.Stopped = StopSilence }),
			sidecar.StatusTimeExceeded, "TIME_EXCEEDED", "SILENCE_TIMEOUT", sidecar.ExitTimeout},
		{"silence after everything is complete", with(ended(complete, complete), func(e *Evidence) { e.Stopped = StopSilence }),
			sidecar.StatusTimeExceeded, "SUCCESS SUCCESS", "it did not end", sidecar.ExitTimeout},
		{"pipes", with(ended(StreamEvidence{}), func(e *Evidence) { e.Stopped, e.Messages = StopPipeOpen, 0 }),
			sidecar.StatusTimeExceeded, "TIME_EXCEEDED", "PIPE_OPEN_TIMEOUT", sidecar.ExitTimeout},
		{"no message", with(ended(StreamEvidence{}), func(e *Evidence) { e.Stopped = StopFirstMessage }),
			sidecar.StatusTimeExceeded, "TIME_EXCEEDED", "FIRST_MESSAGE", sidecar.ExitTimeout},
		{"task", with(ended(complete, running), func(e *Evidence) { e.Stopped = StopTask }),
			sidecar.StatusTimeExceeded, "SUCCESS TIME_EXCEEDED", "TASK_TIMEOUT_HOURS", sidecar.ExitTimeout},
		{"a pipe that cannot be read",
			with(ended(running), func(e *Evidence) { e.Fault, e.StdoutEOF = errors.New("read stdout: input/output error"), false }),
			sidecar.StatusPartial, "PARTIAL", "input/output error", sidecar.ExitEnvironment},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := Decide(test.evidence)
			var streams []string
			for _, s := range v.Streams {
				streams = append(streams, string(s.Status))
				if (s.Status == sidecar.StatusSuccess) != (s.Error == "") {
					t.Errorf("stream is %s with error %q", s.Status, s.Error)
				}
			}
			if v.Status != test.status || strings.Join(streams, " ") != test.streams {
				t.Errorf("verdict %s of %q, want %s of %q", v.Status, streams, test.status, test.streams)
			}
			if !strings.Contains(v.Cause, test.cause) || (v.Cause == "") != (v.Status == sidecar.StatusSuccess) {
				t.Errorf("cause %q, want %q", v.Cause, test.cause)
			}
			if exit := sidecar.ExitCodeOf(v.Status, v.Environment, 15); exit != test.exit {
				t.Errorf("exit code %d, want %d", exit, test.exit)
			}
		})
	}
}

func TestDecideUnfinishedStreamOfCancelledTask(t *testing.T) {
	t.Parallel()
	e := ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 5, Acked: 5, LoadError: context.Canceled})
	e.Stopped = StopSignal
	if v := Decide(e); v.Streams[0].Status != sidecar.StatusCancelled {
		t.Fatalf("%+v", v)
	}
}

// TestEndedWell: a connector that sends no statuses has read everything only when nothing speaks against it.
func TestEndedWell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Evidence)
		want   bool
	}{
		"it did":                            {func(*Evidence) {}, true},
		"its exit is not known":             {func(e *Evidence) { e.Exit = Exit{} }, true},
		"it said little":                    {func(e *Evidence) { e.Bare = true }, true},
		"it said little, and no exit":       {func(e *Evidence) { e.Bare, e.Exit = true, Exit{} }, false},
		"it said nothing":                   {func(e *Evidence) { e.Bare, e.Messages = true, 0 }, false},
		"exit 1":                            {func(e *Evidence) { e.Exit.Code = 1 }, false},
		"it was killed":                     {func(e *Evidence) { e.Exit = Exit{Known: ExitKilled} }, false},
		"it told of an error":               {func(e *Evidence) { e.ConnectorError = "no access" }, false},
		"its output did not end":            {func(e *Evidence) { e.StdoutEOF = false }, false},
		"the session was stopped":           {func(e *Evidence) { e.Stopped = StopTask }, false},
		"a pipe broke":                      {func(e *Evidence) { e.Fault = errors.New("input/output error") }, false},
		"it sends statuses, which say more": {func(e *Evidence) { e.Statuses = true }, false},
	} {
		e := ended(StreamEvidence{Read: 5, Acked: 5})
		e.Statuses = false
		if c.change(&e); EndedWell(e) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

// TestNotes: a success without a row is told where it is odd, and only there.
func TestNotes(t *testing.T) {
	t.Parallel()
	empty := StreamEvidence{Last: airbyte.StreamComplete}
	resumed := StreamEvidence{Last: airbyte.StreamComplete, Mode: sidecar.Append}
	refreshed := StreamEvidence{Last: airbyte.StreamComplete, Mode: sidecar.ReplaceWhole}
	for name, c := range map[string]struct {
		evidence Evidence
		want     string // a part of the note; empty for none
	}{
		"rows":        {ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 1, Acked: 1}, empty), ""},
		"nothing new": {ended(resumed, refreshed), ""},
		"all empty":   {ended(refreshed, refreshed), "not a single row"},
		"logs alone":  {with(ended(resumed), func(e *Evidence) { e.Statuses, e.Bare, e.Streams[0].Last = false, true, "" }), "neither a row"},
		"not a word": {with(ended(resumed), func(e *Evidence) {
			e.Statuses, e.Messages, e.Streams[0].Last = false, 0, ""
		}), "without a single"},
		"a failure says it itself": {with(ended(refreshed), func(e *Evidence) { e.Exit.Code = 1 }), ""},
	} {
		notes := strings.Join(Decide(c.evidence).Notes, "; ")
		if (notes == "") != (c.want == "") || !strings.Contains(notes, c.want) {
			t.Errorf("%s: %q, want %q", name, notes, c.want)
		}
	}
}
