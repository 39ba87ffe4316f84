// Package verdict decides how a read ended, from what was seen of it (I3). It is pure: the same evidence gives the same verdict.
//
// In comes Evidence, out goes a Verdict on the task and on each of its streams.
package verdict

import (
	"cmp"
	"fmt"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Evidence is all that a verdict on a read depends on.
type Evidence struct {
	Exit      Exit
	StdoutEOF bool
	StderrEOF bool
	Messages  int64 // lines of stdout that were Airbyte messages
	Statuses  bool  // the connector sends STREAM_STATUS
	Bare      bool  // no row, no state and no status came
	Enough    bool  // the session ended before the connector did, since all rows came that were wanted
	// Stopped says why the session ended before the connector did; empty when the connector ended first.
	Stopped Stop
	// ConnectorError is what the connector itself says of its failure: its first TRACE ERROR that names no stream, a FAILED CONNECTION_STATUS, or else
	// its first FATAL log line.
	ConnectorError string
	// Said is what its other output gives as a cause; it decides nothing.
	Said Said
	// Fault is what broke the session itself, such as a pipe that could not be read.
	Fault error
	// LostLines counts lines that looked like rows, could not be read, and named no stream.
	LostLines int64
	// Unsaved is why acknowledged states could not be saved; nil when all were.
	Unsaved error
	Streams []StreamEvidence
}

// Said is what output of a connector that is no protocol message gives as a cause.
type Said struct {
	Cause    string // a traceback's last line, a usage error and the like; empty when there is none
	LastLine string // whatever it says
}

// StreamEvidence is what a verdict on one stream depends on.
type StreamEvidence struct {
	Stream     airbyte.StreamDescriptor
	Mode       sidecar.Mode
	Last       airbyte.StreamStatus // its last status; empty when it gave none
	Error      string               // the connector's first TRACE ERROR about it
	Read       int64                // rows that the connector sent
	Acked      int64                // rows that the destination acknowledged
	LoadError  error                // why its rows could not be delivered
	Lost       string               // how rows of it were lost before they were delivered; empty when none were
	CountsSeen bool                 // the connector said how many rows it sent, and so many arrived
	Aborted    bool                 // a full refresh that was not committed because the stream did not end well
	Cut        bool                 // it has more rows than were wanted; those are left to the next read
	Unreached  bool                 // the read ended before the connector came to it, since it had enough of another stream
}

// ExitKnown says what is known of the connector's end.
type ExitKnown int

// What can be known of the connector's end.
const (
	ExitUnknown ExitKnown = iota // no shim: a pod in upstream's form
	ExitStatus                   // the code is known
	ExitKilled                   // the shim was killed before it could write a code
)

// Exit is how the connector ended.
type Exit struct {
	Known  ExitKnown
	Code   int
	Signal string // name of the signal that ended it, as in SIGKILL; empty when none did
	// OutOfMemory says that the kernel killed a process of the connector's container for want of memory.
	OutOfMemory bool
}

// Stop is why a session ended before its connector did.
type Stop string

// The reasons to end a session before its connector ends.
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
	Environment bool     // the cause is neither the connector nor its data: exit code 3
	Notes       []string // what a person should know although the task is a success
	Streams     []StreamVerdict
}

// StreamVerdict is the outcome of one stream.
type StreamVerdict struct {
	Status sidecar.Status
	Error  string
}

// bad says that the stream is no success. One that the read did not come to, since it had enough before, is none of its failures.
func (v StreamVerdict) bad() bool {
	return v.Status != sidecar.StatusSuccess && v.Status != sidecar.StatusPending
}

