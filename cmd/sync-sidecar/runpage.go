package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/runner/figure"
	htmlpage "sync-sidecar/runner/page"
	"sync-sidecar/runner/schema"
	"sync-sidecar/runner/shape"
	"sync-sidecar/runner/smoke/report"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/local"
)

// progressLog remembers of a read when its rows came. It is for one goroutine at a time, as the events of a run are.
type progressLog struct {
	moments     []htmlpage.Moment
	first, last map[string]float64
	read        map[string]int64
	seconds     float64 // of the last event
}

func newProgressLog() *progressLog {
	return &progressLog{first: map[string]float64{}, last: map[string]float64{}, read: map[string]int64{}}
}

// take notes a report of the sidecar, on its way and at its end.
func (p *progressLog) take(event runner.Event) {
	if event.Report == nil || event.Report.Command != sidecar.CommandRead {
		return
	}
	now, sum := event.Report.Seconds, int64(0)
	for _, stream := range event.Report.Streams {
		sum += stream.Read
		if stream.Read > p.read[stream.Stream] {
			if _, began := p.first[stream.Stream]; !began {
				p.first[stream.Stream] = p.seconds
			}
			p.last[stream.Stream], p.read[stream.Stream] = now, stream.Read
		}
	}
	if len(p.moments) == 0 {
		p.moments = append(p.moments, htmlpage.Moment{})
	}
	p.moments, p.seconds = append(p.moments, htmlpage.Moment{Seconds: now, Rows: sum}), now
}

// writePage writes the page of a read that has ended, however it did.
func (m *runMode) writePage(task runner.Task, result console.Result, progress *progressLog) error {
	path := m.cli.String("html")
	if path == "" {
		return nil
	}
	made := m.pageOf(task, result, progress)
	if err := writeReport(path, false, func(w io.Writer) error { return htmlpage.Write(w, made) }); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("--html: %w", err))
	}
	return nil
}

func (m *runMode) pageOf(task runner.Task, result console.Result, progress *progressLog) htmlpage.Page {
	outcome := result.Outcome
	summary := outcome.Report
	connector, version := task.Package()
	made := htmlpage.Page{Kind: "Read", Title: connector, Status: htmlpage.Fail, Word: string(cmp.Or(summary.Status, sidecar.StatusFailed)),
		Line: outcome.Cause(),
		Made: summary.StartedAt, Seconds: summary.Seconds, Pace: progress.moments, Footer: "Made by sync-sidecar run read,",
		Checks: readChecks(outcome)}
	if made.Made.IsZero() {
		made.Made = task.StartedAt
	}
	switch {
	case result.Failure != nil:
		made.Line = result.Failure.Cause
	case summary.Status == sidecar.StatusSuccess && outcome.ExitCode() == exitOK:
		made.Status, made.Line = htmlpage.Pass, fmt.Sprintf("All rows arrived in %s.", result.Place)
	case summary.Status == sidecar.StatusPartial:
		made.Status = htmlpage.Warn
	}
	catalog, err := airbyte.ParseConfiguredCatalog(outcome.Catalog)
	if err != nil {
		catalog = airbyte.ConfiguredCatalog{}
	}
	var bytes int64
	for _, stream := range summary.Streams {
		bytes += stream.Bytes
		made.Streams = append(made.Streams, pageStream(task, stream, catalog, progress))
	}
	made.Facts = []htmlpage.Fact{{Name: "Streams", Value: figure.Thousands(int64(len(summary.Streams)))}, {Name: "Rows",
		Value: figure.Thousands(made.Rows())},
		{Name: "Size", Value: figure.Size(bytes)}, {Name: "States saved", Value: figure.Thousands(summary.StatesSaved)},
		{Name: "Time", Value: figure.Clock(summary.Seconds)}, {Name: "Version", Value: version}}
	return made
}

