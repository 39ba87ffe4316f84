package runner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"sync-sidecar/sidecar"
)

// Exit is how a process ended, as the engine saw it.
type Exit struct {
	Started   bool
	Code      int // 128+n when a signal ended it
	OOMKilled bool
	// MemoryLimit is the limit that OOMKilled ran into, in bytes; 0 when the machine's memory was the limit.
	MemoryLimit int64
	Message     string // the engine's or the shim's own words, if any
	// Stopped says that the engine ended the connector by a signal, as there was no use for it any more: how it ended says nothing.
	Stopped bool
	// NotRun says that the shim could not run the connector's program at all.
	NotRun bool
}

// Outcome is all that is known of a task that ended.
type Outcome struct {
	// Report is the sidecar's; its Status is empty when the sidecar ended without one.
	Report    sidecar.Report
	Sidecar   Exit
	Connector Exit
	// Catalog is the configured catalog of a read: the given one, or what was made of discover's answer.
	Catalog json.RawMessage
	// Refusal is the error that the sidecar, or init before it, ended with, in its own words; empty when it gave none.
	Refusal string
	// LastLines are the last lines of the sidecar that were no reports: the only clue when it ended with neither a verdict nor an error.
	LastLines []string
	// LastWords are the last lines that the connector logged, a bounded number of them, the last one last.
	LastWords []string
}

// codeKilled is the exit code of a container that SIGKILL ended.
const codeKilled = sidecar.ExitSignal + int(syscall.SIGKILL)

// Exit codes of a shim that could not run its program, as shells have them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// ConnectorEnded settles how the connector ended: lines are what the shim wrote to its own stderr. That holds nothing else, since the connector's
// goes into a pipe: words and the code of a shell mean that there was no connector.
func (o *Outcome) ConnectorEnded(lines []string) {
	end := &o.Connector
	end.Stopped = end.Stopped && end.Code > sidecar.ExitSignal
	if end.Code == 0 {
		return
	}
	if len(lines) > 0 && !end.Stopped {
		end.Message = strings.TrimPrefix(lines[len(lines)-1], errorPrefix)
		end.NotRun = end.Code == codeNotExecutable || end.Code == codeNotFound
	}
}

// ExitCode is the sidecar's own; without a verdict, or without a connector that runs, it is the environment that failed.
func (o Outcome) ExitCode() int {
	if o.Connector.NotRun || (o.Report.Status == "" && (o.Sidecar.Code == 0 || o.Sidecar.Code > sidecar.ExitUsage)) {
		return sidecar.ExitEnvironment
	}
	return o.Sidecar.Code
}

// Cause says why the task did not succeed, with what only the engine knows put before what the sidecar could see; empty after a success.
func (o Outcome) Cause() string {
	if o.Report.Status == sidecar.StatusSuccess && o.Sidecar.Code == 0 {
		return ""
	}
	var parts []string
	// The Engine learns of it by an event that may come after the container's end, or never (containerd issues 8893 and 12372); exec asks the kernel,
	// which does not tell whose limit it was.
	switch c := o.Connector; {
	case c.OOMKilled || o.Report.OutOfMemory && c.MemoryLimit > 0:
		parts = append(parts, "the connector ran out of memory "+memoryLimit(c.MemoryLimit))
	case c.Code == codeKilled && !c.Stopped && c.MemoryLimit > 0: // exec was killed, too
		parts = append(parts, "the connector was killed, most likely since it ran out of memory "+memoryLimit(c.MemoryLimit))
	}
	if o.Sidecar.OOMKilled {
		parts = append(parts, "the sidecar ran out of memory "+memoryLimit(o.Sidecar.MemoryLimit))
	}
	if o.Report.Status == "" && o.Refusal == "" {
		parts = append(parts, fmt.Sprintf("the sidecar ended without a verdict (exit code %d)", o.Sidecar.Code))
		parts = append(parts, o.LastLines...)
	}
	if !o.Connector.NotRun { // the exit code, which is all that the sidecar saw, says less than the shim
		parts = append(parts, o.Report.Cause)
	}
	parts = append(parts, o.Refusal, o.Connector.Message, o.Sidecar.Message)
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "; ")
}

// Cancelled says that the sidecar ended by a signal, in its own good order: with a verdict that says so, or before its session began.
func (o Outcome) Cancelled() bool {
	status := o.Report.Status
	return status == sidecar.StatusCancelled || status == "" && o.Sidecar.Code == sidecar.ExitSignal+int(syscall.SIGTERM)
}

// ConnectorFailed says whether the connector's last words may tell more than the cause: it ended badly by itself, was silent, or too slow.
func (o Outcome) ConnectorFailed() bool {
	switch o.ExitCode() {
	case sidecar.ExitTimeout:
		return true
	case sidecar.ExitFailed, sidecar.ExitPartial:
		sent := len(o.Report.Result) > 0 || slices.ContainsFunc(o.Report.Streams, func(s sidecar.StreamReport) bool { return s.Read > 0 })
		return !sent || o.Connector.Code != 0 && !o.Connector.Stopped
	}
	return false
}

func memoryLimit(bytes int64) string {
	if bytes == 0 {
		return "(the machine's: free some, or use a machine with more)"
	}
	return fmt.Sprintf("(limit %d MiB: raise it with --memory)", bytes>>20)
}
