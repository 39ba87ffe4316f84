package console

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"
	"unicode/utf8"

	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar"
)

// RunResult is how one of several runs ended.
type RunResult struct {
	Sync     string          `json:"sync"`
	Begun    bool            `json:"begun"` // false when a signal, or its own failure to start, kept it from that
	ExitCode int             `json:"exit_code"`
	Cause    string          `json:"cause,omitempty"`  // why it was no success
	Report   *sidecar.Report `json:"report,omitempty"` // nil when it left none
}

// status is a word for the end of a run.
func (r RunResult) status() string {
	switch {
	case !r.Begun:
		return "NOT BEGUN"
	case r.Report != nil && r.Report.Status != "" && (r.ExitCode != sidecar.ExitCheckFailed):
		return string(r.Report.Status)
	case r.ExitCode == sidecar.ExitOK:
		return string(sidecar.StatusSuccess)
	default:
		return string(sidecar.StatusFailed)
	}
}

// cause is why a run was no success, in short.
func (r RunResult) cause() string {
	if r.ExitCode == sidecar.ExitOK {
		return ""
	}
	if r.Report != nil && r.Report.Cause != "" {
		return r.Report.Cause
	}
	return r.Cause
}

// WriteRunsJSON writes the ends of several runs for programs.
func WriteRunsJSON(w io.Writer, runs []RunResult) error {
	for i := range runs {
		runs[i].Cause = runs[i].cause()
	}
	return writeIndented(w, map[string]any{"syncs": runs})
}

// longestCause is how much of a cause the table shows: the run itself has said all of it.
const longestCause = 100

// WriteRuns writes the ends of several runs as a table.
func WriteRuns(w io.Writer, runs []RunResult) error {
	width := len("sync")
	for _, run := range runs {
		width = max(width, utf8.RuneCountInString(run.Sync))
	}
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name, rows, size, time, status string) {
		fmt.Fprintf(table, "%-*s\t%s\t%s\t%s\t%s\t\n", width, name, rows, size, time, status)
	}
	line("sync", "rows", "bytes", "time", "status")
	for _, run := range runs {
		rows, size, time := "-", "-", "-"
		if report := run.Report; report != nil {
			time = figure.Clock(report.Seconds)
			if report.Command == sidecar.CommandRead {
				rows, size = delivered(report)
			}
		}
		line(visible(run.Sync), rows, size, time, run.status())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, run := range runs {
		if cause := run.cause(); cause != "" {
			fmt.Fprintf(&text, "%s: %s\n", visible(run.Sync), shorten(Line(cause), longestCause))
		}
	}
	_, err := w.Write(text.Bytes())
	return err
}

// delivered are the rows of a read, and their bytes, as people read them.
func delivered(report *sidecar.Report) (rows, size string) {
	var count, bytes int64
	for _, stream := range report.Streams {
		count, bytes = count+stream.Rows, bytes+stream.Bytes
	}
	return figure.Thousands(count), figure.Size(bytes)
}
