package kubernetes

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/share"
)

// crowd makes one run of the Pods that share a read: one report of all streams while they run, one outcome at the end.
type crowd struct {
	streams []string // in the order of the catalog
	watch   runner.Watch
	ends    []shardEnd

	mu sync.Mutex
	// +checklocks:mu
	reports []sidecar.Report // the last of each shard
}

// shardEnd is how the run of a shard ended.
type shardEnd struct {
	outcome runner.Outcome
	err     error
}

func newCrowd(shards int, streams []string, watch runner.Watch) *crowd {
	return &crowd{streams: streams, watch: watch, ends: make([]shardEnd, shards), reports: make([]sidecar.Report, shards)}
}

// watchOf follows one shard. Its lines say which one it is.
func (c *crowd) watchOf(index int) runner.Watch {
	return runner.Watch{Stop: c.watch.Stop, Event: func(event runner.Event) {
		switch {
		case event.Report != nil:
			report := c.take(index, *event.Report)
			event.Report = &report
		case event.Usage != nil:
			return // of one Pod among many
		default:
			event.Log.Message = fmt.Sprintf("shard %d: %s", index, event.Log.Message)
		}
		c.watch.Event(event)
	}}
}

// take keeps a report, and returns how the whole stands. That is RUNNING while any shard may be.
func (c *crowd) take(index int, report sidecar.Report) sidecar.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports[index] = report
	whole := c.sum()
	whole.Status, whole.Seconds = sidecar.StatusRunning, time.Since(whole.StartedAt).Seconds()
	return whole
}

// sum is what the reports say together, but for the verdict.
//
// +checklocks:c.mu
func (c *crowd) sum() sidecar.Report {
	whole := sidecar.Report{Command: sidecar.CommandRead}
	byName, end := map[string]sidecar.StreamReport{}, time.Time{}
	for i, report := range c.reports {
		if report.StartedAt.IsZero() {
			continue // it has not begun
		}
		if whole.StartedAt.IsZero() || report.StartedAt.Before(whole.StartedAt) {
			whole.StartedAt = report.StartedAt
		}
		if ended := report.StartedAt.Add(time.Duration(report.Seconds * float64(time.Second))); ended.After(end) {
			end = ended
		}
		for _, stream := range report.Streams {
			byName[stream.Stream] = stream
		}
		for _, warning := range report.Warnings {
			whole.Warnings = append(whole.Warnings, fmt.Sprintf("shard %d: %s", i, warning))
		}
		for kind, count := range report.Defects {
			if whole.Defects == nil {
				whole.Defects = map[string]int64{}
			}
			whole.Defects[kind] += count
		}
		whole.StatesSaved, whole.StatesUnsaved = whole.StatesSaved+report.StatesSaved, whole.StatesUnsaved+report.StatesUnsaved
		whole.LogLinesNotStored += report.LogLinesNotStored
		whole.LogLinesNotShown += report.LogLinesNotShown
		whole.OutOfMemory = whole.OutOfMemory || report.OutOfMemory
		if whole.Destination == "" {
			whole.Destination = report.Destination
		}
	}
	for _, name := range c.streams {
		stream, known := byName[name]
		if !known {
			stream = sidecar.StreamReport{Stream: name, Status: sidecar.StatusPending}
		}
		whole.Streams = append(whole.Streams, stream)
	}
	whole.Seconds = end.Sub(whole.StartedAt).Seconds()
	return whole
}

// outcome is that of the whole. The error is about the cluster, where no shard came to an outcome of its own.
func (c *crowd) outcome() (runner.Outcome, error) {
	if err := c.noOutcome(); err != nil {
		return runner.Outcome{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	parts, codes := make([]share.Part, len(c.ends)), make([]int, len(c.ends))
	var whole runner.Outcome
	for i, end := range c.ends {
		parts[i], codes[i] = end.part(), end.code()
		if end.outcome.Report.Status != "" {
			c.reports[i] = end.outcome.Report
		}
		if codes[i] != sidecar.ExitOK && whole.LastWords == nil { // of the first that failed
			whole.LastWords, whole.LastLines = end.outcome.LastWords, end.outcome.LastLines
			whole.Connector.Code, whole.Connector.Stopped = end.outcome.Connector.Code, end.outcome.Connector.Stopped
		}
	}
	whole.Report = c.sum()
	whole.Report.Status, whole.Report.Cause = share.Verdict(parts)
	whole.Report.ExitCode = exitCode(whole.Report.Status, codes)
	for i, stream := range whole.Report.Streams {
		if stream.Status == sidecar.StatusPending || stream.Status == sidecar.StatusRunning {
			whole.Report.Streams[i].Status = sidecar.StatusFailed // its Pod came to no verdict
			if whole.Report.Status == sidecar.StatusCancelled {
				whole.Report.Streams[i].Status = sidecar.StatusCancelled
			}
		}
	}
	whole.Sidecar = runner.Exit{Started: true, Code: whole.Report.ExitCode}
	return whole, nil
}

// noOutcome is the error of all shards, if each has one.
func (c *crowd) noOutcome() error {
	var errs []error
	for i, end := range c.ends {
		switch {
		case end.err == nil:
			return nil
		case len(errs) > 0 && errors.Is(end.err, runner.ErrStopped), slices.ContainsFunc(errs, func(e error) bool { return e.Error() == end.err.Error() }):
		case i == 0:
			errs = append(errs, end.err)
		default:
			errs = append(errs, fmt.Errorf("shard %d: %w", i, end.err))
		}
	}
	return errors.Join(errs...)
}

// code is the exit code of one shard.
func (e shardEnd) code() int {
	switch {
	case errors.Is(e.err, runner.ErrStopped):
		return sidecar.ExitSignal
	case e.err != nil:
		return sidecar.ExitEnvironment
	}
	return e.outcome.ExitCode()
}

// part is how one shard ended, for the verdict on all.
func (e shardEnd) part() share.Part {
	part := share.Part{Status: e.outcome.Report.Status, Error: e.outcome.Cause()}
	switch {
	case errors.Is(e.err, runner.ErrStopped), e.err == nil && e.outcome.Cancelled():
		part.Status = sidecar.StatusCancelled
	case e.err != nil:
		part = share.Part{Status: sidecar.StatusFailed, Error: e.err.Error()}
	case part.Status == "" || part.Status == sidecar.StatusSuccess && e.code() != sidecar.ExitOK:
		part.Status = sidecar.StatusFailed
	}
	return part
}
