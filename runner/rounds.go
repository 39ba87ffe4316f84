package runner

import (
	"context"
	"fmt"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// limitSetting is how many rows of each stream are wanted.
const limitSetting = "STREAM_LIMIT"

// readInRounds reads, and where only some rows of each stream are wanted reads again the streams that the connector did not come to: one that reads
// them one after the other would else have to say all of the first before it comes to the second.
func readInRounds(ctx context.Context, engine Engine, task Task, watch Watch) (Outcome, error) {
	if limit := task.Settings[limitSetting]; limit == "" || limit == "0" || task.Command != sidecar.CommandRead {
		return carryOut(ctx, engine, task, watch)
	}
	task.Round = 1
	whole, err := carryOut(ctx, engine, task, watch)
	for round := 2; err == nil && whole.ExitCode() == sidecar.ExitOK; round++ {
		left := unreached(whole)
		if len(left) == 0 {
			break
		}
		next := task
		next.TaskID, next.Round = fmt.Sprintf("%s-%d", task.TaskID, round), round
		if next.Catalog, err = KeepStreams(task.Catalog, isOneOf(left)); err != nil {
			return whole, failed(sidecar.ExitUsage, err)
		}
		watch.Event(Note("INFO", fmt.Sprintf("the connector reads one stream after the other: reading the other %d on their own", len(left))))
		var more Outcome
		more, err = carryOut(ctx, engine, next, watch)
		if whole.join(more); len(unreached(whole)) >= len(left) {
			break // it reads none of them
		}
	}
	whole.Catalog = task.Catalog
	return whole, err
}

// isOneOf says of a stream whether it has one of the names.
func isOneOf(names []string) func(airbyte.StreamDescriptor) bool {
	return func(stream airbyte.StreamDescriptor) bool { return slices.Contains(names, stream.String()) }
}

// unreached are the streams of a read that is a success, which the connector did not come to.
func unreached(outcome Outcome) []string {
	var names []string
	for _, stream := range outcome.Report.Streams {
		if stream.Status == sidecar.StatusPending {
			names = append(names, stream.Stream)
		}
	}
	return names
}

// join adds a later round, whose streams take the place of those that were not reached.
func (o *Outcome) join(later Outcome) {
	for i, stream := range o.Report.Streams {
		at := slices.IndexFunc(later.Report.Streams, func(s sidecar.StreamReport) bool { return s.Stream == stream.Stream })
		if at >= 0 {
			o.Report.Streams[i] = later.Report.Streams[at]
		}
	}
	report := &o.Report
	report.StatesSaved, report.StatesUnsaved = report.StatesSaved+later.Report.StatesSaved, report.StatesUnsaved+later.Report.StatesUnsaved
	report.Seconds, report.Warnings = report.Seconds+later.Report.Seconds, append(report.Warnings, later.Report.Warnings...)
	for kind, n := range later.Report.Defects {
		if report.Defects == nil {
			report.Defects = map[string]int64{}
		}
		report.Defects[kind] += n
	}
	report.Status, report.Cause, report.ExitCode = later.Report.Status, later.Report.Cause, later.Report.ExitCode
	o.Sidecar, o.Connector, o.Refusal = later.Sidecar, later.Connector, later.Refusal
	o.LastLines, o.LastWords = later.LastLines, later.LastWords
	if report.Status == sidecar.StatusFailed && o.Sidecar.Code == sidecar.ExitFailed { // and others did not
		report.Status, report.ExitCode, o.Sidecar.Code = sidecar.StatusPartial, sidecar.ExitPartial, sidecar.ExitPartial
	}
}
