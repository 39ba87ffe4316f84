package verdict

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// SilentConnector is the cause when the connector said nothing at all.
const SilentConnector = "the connector ended without a single Airbyte message: is its command (AIRBYTE_ENTRYPOINT) right?"

// Silent is the cause when no message came: with what the connector said instead, if anything.
func Silent(said Said) string {
	words := cmp.Or(said.Cause, said.LastLine)
	if words == "" {
		return SilentConnector
	}
	text := "the connector ended without a single Airbyte message; it said: " + words
	if regexp.MustCompile(`^(/\S*/)?(ba|da|a)?sh: `).MatchString(words) { // what a shell says, not the connector
		text += " (is its command, AIRBYTE_ENTRYPOINT, right?)"
	}
	return text
}

// bareConnector is the cause when a connector that ended well and one that was killed would look the same.
const bareConnector = "the connector ended with neither a row, a state nor a status, and its exit code is not known: see its log"

// cause is the one sentence that explains the task: the first that applies, from the most to the least telling.
func cause(e Evidence, v Verdict) string {
	switch {
	case e.Stopped == StopSilence && allComplete(e, v):
		return StopText(e.Stopped) + ": all its streams were complete before, and what they brought is saved; it did not end"
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
	case !e.Enough && (!e.StdoutEOF || !e.StderrEOF):
		return "the connector's output did not end: something still holds its pipe open"
	case e.LostLines > 0 && !allCounted(e.Streams):
		return fmt.Sprintf("%d lines of the connector looked like messages and could not be read; which streams they belong to is not known", e.LostLines)
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

// firstStreamCause is the error of the first stream that tells its own; else how the connector ended, when it ended badly, since the streams failed
// with it; else the error of the first stream that failed.
func firstStreamCause(e Evidence, v Verdict) string {
	for i, s := range e.Streams {
		if s.Error != "" && v.Streams[i].bad() || s.Lost != "" {
			return fmt.Sprintf("stream %q: %s", s.Stream, v.Streams[i].Error)
		}
	}
	if !ExitGood(e.Exit) {
		return ExitText(e)
	}
	for i, s := range e.Streams {
		if e.Messages == 0 && v.Streams[i].bad() {
			return Silent(e.Said)
		}
		if v.Streams[i].bad() {
			return fmt.Sprintf("stream %q: %s", s.Stream, v.Streams[i].Error)
		}
	}
	return ""
}

// ExitGood says that nothing bad is known of the connector's end.
func ExitGood(exit Exit) bool {
	return exit.Known == ExitUnknown || exit.Known == ExitStatus && exit.Code == 0
}

// ExitText says how the connector ended badly, and the cause that it gave; empty when there is neither.
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
	why := cmp.Or(e.ConnectorError, e.Said.Cause)
	if why == "" && exitsByItself(e.Exit) && e.Said.LastLine != "" {
		return text + "; the last that it said: " + e.Said.LastLine
	}
	return strings.Trim(text+because(why), ": ")
}

// exitsByItself says that the connector itself chose to end badly.
func exitsByItself(exit Exit) bool {
	return exit.Known == ExitStatus && exit.Code != 0 && exit.Code != 137 && exit.Signal == "" && !exit.OutOfMemory
}

// allComplete says that every stream said COMPLETE and is delivered.
func allComplete(e Evidence, v Verdict) bool {
	for i, s := range e.Streams {
		if s.Last != airbyte.StreamComplete || v.Streams[i].Status != sidecar.StatusSuccess {
			return false
		}
	}
	return e.Unsaved == nil && e.Fault == nil
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

// allCounted says that the connector counted the rows of every stream, and that all of them arrived.
func allCounted(streams []StreamEvidence) bool {
	for _, s := range streams {
		if !s.CountsSeen {
			return false
		}
	}
	return true
}

// because is a text after a colon; empty when there is no text.
func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
