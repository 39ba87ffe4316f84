package pipe

import (
	"fmt"
	"os"
	"strings"
	"time"

	"sync-sidecar/sidecar/atomicfile"
)

// Usage is what a connector took of the machine.
type Usage struct {
	MaxMemory int64         // the most that one of its processes held, in bytes
	CPU       time.Duration // of all its processes
}

// usageFile is beside the exit status: one line, "<bytes> <nanoseconds>".
func usageFile(exitStatusFile string) string { return exitStatusFile + ".usage" }

// WriteUsage says what the connector took. It has to come before the exit status, whose readers look for it.
func WriteUsage(exitStatusFile string, usage Usage) error {
	line := fmt.Sprintf("%d %d\n", usage.MaxMemory, usage.CPU.Nanoseconds())
	err := atomicfile.Write(usageFile(exitStatusFile), strings.NewReader(line), atomicfile.Options{Mode: 0o644, Unsynced: true})
	if err != nil {
		return fmt.Errorf("write what the connector used: %w", err)
	}
	return nil
}

// ReadUsage is what the connector took, or nothing where that is not known: it is never worth a failure.
func ReadUsage(exitStatusFile string) Usage {
	var usage Usage
	info, err := os.Lstat(usageFile(exitStatusFile))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxExitStatusBytes {
		return Usage{}
	}
	text, err := os.ReadFile(usageFile(exitStatusFile))
	if err != nil {
		return Usage{}
	}
	var nanoseconds int64
	if _, err := fmt.Sscanf(string(text), "%d %d\n", &usage.MaxMemory, &nanoseconds); err != nil || usage.MaxMemory < 0 || nanoseconds < 0 {
		return Usage{}
	}
	usage.CPU = time.Duration(nanoseconds)
	return usage
}
