package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/local"
)

// Formats of a result.
const (
	outputJSON  = "json"
	outputTable = "table"
)

func (m *runMode) checkOutput() error {
	switch m.cli.String("output") {
	case "", outputJSON, outputTable:
		return nil
	}
	return fmt.Errorf("--output %q: write json or table", m.cli.String("output"))
}

// output is the format: JSON by default where the result is a document of the source's.
func (m *runMode) output() string {
	if chosen := m.cli.String("output"); chosen != "" {
		return chosen
	}
	if m.command == sidecar.CommandSpec || m.command == sidecar.CommandDiscover {
		return outputJSON
	}
	return outputTable
}

// show prints the result to stdout and returns the verdict.
func (m *runMode) show(task runner.Task, outcome runner.Outcome) error {
	var text bytes.Buffer
	var err error
	switch {
	case m.command == sidecar.CommandRead && m.output() == outputJSON:
		report := outcome.Report
		report.Cause, report.ExitCode = outcome.Cause(), outcome.ExitCode()
		err = writeJSON(&text, report)
	case m.command == sidecar.CommandRead:
		err = writeRead(&text, task, outcome)
	case len(outcome.Report.Result) == 0:
		// Nothing was answered: the cause is all there is to say.
	case m.output() == outputJSON:
		err = writeJSON(&text, outcome.Report.Result)
	case m.command == sidecar.CommandCheck:
		err = writeCheck(&text, outcome.Report.Result)
	case m.command == sidecar.CommandDiscover:
		err = writeStreams(&text, outcome.Report.Result)
	default:
		err = writeProperties(&text, outcome.Report.Result)
	}
	if _, writeErr := m.env.stdout.Write(text.Bytes()); err == nil && writeErr != nil {
		err = withCode(exitEnvironment, fmt.Errorf("write the result: %w", writeErr))
	}
	if err != nil {
		return err
	}
	code, cause := outcome.ExitCode(), outcome.Cause()
	if code == exitOK {
		return nil
	}
	if m.command == sidecar.CommandCheck && len(outcome.Report.Result) > 0 && code == exitCheckFailed {
		return withCode(code, nil) // the answer says it
	}
	if cause == "" {
		cause = fmt.Sprintf("%s ended as %s", m.command, outcome.Report.Status)
	}
	return withCode(code, errors.New(cause))
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// writeRead is a table of the streams, the verdict, and where the rows are.
func writeRead(w io.Writer, task runner.Task, outcome runner.Outcome) error {
	report := outcome.Report
	if report.Status == "" {
		return nil
	}
	width := len("stream")
	for _, stream := range report.Streams {
		width = max(width, utf8.RuneCountInString(stream.Stream))
	}
	// The columns are aligned to the right, where numbers belong; names, filled up to one width, are not moved by that.
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name, rows, bytes, time, status string) {
		fmt.Fprintf(table, "%-*s\t%s\t%s\t%s\t%s\t\n", width, name, rows, bytes, time, status)
	}
	var rows, bytes int64
	line("stream", "rows", "bytes", "time", "status")
	for _, stream := range report.Streams {
		rows += stream.Rows
		bytes += stream.Bytes
		line(stream.Stream, thousands(stream.Rows), size(stream.Bytes), clock(stream.Seconds), string(stream.Status))
	}
	line("total", thousands(rows), size(bytes), clock(report.Seconds), string(report.Status))
	if err := table.Flush(); err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(report.Defects)) {
		fmt.Fprintf(w, "damaged output of the source: %s %s\n", thousands(report.Defects[kind]), strings.ReplaceAll(kind, "_", " "))
	}
	for _, stream := range report.Streams {
		if stream.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", stream.Stream, stream.Error)
		}
	}
	place := report.Destination
	if task.Settings["BULKER_URL"] == "" {
		place = local.Dir(task.LocalDir, sidecar.Identity{SyncID: task.SyncID})
	}
	_, err := fmt.Fprintf(w, "rows in %s\n", place)
	return err
}

// writeCheck is the answer in a line.
func writeCheck(w io.Writer, result json.RawMessage) error {
	var status airbyte.ConnectionStatus
	if err := json.Unmarshal(result, &status); err != nil {
		return fmt.Errorf("read the connection status: %w", err)
	}
	line := status.Status
	if status.Message != "" {
		line += ": " + status.Message
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
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", stream.Descriptor(), strings.Join(modes, ", "), strings.Join(stream.DefaultCursorField, "."),
			strings.Join(key, ", "))
	}
	return table.Flush()
}
