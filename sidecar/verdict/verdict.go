// Package verdict decides how a read ended, from what was seen of it (I3). It is pure: the same evidence gives the same verdict.
//
// In comes Evidence, out goes a Verdict on the task and on each of its streams.
package verdict

import (
	"fmt"
	"regexp"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Evidence is all that a verdict on a read depends on.
type Evidence struct {
	Exit      Exit
	StdoutEOF bool
	StderrEOF bool
	Messages  int64 // lines of stdout that were Airbyte messages
	Statuses  bool  // the source speaks STREAM_STATUS
	Bare      bool  // neither a row, a state nor a status came
	// Stopped says why the session ended before the source did; empty when it did not.
	Stopped Stop
	// SourceError is the source's first TRACE ERROR without a stream, in its own words; or a FAILED CONNECTION_STATUS during read.
	SourceError string
	// Said is what its output gives as a cause; it decides nothing.
	Said Said
	// Fault is what broke the session itself: a pipe that could not be read.
	Fault error
	// LostLines counts lines that looked like rows, could not be read, and told no stream.
	LostLines int64
	// Unsaved is why acknowledged states could not be saved; nil when all were.
	Unsaved error
	Streams []StreamEvidence
}

// Said is what the output of a source gives as a cause, where it does not speak the protocol.
type Said struct {
	Cause    string // a traceback's last line, a usage error and the like; empty when there is none
	LastLine string // whatever it is
}

// StreamEvidence is what a verdict on one stream depends on.
type StreamEvidence struct {
	Stream     airbyte.StreamDescriptor
	Mode       sidecar.Mode
	Last       airbyte.StreamStatus // its last status; empty when it gave none
	Error      string               // the source's first TRACE ERROR about it
	Read       int64                // rows that the source sent
	Acked      int64                // rows that the destination acknowledged
	LoadError  error                // why its rows could not be delivered
	Lost       string               // how rows of it were lost on the way here; empty when none were
	CountsSeen bool                 // the source said how many rows it sent, and that agreed so far
	Aborted    bool                 // a full refresh that was not committed because the stream did not end well
}

// ExitKnown says what is known of the source's end.
type ExitKnown int

// What can be known of the source's end.
const (
	ExitUnknown ExitKnown = iota // no shim: a pod in upstream's form
	ExitStatus                   // the code is known
	ExitKilled                   // the shim was killed before it could write a code
)

// Exit is how the source ended.
type Exit struct {
	Known  ExitKnown
	Code   int
	Signal string // name of the signal that ended it, as in SIGKILL; empty when none did
	// OutOfMemory says that the kernel killed a process of the connector's container for want of memory.
	OutOfMemory bool
}

// Stop is why a session ended before its source.
type Stop string

// Why a session ends before its source.
const (
	StopSignal       Stop = "signal"
	StopPipeOpen     Stop = "pipe_open"
	StopFirstMessage Stop = "first_message"
	StopSilence      Stop = "silence"
	StopTask         Stop = "task"
)

// Verdict is the outcome of a read.
type Verdict struct {
	Status      sidecar.Status
	Cause       string   // why it is not SUCCESS
	Environment bool     // the cause is neither the source nor its data: exit code 3
	Notes       []string // what a person should know although the task is a success
	Streams     []StreamVerdict
}

// StreamVerdict is the outcome of one stream.
type StreamVerdict struct {
	Status sidecar.Status
	Error  string
}

// Decide is the verdict (I2, I3). It is pure: the same evidence gives the same verdict.
func Decide(e Evidence) Verdict {
	v := Verdict{Streams: make([]StreamVerdict, len(e.Streams))}
	good, some, environment := 0, 0, false
	for i, stream := range e.Streams {
		v.Streams[i] = decideStream(e, stream)
		switch v.Streams[i].Status {
		case sidecar.StatusSuccess:
			good++
		case sidecar.StatusPartial:
			some++
		}
		if refusal := sidecar.AsLoadError(stream.LoadError); refusal != nil && refusal.Environment {
			environment = true
		}
	}
	v.Cause = cause(e, v)
	switch {
	case e.Stopped == StopSignal:
		v.Status = sidecar.StatusCancelled
	case e.Stopped != "":
		v.Status = sidecar.StatusTimeExceeded
	case v.Cause == "" && good == len(e.Streams):
		v.Status = sidecar.StatusSuccess
	case good+some > 0:
		v.Status = sidecar.StatusPartial
	default:
		v.Status = sidecar.StatusFailed
	}
	if v.Status == sidecar.StatusSuccess && e.Messages == 0 {
		v.Notes = append(v.Notes, "the connector exited with code 0 and without a single message: taken as nothing new since the saved state")
	}
	v.Environment = e.Unsaved != nil || e.Fault != nil || environment && v.Status == sidecar.StatusFailed
	return v
}

// EndedWell says that a source which knows no statuses read all its streams to their end, as far as anybody can tell: what it did not deliver is not there.
func EndedWell(e Evidence) bool {
	spoke := e.Messages > 0 && (!e.Bare || e.Exit.Known == ExitStatus)
	return e.Stopped == "" && e.Fault == nil && e.StdoutEOF && !e.Statuses && ExitGood(e.Exit) && e.SourceError == "" && spoke
}

// nothingNew says that a source without a word found nothing new: it ended well, and there is nothing that its silence could empty.
func nothingNew(e Evidence, s StreamEvidence) bool {
	return e.Messages == 0 && s.Mode == sidecar.Append && e.Exit.Known == ExitStatus && e.Exit.Code == 0 && e.StdoutEOF && e.Fault == nil && e.SourceError == ""
}

// decideStream is the verdict on one stream.
func decideStream(e Evidence, s StreamEvidence) StreamVerdict {
	failed := func(format string, args ...any) StreamVerdict {
		status := sidecar.StatusFailed
		if s.Acked > 0 {
			status = sidecar.StatusPartial
		}
		return StreamVerdict{status, fmt.Sprintf(format, args...)}
	}
	undelivered := s.Read > s.Acked && !s.Aborted
	switch {
	case s.LoadError != nil && e.Stopped == "":
		return failed("%v", s.LoadError)
	case s.Lost != "":
		return failed("%s", s.Lost)
	case s.Last == airbyte.StreamComplete && !undelivered && !s.Aborted && s.LoadError == nil:
		return StreamVerdict{Status: sidecar.StatusSuccess}
	case s.Error != "":
		return failed("%s", s.Error)
	case e.Stopped == StopSignal:
		return StreamVerdict{sidecar.StatusCancelled, "cancelled"}
	case e.Stopped != "":
		return StreamVerdict{sidecar.StatusTimeExceeded, StopText(e.Stopped)}
	case s.Last == airbyte.StreamIncomplete:
		return failed("the source stopped before the end of this stream%s", OrElse(": ", e.SourceError, ""))
	case e.Fault != nil:
		return failed("%v", e.Fault)
	case nothingNew(e, s):
		return StreamVerdict{Status: sidecar.StatusSuccess}
	case e.Messages == 0:
		return failed("%s", Silent(e.Said))
	case e.Bare && e.Exit.Known == ExitUnknown:
		return failed("%s", bareSource)
	case s.Last == airbyte.StreamComplete:
		return failed("%d of %d rows were not acknowledged", s.Read-s.Acked, s.Read)
	case e.Statuses && s.Last == "":
		return failed("the source ended without a word on this stream%s", OrElse(": ", ExitText(e), ""))
	case e.Statuses:
		return failed("the source ended before this stream was complete%s", OrElse(": ", ExitText(e), ""))
	case !ExitGood(e.Exit):
		return failed("%s", ExitText(e))
	case e.SourceError != "":
		return failed("%s", e.SourceError)
	case undelivered || s.Aborted:
		return failed("%d of %d rows were not acknowledged", s.Read-s.Acked, s.Read)
	default:
		return StreamVerdict{Status: sidecar.StatusSuccess}
	}
}

// SilentSource is the cause when nothing at all came.
const SilentSource = "the source ended without a single Airbyte message: is its command (AIRBYTE_ENTRYPOINT) right?"

// Silent is the cause when no message came from a source that said something else, or nothing.
func Silent(said Said) string {
	words := OrElse("", said.Cause, said.LastLine)
	if words == "" {
		return SilentSource
	}
	text := "the source ended without a single Airbyte message; it said: " + words
	if regexp.MustCompile(`^(/\S*/)?(ba|da|a)?sh: `).MatchString(words) { // a shell's words, not the source's
		text += " (is its command, AIRBYTE_ENTRYPOINT, right?)"
	}
	return text
}

// bareSource is the cause when nothing speaks for a source: what it sent would look the same had it been killed.
const bareSource = "the source ended with neither a row, a state nor a status, and its exit code is not known: see its log"

// cause is the one sentence that explains the task: the first that applies, most telling first.
func cause(e Evidence, v Verdict) string {
	switch {
	case e.Stopped != "":
		return StopText(e.Stopped)
	case e.Fault != nil:
		return e.Fault.Error()
	}
	if text := firstLoadError(e); text != "" {
		return text
	}
	if text := firstStreamCause(e, v); text != "" {
		return text
	}
	switch {
	case !ExitGood(e.Exit):
		return ExitText(e)
	case !e.StdoutEOF || !e.StderrEOF:
		return "the source's output did not end: something still holds its pipe open"
	case e.LostLines > 0 && !allCounted(e.Streams):
		return fmt.Sprintf("%d lines of the source looked like messages and could not be read; which streams they belong to is not known", e.LostLines)
	case e.Unsaved != nil:
		return fmt.Sprintf("states could not be saved: %v", e.Unsaved)
	}
	return ""
}

// firstLoadError is the first refusal of the destination.
func firstLoadError(e Evidence) string {
	for _, s := range e.Streams {
		if s.LoadError != nil {
			return fmt.Sprintf("stream %q: %v", s.Stream, s.LoadError)
		}
	}
	return ""
}

// firstStreamCause is the first failed stream's error, together with how the source ended when the stream itself does not tell why. Several streams
// that fail together because the source died are its death, not theirs.
func firstStreamCause(e Evidence, v Verdict) string {
	for i, s := range e.Streams {
		if s.Error != "" && v.Streams[i].Status != sidecar.StatusSuccess || s.Lost != "" {
			return fmt.Sprintf("stream %q: %s", s.Stream, v.Streams[i].Error)
		}
	}
	if !ExitGood(e.Exit) {
		return ExitText(e)
	}
	for i, s := range e.Streams {
		if e.Messages == 0 && v.Streams[i].Status != sidecar.StatusSuccess {
			return Silent(e.Said)
		}
		if v.Streams[i].Status != sidecar.StatusSuccess {
			return fmt.Sprintf("stream %q: %s", s.Stream, v.Streams[i].Error)
		}
	}
	return ""
}

// ExitGood says that nothing is known against the source's end.
func ExitGood(exit Exit) bool {
	return exit.Known == ExitUnknown || exit.Known == ExitStatus && exit.Code == 0
}

// ExitText says how the source ended, with its own first error when it gave one.
func ExitText(e Evidence) string {
	text := ""
	switch exit := e.Exit; {
	case exit.Known == ExitKilled:
		text = "the connector was killed together with its shim (out of memory, or its container was removed)"
	case exit.OutOfMemory && exit.Code != 0:
		text = fmt.Sprintf("the connector ran out of memory (exit code %d): raise its memory limit", exit.Code)
	case exit.Known == ExitStatus && exit.Code == 137:
		text = "the connector was killed by SIGKILL (exit code 137): often for want of memory; raise its memory limit"
	case exit.Known == ExitStatus && exit.Signal != "":
		text = fmt.Sprintf("the connector was ended by %s (exit code %d)", exit.Signal, exit.Code)
	case exit.Known == ExitStatus && exit.Code != 0:
		text = fmt.Sprintf("the connector exited with code %d", exit.Code)
	}
	return strings.Trim(text+OrElse(": ", OrElse("", e.SourceError, e.Said.Cause), ""), ": ")
}

// StopText says why the session ended early.
func StopText(stop Stop) string {
	switch stop {
	case StopSignal:
		return "cancelled by a signal"
	case StopPipeOpen:
		return "the connector did not open its pipes in time (PIPE_OPEN_TIMEOUT): did its container start?"
	case StopFirstMessage:
		return "the connector sent no message in time (FIRST_MESSAGE_TIMEOUT)"
	case StopSilence:
		return "the connector was silent for too long (SILENCE_TIMEOUT)"
	default:
		return "the task took too long (TASK_TIMEOUT_HOURS)"
	}
}

// allCounted says that the source told the number of rows for every stream and all of them arrived.
func allCounted(streams []StreamEvidence) bool {
	for _, s := range streams {
		if !s.CountsSeen {
			return false
		}
	}
	return true
}

// OrElse puts a separator before a text that is there.
func OrElse(separator, text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return separator + text
}
