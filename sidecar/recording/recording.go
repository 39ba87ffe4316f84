// Package recording keeps what a connector said to one command, byte by byte: its stdout and stderr, when each part of them came, and how the
// connector ended. In come the pipes and the exit status of a connector behind the shim (Record); out comes a folder that can be read again (Open),
// carried elsewhere, and played as a connector. Nothing is delivered and nothing judged here: tests of connectors do that with the folder.
//
// Every wait has an end (I4), and memory does not grow with what the connector says: beyond MaxBytes it is counted and not kept.
package recording

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"sync-sidecar/sidecar/atomicfile"
)

// Names of the files of a recording.
const (
	StdoutFile  = "stdout"
	StderrFile  = "stderr"
	summaryFile = "recording.json"
)

// Recording is what is known of one command beside its output.
type Recording struct {
	StartedAt time.Time `json:"started_at"`
	// Seconds are from the opening of the pipes, when the connector starts, to their end.
	Seconds float64 `json:"seconds"`
	// StdoutBytes and StderrBytes are all that came; Truncated says that not all of it was kept.
	StdoutBytes int64 `json:"stdout_bytes"`
	StderrBytes int64 `json:"stderr_bytes"`
	Truncated   bool  `json:"truncated,omitempty"`
	// Marks say when stdout had grown to what length, a bounded number of them, in order.
	Marks []Mark `json:"marks,omitempty"`
	// LastOutput is when the last byte of stdout or stderr came, in seconds.
	LastOutput float64 `json:"last_output"`
	// Enough says that reading was to stop before the connector's end, since a limit was reached.
	Enough bool `json:"enough,omitempty"`
	// Stop is when the order to stop came; nil when none did.
	Stop *Mark `json:"stop,omitempty"`
	// Held is how long after that order nothing was read, in seconds, so that it came in the middle of the connector's work.
	Held float64 `json:"held,omitempty"`
	// Exit is how the connector ended; Known says whether that is known.
	Exit Exit `json:"exit"`
	// Open says that the output had not ended when recording was given up.
	Open bool `json:"open,omitempty"`
}

// Mark is a moment: so many bytes of stdout had come so many seconds after the start.
type Mark struct {
	Seconds float64 `json:"seconds"`
	Bytes   int64   `json:"bytes"`
}

// Exit is how a connector ended, by the shim's word, or by that of whoever started it.
type Exit struct {
	Known       bool   `json:"known"`
	Code        int    `json:"code"` // 128+n when signal n ended it
	Signal      string `json:"signal,omitempty"`
	OutOfMemory bool   `json:"out_of_memory,omitempty"`
	// MaxMemory is the most that one process of the connector held, in bytes; CPUSeconds is what all of them used. 0 when not known.
	MaxMemory  int64   `json:"max_memory,omitempty"`
	CPUSeconds float64 `json:"cpu_seconds,omitempty"`
}

// At is when stdout had so many bytes, in seconds, as exactly as the marks say.
func (r Recording) At(bytes int64) float64 {
	at := sort.Search(len(r.Marks), func(i int) bool { return r.Marks[i].Bytes >= bytes })
	if at < len(r.Marks) {
		return r.Marks[at].Seconds
	}
	return r.LastOutput
}

// Write puts the summary into the folder of a recording.
func (r Recording) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return atomicfile.Replace(filepath.Join(dir, summaryFile), append(text, '\n'), 0o644)
}

// Read is the summary in the folder of a recording.
func Read(dir string) (Recording, error) {
	text, err := os.ReadFile(filepath.Join(dir, summaryFile))
	if err != nil {
		return Recording{}, fmt.Errorf("read the recording: %w", err)
	}
	var r Recording
	if err := json.Unmarshal(text, &r); err != nil {
		return Recording{}, fmt.Errorf("read the recording: %s: %w", filepath.Join(dir, summaryFile), err)
	}
	return r, nil
}

// Output opens one of the two outputs in the folder of a recording: StdoutFile or StderrFile.
func Output(dir, name string) (*os.File, error) {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	return file, nil
}

const outputMode fs.FileMode = 0o644
