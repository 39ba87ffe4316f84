package smoke

import (
	"fmt"
	"strings"

	"sync-sidecar/sidecar/airbyte"
)

// sound says that a read ended well: by itself with exit code 0 and without an ERROR, or by our order when enough had come.
func (e *Evidence) sound() bool {
	if e.Recording.Enough {
		return e.Failure == "" && len(e.Errors) == 0
	}
	return e.exit() == "" && len(e.Errors) == 0
}

// knowsStatuses says whether the connector sent a status of any stream.
func (e *Evidence) knowsStatuses() bool {
	for _, stream := range e.Streams {
		if len(stream.Statuses) > 0 {
			return true
		}
	}
	return false
}

// complete says that each stream said so, where the connector knows statuses.
func (e *Evidence) complete() bool {
	for _, stream := range e.Streams {
		if e.knowsStatuses() && !stream.Cut && stream.ended() != airbyte.StreamComplete {
			return false
		}
	}
	return true
}

func readChecks() []check {
	read := []string{stepRead}
	return []check{
		{"read.exit", "`read` ends by itself, with exit code 0", "a platform takes any other end for a failure, and tries again",
			"look at what the connector said last; `sync-sidecar run read` shows all of it", read, on(stepRead, readExit)},
		{"read.error", "a read that ends with exit code 0 reports no ERROR",
			"a platform may take the sync for a success, without the rows that are missing",
			"exit with another code than 0 when a stream failed", read, on(stepRead, readError)},
		{"read.end", "the connector ends soon after its last output, and leaves no process behind",
			"a job runs on, and holds its slot, until somebody kills it",
			"join threads and children before the end, or make them daemons", read, readEnd},
		{"read.statuses", "each stream is STARTED, then RUNNING, then COMPLETE or INCOMPLETE",
			"without them nobody can tell a stream that is done from one that was cut off",
			"send the statuses in this order, and no record after the last", read, afterSound(readStatuses)},
		{"read.complete", "each stream says COMPLETE", "a full refresh is only committed, and a stream only called a success, when it is",
			"send COMPLETE at the end of each stream, and exit with another code than 0 when one could not be read", read, afterSound(readComplete)},
		{"read.records", "each stream has records", "an empty stream was not tested", "put records into the account of the test", read,
			afterSound(readRecords)},
		{"read.streams", "all records are of streams that were asked for", "a platform ends the sync at such a record",
			"send only records of the configured streams",
			read, on(stepRead, readUnknown)},
		{"read.error-logs", "a read that succeeds logs nothing at ERROR or FATAL", "whoever looks for a failure finds these first",
			"log at WARN what the connector recovers from", read, afterSound(readErrorLogs)},
	}
}

// afterSound judges a read that ended well; of another one there is nothing to say beyond that.
func afterSound(judge func(*Evidence) finding) func(*scenario) finding {
	return on(stepRead, func(e *Evidence) finding {
		if !e.sound() {
			return skip("the read failed")
		}
		return judge(e)
	})
}

func readExit(e *Evidence) finding {
	if e.exit() == "" || e.Recording.Enough && e.Failure == "" {
		return pass(fmt.Sprintf("%d records, %d states in %.1f s", e.Rows, len(e.States), e.Recording.Seconds))
	}
	return fail(e.said()...)
}

func readError(e *Evidence) finding {
	if e.exit() != "" && !e.Recording.Enough {
		return skip("the read failed")
	}
	return faulty(Fail, e.words())
}

func readEnd(s *scenario) finding {
	e := s.evidence[stepRead]
	if e == nil {
		return skip(s.whyNot(stepRead))
	}
	if e.Recording.Enough || e.exit() != "" {
		return skip("the connector did not end by itself")
	}
	if e.Recording.Open {
		return fail("something that the connector started holds its output open")
	}
	after := e.Recording.Seconds - e.Recording.LastOutput
	if after > s.settings.Linger.Seconds() {
		return warn(fmt.Sprintf("it ended %.1f s after its last output", after))
	}
	return pass(fmt.Sprintf("%.1f s after its last output", max(0, after)))
}

func readStatuses(e *Evidence) finding {
	if !e.knowsStatuses() {
		return warn("the connector sends no statuses at all")
	}
	return faulty(Fail, eachStream(e, func(s *Stream) []string {
		if len(s.Statuses) == 0 { // which is read.complete's to say
			return nil
		}
		var wrong []string
		before := airbyte.StreamStatus("")
		for _, status := range s.Statuses {
			if problem := follows(before, status.Status); problem != "" {
				wrong = append(wrong, fmt.Sprintf("%s (stdout line %d)", problem, status.Line))
			}
			before = status.Status
		}
		if last := s.Statuses[len(s.Statuses)-1]; isEnd(last.Status) && len(s.lines) > 0 && s.lines[len(s.lines)-1] > last.Line {
			wrong = append(wrong, fmt.Sprintf("a record after %s (stdout line %d)", last.Status, s.lines[len(s.lines)-1]))
		}
		return wrong
	}))
}

func isEnd(status airbyte.StreamStatus) bool {
	return status == airbyte.StreamComplete || status == airbyte.StreamIncomplete
}

// follows says what is wrong with a status after the one before; empty when nothing is. INCOMPLETE alone is what the CDK says of a stream that the
// source does not have (abstract_source.py).
func follows(before, status airbyte.StreamStatus) string {
	switch {
	case before == "" && status != airbyte.StreamStarted && status != airbyte.StreamIncomplete:
		return fmt.Sprintf("%s without STARTED", status)
	case before != "" && status == airbyte.StreamStarted:
		return "STARTED after " + string(before)
	case isEnd(before) && status != before:
		return fmt.Sprintf("%s after %s", status, before)
	}
	return ""
}

func readComplete(e *Evidence) finding {
	switch {
	case !e.knowsStatuses():
		return skip("the connector sends no statuses")
	case e.Lost > 0:
		return skip("lines were lost")
	}
	return faulty(Fail, eachStream(e, func(s *Stream) []string {
		switch last := s.ended(); {
		case last == airbyte.StreamComplete || s.Cut:
			return nil
		case last == "":
			return []string{"no status at all, with exit code 0"}
		default:
			return []string{"the last status is " + string(last) + ", with exit code 0"}
		}
	}))
}

func readRecords(e *Evidence) finding {
	if !e.complete() || e.Lost > 0 {
		return skip("the read is not complete")
	}
	var empty []string
	for _, stream := range e.Streams {
		if stream.Rows == 0 {
			empty = append(empty, fmt.Sprintf("%q", stream.Descriptor))
		}
	}
	switch {
	case e.Rows == 0:
		return fail("not one record came")
	case len(empty) > 0:
		return warn(fmt.Sprintf("%d of %d streams are empty: %s", len(empty), len(e.Streams), strings.Join(few(empty), ", ")))
	}
	return pass(fmt.Sprintf("%d records of %d streams", e.Rows, len(e.Streams)))
}

func readUnknown(e *Evidence) finding {
	var all []string
	for _, name := range names(e.Unknown) {
		all = append(all, fmt.Sprintf("stream %q: %s records", name, e.Unknown[name].where()))
	}
	return faulty(Fail, few(all))
}

func readErrorLogs(e *Evidence) finding {
	if e.ErrorLogs.Count == 0 {
		return pass()
	}
	return warn(e.ErrorLogs.where() + " messages")
}
