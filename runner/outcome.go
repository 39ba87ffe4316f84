package runner

import (
	"fmt"
	"strings"

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
	// NotRun says that the shim could not run the connector's program at all.
	NotRun bool
}

// Outcome is all that is known of a task that ended.
type Outcome struct {
	// Report is the sidecar's; its Status is empty when the sidecar ended without one.
	Report    sidecar.Report
	Sidecar   Exit
	Connector Exit
	// LastLines are the last lines of the sidecar that were no reports: the only clue when it ended without a verdict.
	LastLines []string
}

// Exit codes, as cmd/sync-sidecar documents them.
const (
	exitUsage       = 2
	exitEnvironment = 3 // trouble of the machine
)

// Exit codes of a shim that could not run its program, as shells have them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// ShimSaid adds the shim's own words to how it ended. Its stderr holds nothing else, since the connector's goes into a pipe: words and the code of a
// shell mean that there was no connector.
func (e *Exit) ShimSaid(lines []string) {
	if e.Code == 0 || len(lines) == 0 {
		return
	}
	e.Message = strings.TrimPrefix(lines[len(lines)-1], "sync-sidecar: ")
	e.NotRun = e.Code == codeNotExecutable || e.Code == codeNotFound
}

// ExitCode is the sidecar's own; without a verdict, or without a connector that runs, it is the environment that failed.
func (o Outcome) ExitCode() int {
	if o.Connector.NotRun || (o.Report.Status == "" && (o.Sidecar.Code == 0 || o.Sidecar.Code > exitUsage)) {
		return exitEnvironment
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
	if o.Connector.OOMKilled || o.Report.OutOfMemory && o.Connector.MemoryLimit > 0 {
		parts = append(parts, "the connector ran out of memory "+memoryLimit(o.Connector.MemoryLimit))
	}
	if o.Sidecar.OOMKilled {
		parts = append(parts, "the sidecar ran out of memory "+memoryLimit(o.Sidecar.MemoryLimit))
	}
	if o.Report.Status == "" {
		parts = append(parts, fmt.Sprintf("the sidecar ended without a verdict (exit code %d)", o.Sidecar.Code))
		parts = append(parts, o.LastLines...)
	}
	said := []string{o.Report.Cause, o.Connector.Message, o.Sidecar.Message}
	if o.Connector.NotRun { // the exit code, which is all that the sidecar saw, says less
		said = said[1:]
	}
	for _, part := range said {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

func memoryLimit(bytes int64) string {
	if bytes == 0 {
		return "(the machine's: free some, or use a machine with more)"
	}
	return fmt.Sprintf("(limit %d MiB: raise it with --memory)", bytes>>20)
}
