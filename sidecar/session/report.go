package session

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/loader"
	"sync-sidecar/sidecar/verdict"
)

// report starts a Report with what all commands know.
func (s *session) report(defects map[string]int64) sidecar.Report {
	return sidecar.Report{
		Command:   s.config.Command,
		StartedAt: s.started.UTC(),
		Seconds:   time.Since(s.started).Seconds(),
		Warnings:  s.warnings.list(),
		Defects:   defects,
	}
}

// ownError is what the connector itself says of its failure; empty when it says nothing.
func (s *session) ownError() string {
	return cmp.Or(s.connectorError, s.fatal)
}

// seconds is how long a stream took so far: to its end, or to the acknowledgement of its last row, whichever came later.
func (s said) seconds(progress loader.Progress) float64 {
	switch {
	case s.began.IsZero():
		return 0
	case s.ended.IsZero() || progress.Working:
		return time.Since(s.began).Seconds()
	case progress.LastAck.After(s.ended):
		return progress.LastAck.Sub(s.began).Seconds()
	default:
		return s.ended.Sub(s.began).Seconds()
	}
}

// streamReports are the streams as they stand; with verdicts, as they ended.
func (r *read) streamReports(seen *snapshot, verdicts []verdict.StreamVerdict) []sidecar.StreamReport {
	reports, progress := make([]sidecar.StreamReport, len(seen.streams)), r.loader.Progress()
	for i, s := range seen.streams {
		delivered := progress[i]
		report := sidecar.StreamReport{Stream: r.config.Streams[i].Table.Stream.String(), Status: sidecar.StatusPending, Rows: delivered.Acked.Rows,
			Bytes: delivered.Acked.Bytes, Read: s.read, EstimatedRows: s.estimate, Error: s.err, Seconds: s.seconds(delivered), Defects: s.defects}
		switch {
		case verdicts != nil:
			report.Status, report.Error = verdicts[i].Status, verdicts[i].Error
			report.Limited = s.hasMore(r.config.StreamLimit)
			report.Unfinished = s.unfinished(r.config.Streams[i])
			if report.Error == "" {
				report.Note = r.logs.Masked(also(s.note, s.limitNote(r.config.Streams[i], delivered.Acked.Rows, r.config.StreamLimit)))
			}
			report.Note = also(report.Note, r.logs.Masked(r.changed[r.config.Streams[i].Table.Stream]))
		case delivered.Err != nil:
			report.Status, report.Error = sidecar.StatusFailed, delivered.Err.Error()
		case s.status == airbyte.StreamComplete && delivered.Acked.Rows >= s.read:
			report.Status = sidecar.StatusSuccess
		case !s.began.IsZero():
			report.Status = sidecar.StatusRunning
		}
		if report.Status == sidecar.StatusRunning && s.limited.on && s.limited.rows == s.read {
			report.RateLimited = true
			if !s.limited.until.IsZero() {
				report.RateLimitedUntil = &s.limited.until
			}
		}
		report.Error = r.logs.Masked(report.Error)
		reports[i] = report
	}
	return reports
}

// tellChanges warns of the values that the destination could not keep as they were.
func (r *read) tellChanges() {
	noter, ok := r.destination.(sidecar.Noter)
	if !ok {
		return
	}
	r.changed = map[airbyte.StreamDescriptor]string{}
	for _, note := range noter.Notes() {
		r.warnOf(note.Stream.String(), fmt.Sprintf("stream %q: %s", note.Stream, note.Text))
		r.changed[note.Stream] = also(r.changed[note.Stream], note.Text)
	}
}

// also is two notes as one; either may be empty.
func also(note, more string) string {
	if note == "" || more == "" {
		return note + more
	}
	return note + "; " + more
}

// description is the task's per-stream JSON as the console reads it; nil reports mean that nothing has begun.
func (r *read) description(reports []sidecar.StreamReport) string {
	type entry struct {
		Events     int64            `json:"events"`
		Bytes      int64            `json:"bytes"`
		Status     sidecar.Status   `json:"status"`
		Error      string           `json:"error,omitempty"`
		Note       string           `json:"note,omitempty"`
		Defects    map[string]int64 `json:"defects,omitempty"`
		Unfinished bool             `json:"unfinished,omitempty"`
		// Estimated is what the next run goes by that shares the streams out.
		Estimated int64 `json:"estimated_rows,omitempty"`
	}
	text := []byte{'{'}
	for i, stream := range r.config.Streams {
		e := entry{Status: sidecar.StatusPending}
		if reports != nil {
			e = entry{reports[i].Rows, reports[i].Bytes, reports[i].Status, reports[i].Error, reports[i].Note, reports[i].Defects,
				reports[i].Unfinished, reports[i].EstimatedRows}
		}
		name, nameErr := json.Marshal(stream.Table.Stream.String())
		value, valueErr := json.Marshal(e)
		if nameErr != nil || valueErr != nil {
			continue // neither can fail: strings, numbers and a map of them
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, name...), ':'), value...)
	}
	return string(append(text, '}'))
}
