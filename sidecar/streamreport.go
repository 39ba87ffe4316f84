package sidecar

import (
	"encoding/json"

	"sync-sidecar/sidecar/airbyte"
)

// streamReports are the streams as they stand; with verdicts, as they ended.
func (r *read) streamReports(verdicts []StreamVerdict) []StreamReport {
	reports := make([]StreamReport, len(r.streams))
	for i, s := range r.streams {
		delivery := r.delivery.streams[s.index]
		report := StreamReport{Stream: s.descriptor.String(), Status: StatusPending, Rows: delivery.acked.Rows, Bytes: delivery.acked.Bytes,
			Read: s.read, EstimatedRows: s.estimate, Error: s.err, Seconds: s.seconds(delivery)}
		switch {
		case verdicts != nil:
			report.Status, report.Error = verdicts[i].Status, verdicts[i].Error
		case delivery.err != nil:
			report.Status, report.Error = StatusFailed, delivery.err.Error()
		case s.status == airbyte.StreamComplete && delivery.acked.Rows >= s.read:
			report.Status = StatusSuccess
		case !s.began.IsZero():
			report.Status = StatusRunning
		}
		report.Error = r.logs.Masked(report.Error)
		if len(s.defects) > 0 {
			report.Defects = map[string]int64{}
			for kind, n := range s.defects {
				report.Defects[kind] = n
			}
		}
		reports[i] = report
	}
	return reports
}

// description is the task's per-stream JSON as the console reads it; nil reports mean that nothing has begun.
func (r *read) description(reports []StreamReport) string {
	type entry struct {
		Events  int64            `json:"events"`
		Bytes   int64            `json:"bytes"`
		Status  Status           `json:"status"`
		Error   string           `json:"error,omitempty"`
		Defects map[string]int64 `json:"defects,omitempty"`
	}
	text := []byte{'{'}
	for i, s := range r.streams {
		e := entry{Status: StatusPending}
		if reports != nil {
			e = entry{reports[i].Rows, reports[i].Bytes, reports[i].Status, reports[i].Error, reports[i].Defects}
		}
		name, nameErr := json.Marshal(s.descriptor.String())
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
