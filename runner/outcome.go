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
	Message     string // the engine's own words, if any
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

// exitEnvironment is the exit code for trouble of the machine, as cmd/sync-sidecar documents it.
const exitEnvironment = 3

// ExitCode is the sidecar's own; without a verdict it is the environment that failed.
func (o Outcome) ExitCode() int {
	if o.Report.Status == "" && (o.Sidecar.Code == 0 || o.Sidecar.Code > 2) {
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
	if o.Connector.OOMKilled {
		parts = append(parts, "the connector ran out of memory "+memoryLimit(o.Connector.MemoryLimit))
	}
	if o.Sidecar.OOMKilled {
		parts = append(parts, "the sidecar ran out of memory "+memoryLimit(o.Sidecar.MemoryLimit))
	}
	if o.Report.Status == "" {
		parts = append(parts, fmt.Sprintf("the sidecar ended without a verdict (exit code %d)", o.Sidecar.Code))
		parts = append(parts, o.LastLines...)
	}
	for _, part := range []string{o.Report.Cause, o.Connector.Message, o.Sidecar.Message} {
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
