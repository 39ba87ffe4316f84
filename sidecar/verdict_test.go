package sidecar

import (
	"errors"
	"strings"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

// ended is the evidence of a source that ended well, with these streams.
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
	unreachable := &LoadError{Environment: true, Message: "connection refused"}
	refused := &LoadError{Permanent: true, Message: "unmarhsal error: x"}
	for _, test := range []struct {
		name     string
		evidence Evidence
		status   Status
		streams  string // the streams' statuses
		cause    string // a part of it
		exit     int
	}{
		{"all complete", ended(complete, complete), StatusSuccess, "SUCCESS SUCCESS", "", ExitOK},
		{"an empty stream", ended(StreamEvidence{Last: airbyte.StreamComplete}), StatusSuccess, "SUCCESS", "", ExitOK},
		{"exit unknown, as in upstream's pod", with(ended(complete), func(e *Evidence) { e.Exit = Exit{} }), StatusSuccess, "SUCCESS", "", ExitOK},
		{"no statuses at all, exit 0", with(ended(untold), func(e *Evidence) { e.Statuses = false }), StatusSuccess, "SUCCESS", "", ExitOK},
		{"no statuses, exit unknown", with(ended(untold), func(e *Evidence) { e.Statuses, e.Exit = false, Exit{} }), StatusSuccess, "SUCCESS", "", ExitOK},
		{"no statuses, exit 1", with(ended(untold), func(e *Evidence) { e.Statuses, e.Exit.Code = false, 1 }),
			StatusPartial, "PARTIAL", "exited with code 1", ExitPartial},
		{"no statuses, but an error trace", with(ended(untold), func(e *Evidence) { e.Statuses, e.SourceError = false, "no access" }),
			StatusPartial, "PARTIAL", "no access", ExitPartial},
		{"nothing came, exit 0", with(ended(StreamEvidence{}), func(e *Evidence) { e.Messages, e.Statuses = 0, false }),
			StatusFailed, "FAILED", "AIRBYTE_ENTRYPOINT", ExitFailed},
		{"nothing came, exit 127", with(ended(StreamEvidence{}), func(e *Evidence) { e.Messages, e.Statuses, e.Exit.Code = 0, false, 127 }),
			StatusFailed, "FAILED", "code 127", ExitFailed},
		{"all complete, exit 1", with(ended(complete), func(e *Evidence) { e.Exit.Code, e.SourceError = 1, "teardown" }),
			StatusPartial, "SUCCESS", "exited with code 1: teardown", ExitPartial},
		{"killed with its shim", with(ended(running), func(e *Evidence) { e.Exit = Exit{Known: ExitKilled} }),
			StatusPartial, "PARTIAL", "killed together with its shim", ExitPartial},
		{"killed before anything was acknowledged", with(ended(StreamEvidence{Last: airbyte.StreamRunning, Read: 5}), func(e *Evidence) {
			e.Exit = Exit{Known: ExitStatus, Code: 137, Signal: "SIGKILL"}
		}), StatusFailed, "FAILED", "SIGKILL", ExitFailed},
		{"out of memory", with(ended(running), func(e *Evidence) { e.Exit = Exit{Known: ExitStatus, Code: 137, Signal: "SIGKILL", OutOfMemory: true} }),
			StatusPartial, "PARTIAL", "out of memory", ExitPartial},
		{"one of two incomplete, exit 0", ended(complete, StreamEvidence{Last: airbyte.StreamIncomplete}),
			StatusPartial, "SUCCESS FAILED", `stream "b"`, ExitPartial},
		{"incomplete without a word", ended(complete, StreamEvidence{}), StatusPartial, "SUCCESS FAILED", "without a word", ExitPartial},
		{"the stream's own error goes before the general one",
			with(ended(complete, StreamEvidence{Last: airbyte.StreamIncomplete, Error: "403 for b"}), func(e *Evidence) {
				e.Exit.Code, e.SourceError = 1, "the following streams did not sync successfully"
			}), StatusPartial, "SUCCESS FAILED", `stream "b": 403 for b`, ExitPartial},
		{"all failed", with(ended(StreamEvidence{Last: airbyte.StreamIncomplete, Error: "bad key"}), func(e *Evidence) { e.Exit.Code = 1 }),
			StatusFailed, "FAILED", "bad key", ExitFailed},
		{"an error trace of a stream that then completes is no failure",
			ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 1, Acked: 1, Error: "retried"}),
			StatusSuccess, "SUCCESS", "", ExitOK},
		{"a general error trace alone is no failure", with(ended(complete), func(e *Evidence) { e.SourceError = "hm" }),
			StatusSuccess, "SUCCESS", "", ExitOK},
		{"Bulker unreachable", ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 5, LoadError: unreachable}),
			StatusFailed, "FAILED", "connection refused", ExitEnvironment},
		{"Bulker refuses a row of one stream", ended(complete, StreamEvidence{Last: airbyte.StreamComplete, Read: 5, LoadError: refused}),
			StatusPartial, "SUCCESS FAILED", "unmarhsal", ExitPartial},
		{"rows without acknowledgement are no success", ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 5, Acked: 4}),
			StatusPartial, "PARTIAL", "1 of 5 rows were not acknowledged", ExitPartial},
		{"a lost row", ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 5, Acked: 5, Lost: "line 7 was lost"}),
			StatusPartial, "PARTIAL", "line 7 was lost", ExitPartial},
		{"lost lines of unknown streams", with(ended(complete), func(e *Evidence) { e.LostLines = 2 }), StatusPartial, "SUCCESS", "2 lines", ExitPartial},
		{"lost lines, but the source's counts prove that every row came",
			with(ended(StreamEvidence{Last: airbyte.StreamComplete, CountsSeen: true}), func(e *Evidence) {
				e.LostLines = 2
			}), StatusSuccess, "SUCCESS", "", ExitOK},
		{"stderr held open", with(ended(complete), func(e *Evidence) { e.StderrEOF = false }),
			StatusPartial, "SUCCESS", "holds its pipe open", ExitPartial},
		{"states unsaved", with(ended(complete), func(e *Evidence) { e.Unsaved = errors.New("postgres is gone") }),
			StatusPartial, "SUCCESS", "postgres is gone", ExitEnvironment},
		{"a full refresh that was not committed", ended(complete, StreamEvidence{Last: airbyte.StreamIncomplete, Read: 9, Aborted: true}),
			StatusPartial, "SUCCESS FAILED", "before the end", ExitPartial},
		{"cancelled", with(ended(complete, running), func(e *Evidence) { e.Stopped, e.StdoutEOF = StopSignal, false }),
			StatusCancelled, "SUCCESS CANCELLED", "signal", ExitSignal + 15},
		{"cancelled, and the source says so itself", with(ended(StreamEvidence{Last: airbyte.StreamIncomplete, Read: 5, Acked: 5}), func(e *Evidence) {
			e.Stopped = StopSignal
		}), StatusCancelled, "CANCELLED", "signal", ExitSignal + 15},
		{"cancelled while loads were cut",
			with(ended(StreamEvidence{Last: airbyte.StreamComplete, Read: 9, Acked: 5, LoadError: errLoadsCut}), func(e *Evidence) {
				e.Stopped = StopSignal
			}), StatusCancelled, "CANCELLED", "signal", ExitSignal + 15},
		{"cancelled after all was done", with(ended(complete), func(e *Evidence) { e.Stopped = StopSignal }),
			StatusCancelled, "SUCCESS", "signal", ExitSignal + 15},
		{"silence", with(ended(running), func(e *Evidence) { e.Stopped = StopSilence }),
			StatusTimeExceeded, "TIME_EXCEEDED", "SILENCE_TIMEOUT", ExitTimeout},
		{"pipes", with(ended(StreamEvidence{}), func(e *Evidence) { e.Stopped, e.Messages = StopPipeOpen, 0 }),
			StatusTimeExceeded, "TIME_EXCEEDED", "PIPE_OPEN_TIMEOUT", ExitTimeout},
		{"no message", with(ended(StreamEvidence{}), func(e *Evidence) { e.Stopped = StopFirstMessage }),
			StatusTimeExceeded, "TIME_EXCEEDED", "FIRST_MESSAGE", ExitTimeout},
		{"task", with(ended(complete, running), func(e *Evidence) { e.Stopped = StopTask }),
			StatusTimeExceeded, "SUCCESS TIME_EXCEEDED", "TASK_TIMEOUT_HOURS", ExitTimeout},
		{"a pipe that cannot be read",
			with(ended(running), func(e *Evidence) { e.Fault, e.StdoutEOF = errors.New("read stdout: input/output error"), false }),
			StatusPartial, "PARTIAL", "input/output error", ExitEnvironment},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := Decide(test.evidence)
			var streams []string
			for _, s := range v.Streams {
				streams = append(streams, string(s.Status))
				if (s.Status == StatusSuccess) != (s.Error == "") {
					t.Errorf("stream is %s with error %q", s.Status, s.Error)
				}
			}
			if v.Status != test.status || strings.Join(streams, " ") != test.streams {
				t.Errorf("verdict %s of %q, want %s of %q", v.Status, streams, test.status, test.streams)
			}
			if !strings.Contains(v.Cause, test.cause) || (v.Cause == "") != (v.Status == StatusSuccess) {
				t.Errorf("cause %q, want %q", v.Cause, test.cause)
			}
			if exit := exitCodeOf(v.Status, v.Environment, 15); exit != test.exit {
				t.Errorf("exit code %d, want %d", exit, test.exit)
			}
		})
	}
}
