package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"sync-sidecar/runner"
	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/printable"
)

// Result is what a command brought, to be printed.
type Result struct {
	Command sidecar.Command
	Outcome runner.Outcome
	// Place is where the rows of a read are, as the caller reaches it.
	Place string
	// Failure is why there is no outcome; nil when there is one.
	Failure *Failure
}

// Failure is how a run ended that came to no outcome of its own.
type Failure struct {
	ExitCode int
	Cause    string
}

// WriteJSON writes the document that the connector answered with. Without an answer it writes nothing: the cause is all there is to say.
func (r Result) WriteJSON(w io.Writer) error {
	if len(r.Outcome.Report.Result) == 0 {
		return nil
	}
	return writeIndented(w, r.Outcome.Report.Result)
}

// WriteReport writes all that is known of the end as JSON, whatever the command was.
func (r Result) WriteReport(w io.Writer) error { return writeIndented(w, r.report()) }

func writeIndented(w io.Writer, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(text.Bytes())) // a terminal may be where it goes
	return err
}

// WriteTable writes the same for people.
func (r Result) WriteTable(w io.Writer) error {
	answer := r.Outcome.Report.Result
	switch {
	case r.Command == sidecar.CommandRead && r.Outcome.Report.Status != "":
		return r.writeRead(w)
	case r.Command == sidecar.CommandRead || len(answer) == 0:
		return nil
	case r.Command == sidecar.CommandCheck:
		return writeCheck(w, answer, r.Outcome.Report.Cause)
	case r.Command == sidecar.CommandDiscover:
		return writeStreams(w, answer)
	default:
		return writeProperties(w, answer)
	}
}

// writeRead is a table of the streams, the verdict, what there is to know beside it, and where the rows are.
func (r Result) writeRead(w io.Writer) error {
	report := r.Outcome.Report
	names, width := make([]string, len(report.Streams)), len("stream")
	for i, stream := range report.Streams {
		names[i] = visible(stream.Stream)
		width = max(width, utf8.RuneCountInString(names[i]))
	}
	// The columns are aligned to the right, where numbers belong; names, filled up to one width, are not moved by that.
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name, rows, bytes, time, status string) {
		fmt.Fprintf(table, "%-*s\t%s\t%s\t%s\t%s\t\n", width, name, rows, bytes, time, status)
	}
	var rows, bytes int64
	line("stream", "rows", "bytes", "time", "status")
	for i, stream := range report.Streams {
		rows += stream.Rows
		bytes += stream.Bytes
		line(names[i], figure.Thousands(stream.Rows), figure.Size(stream.Bytes), figure.Clock(stream.Seconds), string(stream.Status))
	}
	line("total", figure.Thousands(rows), figure.Size(bytes), figure.Clock(report.Seconds), string(report.Status))
	if err := table.Flush(); err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(report.Defects)) {
		fmt.Fprintf(w, "damaged output of the connector: %s %s\n", figure.Thousands(report.Defects[kind]), strings.ReplaceAll(kind, "_", " "))
	}
	for i, stream := range report.Streams {
		if stream.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", names[i], visible(stream.Error))
		}
		if stream.Limited && stream.Note != "" {
			fmt.Fprintf(w, "%s: %s\n", names[i], visible(stream.Note))
		}
	}
	for _, warning := range r.Warnings() {
		fmt.Fprintln(w, warning)
	}
	_, err := fmt.Fprintf(w, "rows in %s\n", r.Place)
	return err
}

// Warnings are a line for each that the report holds.
func (r Result) Warnings() []string {
	var lines []string
	for _, warning := range r.Outcome.Report.Warnings {
		lines = append(lines, "warning: "+visible(warning))
	}
	return lines
}

// writeCheck is the answer in a line.
func writeCheck(w io.Writer, result json.RawMessage, cause string) error {
	var status airbyte.ConnectionStatus
	if err := json.Unmarshal(result, &status); err != nil {
		return fmt.Errorf("read the connection status: %w", err)
	}
	line := visible(status.Status)
	if reason := cmp.Or(status.Message, cause); reason != "" {
		line += ": " + visible(reason)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// writeStreams is a discovered catalog for people.
func writeStreams(w io.Writer, result json.RawMessage) error {
	var catalog airbyte.Catalog
	if err := json.Unmarshal(result, &catalog); err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "stream\tsync modes\tcursor\tprimary key")
	for _, stream := range catalog.Streams {
		modes := make([]string, len(stream.SupportedSyncModes))
		for i, mode := range stream.SupportedSyncModes {
			modes[i] = string(mode)
		}
		var key []string
		for _, path := range stream.SourceDefinedPrimaryKey {
			key = append(key, strings.Join(path, "."))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", visible(stream.Descriptor().String()), visible(strings.Join(modes, ", ")),
			visible(strings.Join(stream.DefaultCursorField, ".")), visible(strings.Join(key, ", ")))
	}
	return table.Flush()
}