// pageStream is a stream of a read, with the shapes of its first rows where these are in the caller's folder.
func pageStream(task runner.Task, stream sidecar.StreamReport, catalog airbyte.ConfiguredCatalog, progress *progressLog) htmlpage.Stream {
	shown := htmlpage.Stream{Name: stream.Stream, Rows: stream.Rows, Bytes: stream.Bytes, Word: string(stream.Status), Status: htmlpage.Skip,
		From: progress.first[stream.Stream], To: progress.last[stream.Stream]}
	switch stream.Status {
	case sidecar.StatusSuccess:
		shown.Status = htmlpage.Pass
	case sidecar.StatusPartial:
		shown.Status = htmlpage.Warn
	case sidecar.StatusFailed, sidecar.StatusCancelled, sidecar.StatusTimeExceeded:
		shown.Status = htmlpage.Fail
	}
	for _, note := range []string{stream.Error, stream.Note} {
		if note != "" {
			shown.Notes = append(shown.Notes, note)
		}
	}
	at := slices.IndexFunc(catalog.Streams, func(one airbyte.ConfiguredStream) bool { return one.Stream.Descriptor().String() == stream.Stream })
	if at < 0 {
		return shown
	}
	configured := catalog.Streams[at]
	shown.Mode = fmt.Sprintf("%s, %s", configured.SyncMode, configured.DestinationSyncMode)
	shown.Key, shown.Cursor = report.Paths(configured.Key()), strings.Join(configured.Cursor(), ".")
	document, err := schema.Decode(configured.Stream.JSONSchema)
	if err != nil {
		document = nil
	}
	fields, rows, err := shapesOf(filepath.Join(task.Folder(), filepath.FromSlash(local.RowsFile(configured.Stream.Descriptor()))))
	switch {
	case task.RowsAtServer:
		fields, rows = shape.Fields{}, 0
		shown.Notes = append(shown.Notes, "The rows are not on this machine: of the fields only the schema is known.")
	case err != nil:
		shown.Notes = append(shown.Notes, err.Error())
	case rows == shapedRows:
		shown.Notes = append(shown.Notes, fmt.Sprintf("What was seen of the fields is of the first %s rows.", figure.Thousands(rows)))
	}
	shown.Fields = report.Fields(schema.Of(document), fields, rows)
	return shown
}

// shapedRows is how many rows of a file are looked at.
const shapedRows = 1000

// shapesOf looks at the first rows of a file.
func shapesOf(path string) (shape.Fields, int64, error) {
	fields, rows := shape.Fields{}, int64(0)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fields, 0, nil
	}
	if err != nil {
		return fields, 0, err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<20)
	for rows < shapedRows {
		line, err := lines.ReadBytes('\n')
		if decoded, wrong := schema.Decode(line); wrong == nil {
			if row, is := decoded.(map[string]any); is {
				fields.Take(row, false)
				rows++
			}
		}
		if errors.Is(err, io.EOF) {
			return fields, rows, nil
		}
		if err != nil {
			return fields, rows, fmt.Errorf("look at the rows: %w", err)
		}
	}
	return fields, rows, nil
}

// readChecks are what a report says beside its numbers, as checks.
func readChecks(outcome runner.Outcome) []htmlpage.Check {
	summary := outcome.Report
	check := func(id, claim string, status htmlpage.Status, evidence []string) htmlpage.Check {
		one := htmlpage.Check{ID: id, Claim: claim, Status: htmlpage.Pass, Evidence: evidence}
		if len(evidence) > 0 {
			one.Status = status
		}
		return one
	}
	var cause, missing, damage, unsaved []string
	if text := outcome.Cause(); text != "" {
		cause = append(cause, text)
	}
	for _, stream := range summary.Streams {
		if stream.Rows != stream.Read {
			missing = append(missing, fmt.Sprintf("stream %q: %s of %s rows arrived", stream.Stream, figure.Thousands(stream.Rows),
				figure.Thousands(stream.Read)))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(summary.Defects)) {
		damage = append(damage, fmt.Sprintf("%s %s", figure.Thousands(summary.Defects[kind]), strings.ReplaceAll(kind, "_", " ")))
	}
	if summary.StatesUnsaved > 0 {
		unsaved = append(unsaved, fmt.Sprintf("%s states were not saved: the next read brings their rows again", figure.Thousands(summary.StatesUnsaved)))
	}
	return []htmlpage.Check{
		check("read.verdict", "the read is a success", htmlpage.Fail, cause),
		check("read.rows", "every row that the connector sent arrived", htmlpage.Fail, missing),
		check("read.output", "the connector's output is whole", htmlpage.Warn, damage),
		check("read.states", "every state was saved", htmlpage.Warn, unsaved),
		check("read.warnings", "there is nothing else to know", htmlpage.Warn, summary.Warnings),
	}
}
