// Package smoke tests a connector as CI would: it runs its commands one after the other, as good and as bad callers do, keeps what came (package
// recording), and judges that by a table of checks. In come the connector, its configuration and an engine; out comes a Result, whose checks each say
// what was found, why it matters and what to do. No destination is needed, and no content of a row leaves the package.
//
// A check that cannot be judged, as what it needs failed before, is skipped with that reason: one fault of a connector fails one check.
package smoke

import (
	"context"
	"encoding/json"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/recording"
)

// EnoughLine is the log line by which the recorder asks for the order to stop.
const EnoughLine = "enough was recorded"

// RecordOptions are what the recorder beside the connector is to do.
type RecordOptions struct {
	Limit   recording.Limit
	Timeout time.Duration // of the whole command, and of silence
	Grace   time.Duration // after the order to stop
}

// Settings say what to test, and how thoroughly.
type Settings struct {
	// Task is the connector: Image or Program, ConnectorEnv, Secrets, Config, and a Catalog if one is given.
	Task      runner.Task
	Selection runner.Selection
	BadConfig []byte // with which check has to fail; nil skips that
	Limit     int64  // records of each stream
	Timeout   time.Duration
	// Grace is how long the connector may take to end when it is told to.
	Grace time.Duration
	// Linger is how long it may take to end after its last output.
	Linger time.Duration
	Jobs   int // commands that run side by side
	// Dir is where the recordings are made, a folder for each step.
	Dir string
	// RecordArgs are the arguments of our binary for the recorder.
	RecordArgs func(RecordOptions) []string
	Baseline   *Baseline
	// Facts are what the image says of itself; nil for a program.
	Facts *runner.Image
	// MaxMemory is how much one process of the connector may hold, in bytes; 0 is no limit.
	MaxMemory  int64
	Only, Skip []string // ids of checks, or the part before the dot
	// Samples keeps the first value of each field.
	Samples bool
	// RecordTo is a folder for the recordings without their secrets; empty keeps none.
	RecordTo string
	// Begin is told which step begins, End which one ended. Both may be called from several goroutines.
	Begin func(step string)
	End   func(step string, e *Evidence)
}

// Status is what a check says.
type Status string

// What a check can say. Only Fail makes the whole fail.
const (
	Pass Status = "pass"
	Warn Status = "warn"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Check is one thing that was looked at.
type Check struct {
	ID     string `json:"id"`
	Status Status `json:"status"`
	// Claim is what is true of the connector when the check passes.
	Claim string `json:"claim"`
	// Evidence is what was seen: counts, line numbers, names of fields; why it was skipped.
	Evidence []string `json:"evidence,omitempty"`
	Why      string   `json:"why"`
	Do       string   `json:"do"`
}

// Result is what a smoke test brought.
type Result struct {
	Connector string    `json:"connector"`
	StartedAt time.Time `json:"started_at"`
	Seconds   float64   `json:"seconds"`
	Status    Status    `json:"status"` // Pass, Warn or Fail
	Checks    []Check   `json:"checks"`
	Steps     []Step    `json:"steps"`
	Streams   []*Stream `json:"-"`
	// Read is the evidence of the first read; nil when it did not come so far.
	Read    *Evidence       `json:"-"`
	Spec    json.RawMessage `json:"-"`
	Catalog json.RawMessage `json:"-"`
	// Mask hides the secrets of the test in a text from the evidence.
	Mask func(string) string `json:"-"`
}

// Step is one command that was run.
type Step struct {
	Name     string  `json:"name"`
	Command  string  `json:"command"`
	Seconds  float64 `json:"seconds"`
	Records  int64   `json:"records,omitempty"`
	States   int     `json:"states,omitempty"`
	End      string  `json:"end"` // how the connector ended, for people
	Memory   int64   `json:"max_memory,omitempty"`
	CPU      float64 `json:"cpu_seconds,omitempty"`
	Recorded string  `json:"-"` // the folder of its recording
}

// Count is how many checks have a status.
func (r Result) Count(status Status) int {
	count := 0
	for _, check := range r.Checks {
		if check.Status == status {
			count++
		}
	}
	return count
}

// Run tests the connector. The error is about the machine, or the settings: what is wrong with the connector is in the result.
func Run(ctx context.Context, engine runner.Engine, settings Settings, stop <-chan struct{}) (Result, error) {
	started := time.Now()
	s := newScenario(engine, settings, stop)
	err := s.play(ctx)
	result := Result{Connector: connectorName(settings.Task), StartedAt: started.UTC(), Seconds: time.Since(started).Seconds(), Status: Pass}
	if err != nil {
		return result, err
	}
	result.Checks = s.judge()
	result.Steps, result.Mask = s.steps(), s.masker.Mask
	if result.Read = s.evidence[stepRead]; result.Read != nil {
		result.Streams = result.Read.Streams
	}
	result.Spec, result.Catalog = s.spec(), s.catalog()
	if settings.RecordTo != "" {
		if err := s.record(settings.RecordTo); err != nil {
			return result, &runner.Error{Code: sidecar.ExitEnvironment, Err: err}
		}
	}
	for _, check := range result.Checks {
		if check.Status == Fail || check.Status == Warn && result.Status == Pass {
			result.Status = check.Status
		}
	}
	return result, nil
}

func connectorName(task runner.Task) string {
	if task.Image != "" {
		return task.Image
	}
	return runner.ProgramName(task.Program)
}