// Decide is the verdict (I2, I3).
func Decide(e Evidence) Verdict {
	v := Verdict{Streams: make([]StreamVerdict, len(e.Streams))}
	good, some, environment := 0, 0, false
	for i, stream := range e.Streams {
		v.Streams[i] = decideStream(e, stream)
		switch v.Streams[i].Status {
		case sidecar.StatusSuccess, sidecar.StatusPending:
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
	if v.Status == sidecar.StatusSuccess {
		v.Notes = notes(e)
	}
	v.Environment = e.Unsaved != nil || e.Fault != nil || environment && v.Status == sidecar.StatusFailed
	return v
}

// notes say what is odd about a success that brought nothing.
func notes(e Evidence) []string {
	anew := true // no stream goes on from a state, of which nothing new is no wonder
	for _, s := range e.Streams {
		if s.Read > 0 {
			return nil
		}
		anew = anew && s.Mode != sidecar.Append
	}
	switch {
	case e.Messages == 0:
		return []string{"the connector exited with code 0 and without a single message: taken as nothing new since the saved state"}
	case e.Bare:
		return []string{"the connector ended well, and brought neither a row, a state nor a status: taken as nothing to read"}
	case anew:
		return []string{"not a single row came: are the connector's configuration and the rights of its account as they should be?"}
	}
	return nil
}

// EndedWell says that a connector which sends no statuses has read all its streams to their end, as far as can be told: what it did not send does not
// exist.
func EndedWell(e Evidence) bool {
	spoke := e.Messages > 0 && (!e.Bare || e.Exit.Known == ExitStatus)
	return e.Stopped == "" && e.Fault == nil && e.StdoutEOF && !e.Statuses && ExitGood(e.Exit) && e.ConnectorError == "" && spoke
}

// nothingNew says that a connector which sent no message at all found nothing new: it ended well, and no table would be emptied by that.
func nothingNew(e Evidence, s StreamEvidence) bool {
	return e.Messages == 0 && s.Mode == sidecar.Append && e.Exit.Known == ExitStatus && e.Exit.Code == 0 && e.StdoutEOF && e.Fault == nil &&
		e.ConnectorError == ""
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
	case s.Unreached:
		return StreamVerdict{Status: sidecar.StatusPending}
	case s.Cut && s.LoadError == nil && !s.Aborted && e.Fault == nil && e.Stopped == "":
		return StreamVerdict{Status: sidecar.StatusSuccess}
	case s.Last == airbyte.StreamComplete && !undelivered && !s.Aborted && s.LoadError == nil:
		return StreamVerdict{Status: sidecar.StatusSuccess}
	case s.Error != "":
		return failed("%s", s.Error)
	case e.Stopped == StopSignal:
		return StreamVerdict{sidecar.StatusCancelled, "cancelled"}
	case e.Stopped != "":
		return StreamVerdict{sidecar.StatusTimeExceeded, StopText(e.Stopped)}
	case s.Last == airbyte.StreamIncomplete:
		return failed("the connector stopped before the end of this stream%s", because(e.ConnectorError))
	case e.Fault != nil:
		return failed("%v", e.Fault)
	case nothingNew(e, s):
		return StreamVerdict{Status: sidecar.StatusSuccess}
	case e.Messages == 0:
		return failed("%s", Silent(e.Said))
	case e.Bare && e.Exit.Known == ExitUnknown:
		return failed("%s", cmp.Or(e.ConnectorError, bareConnector))
	case s.Last == airbyte.StreamComplete:
		return failed("%d of %d rows were not acknowledged", s.Read-s.Acked, s.Read)
	case e.Statuses && s.Last == "":
		return failed("the connector ended without a word on this stream%s", because(ExitText(e)))
	case e.Statuses:
		return failed("the connector ended before this stream was complete%s", because(ExitText(e)))
	case !ExitGood(e.Exit):
		return failed("%s", ExitText(e))
	case e.ConnectorError != "":
		return failed("%s", e.ConnectorError)
	case undelivered || s.Aborted:
		return failed("%d of %d rows were not acknowledged", s.Read-s.Acked, s.Read)
	default:
		return StreamVerdict{Status: sidecar.StatusSuccess}
	}
}
