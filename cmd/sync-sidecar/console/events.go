package console

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/printable"
)

// Values of the member "event" of a line, beside those that the sidecar itself has (sidecar.EventProgress, sidecar.EventReport).
const (
	eventLog   = "log"
	eventUsage = "usage"
)

// line is one event as JSON. docs/events.schema.json describes it.
type line struct {
	Event   string          `json:"event"`
	Time    time.Time       `json:"time"`
	Level   string          `json:"level,omitempty"`
	Logger  string          `json:"logger,omitempty"`
	Message string          `json:"message,omitempty"`
	Report  *sidecar.Report `json:"report,omitempty"`
	Usage   *runner.Usage   `json:"usage,omitempty"`
}

// Events writes what happens as JSON, one event a line, for programs. The report is the last line. It is for one goroutine at a time, as events come.
// A pipe that takes nothing makes the run wait, as it would any program that writes its result.
type Events struct {
	out    io.Writer
	failed error // the first error; nothing is written after it
}

// NewEvents writes to out.
func NewEvents(out io.Writer) *Events { return &Events{out: out} }

// Event writes one event.
func (e *Events) Event(event runner.Event) {
	switch {
	case event.Report != nil && event.Report.Status != sidecar.StatusRunning && event.Report.Status != sidecar.StatusPending:
		// What the engine knows of the end is to be added: Report writes it.
	case event.Report != nil:
		e.write(line{Event: sidecar.EventProgress, Time: time.Now(), Report: event.Report})
	case event.Usage != nil:
		e.write(line{Event: eventUsage, Time: time.Now(), Usage: event.Usage})
	default:
		e.write(line{Event: eventLog, Time: event.Log.Time, Level: event.Log.Level, Logger: event.Log.Logger, Message: event.Log.Message})
	}
}

// Report writes the last line. The error is the first one of all lines.
func (e *Events) Report(result Result) error {
	report := result.report()
	e.write(line{Event: sidecar.EventReport, Time: time.Now(), Report: &report})
	return e.failed
}

// write writes a line.
func (e *Events) write(event line) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if e.failed == nil {
		e.failed = encoder.Encode(event)
	}
	if e.failed == nil {
		_, e.failed = e.out.Write(printable.JSON(text.Bytes())) // a terminal may be where it goes
	}
}

// ReadEvents hands each event of the lines that Events writes to event, until reader ends. The report is that of the last line; nil when it did not
// come.
func ReadEvents(reader io.Reader, event func(runner.Event)) (report *sidecar.Report) {
	runner.EachLine(reader, func(text []byte) {
		read := line{}
		switch err := json.Unmarshal(text, &read); {
		case err != nil: // what follows counts
		case read.Event == sidecar.EventReport:
			report = read.Report
		default:
			event(runner.Event{Report: read.Report, Usage: read.Usage,
				Log: runner.Line{Time: read.Time, Level: read.Level, Logger: read.Logger, Message: read.Message}})
		}
	})
	return report
}

// report is what is known of a read at its end: the sidecar's report, with what only the engine knows.
func (r Result) report() sidecar.Report {
	report := r.Outcome.Report
	report.Command = r.Command
	if r.Failure != nil {
		report.Status, report.Cause, report.ExitCode = sidecar.StatusFailed, r.Failure.Cause, r.Failure.ExitCode
		return report
	}
	report.Cause, report.ExitCode = r.Outcome.Cause(), r.Outcome.ExitCode()
	if report.Status == "" { // the sidecar gave no verdict
		report.Status = sidecar.StatusFailed
	}
	return report
}
