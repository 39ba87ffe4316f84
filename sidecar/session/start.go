package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/mapping"
	"sync-sidecar/sidecar/shutdown"
	"sync-sidecar/sidecar/spool"
)

// Inputs are what a read starts from.
type Inputs struct {
	Catalog     airbyte.ConfiguredCatalog
	CatalogName string          // says in messages where the catalog is from
	States      []airbyte.State // what the connector starts from
	Options     mapping.Options
}

const (
	// lockTimeout bounds the wait for the sync's lock.
	lockTimeout = 30 * time.Second
	// unstartedTimeout bounds the recording of why a session did not begin.
	unstartedTimeout = 10 * time.Second
)

// Start prepares a session and runs it. For a read it decides how the streams are delivered, takes the sync's lock, and lets the destination resume.
// When the session cannot begin, that is recorded, too (I2).
func Start(ctx context.Context, config Config, inputs Inputs, parts Parts) sidecar.Report {
	if config.Command != sidecar.CommandRead {
		return Run(ctx, config, parts)
	}
	if code, err := prepare(ctx, &config, inputs, parts); err != nil {
		return Unstarted(ctx, config, parts, code, err)
	}
	return Run(ctx, config, parts)
}

// prepare makes a read ready to begin, and fills its streams in. An error comes with its exit code.
func prepare(ctx context.Context, config *Config, inputs Inputs, parts Parts) (int, error) {
	inputs.States = mapping.Positions(inputs.States)
	streams, err := mapping.Streams(inputs.Catalog, inputs.States, inputs.Options)
	if err != nil {
		return sidecar.ExitUsage, fmt.Errorf("%s: %w", inputs.CatalogName, err)
	}
	tables := make([]sidecar.Table, len(streams))
	for i, stream := range streams {
		tables[i] = stream.Table
	}
	placements, err := parts.Destination.Place(tables)
	if err != nil {
		return sidecar.ExitUsage, fmt.Errorf("%s: %w", inputs.CatalogName, err)
	}
	for i := range placements {
		streams[i].Placement = placements[i]
		if configured := inputs.Catalog.Streams[i]; configured.Stream.IsFileBased && configured.IncludeFiles {
			streams[i].Placement.Err = errFile
		}
	}
	if err := spool.Probe(config.Load.Spool.Dir); err != nil {
		return sidecar.ExitEnvironment, err
	}
	locking, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	if err := parts.Journal.Lock(locking); err != nil {
		return sidecar.ExitEnvironment, err
	}
	if committer, ok := parts.Destination.(sidecar.Committer); ok {
		if code, err := checkPosition(ctx, parts, committer, inputs, streams); err != nil {
			return code, err
		}
	}
	config.Streams = streams
	if config.Earlier, err = earlierStates(locking, parts, streams); err != nil {
		return sidecar.ExitEnvironment, err
	}
	tellInterrupted(locking, parts)
	if resumer, ok := parts.Destination.(sidecar.Resumer); ok {
		warnings, err := resumer.Resume(ctx, inputs.Catalog, mapping.GivenStates(inputs.States))
		if err != nil {
			return sidecar.ExitEnvironment, err
		}
		for _, warning := range warnings {
			parts.Logs.Warn(warning)
		}
	}
	return sidecar.ExitOK, nil
}

// tellInterrupted says which earlier runs of this sync ended without a verdict. Not to know it is no reason to stop.
func tellInterrupted(ctx context.Context, parts Parts) {
	finder, ok := parts.Journal.(sidecar.InterruptionFinder)
	if !ok {
		return
	}
	tasks, err := finder.Interrupted(ctx)
	if err != nil {
		parts.Logs.Warn(err.Error())
	}
	for _, task := range tasks {
		parts.Logs.Warn(fmt.Sprintf("the earlier run %q of this sync ended without a verdict (killed, out of memory, or its machine is gone): "+
			"going on from its last saved state", task))
	}
}

// Idle records the success of a shard that has no streams to read: there are more shards than streams.
func Idle(ctx context.Context, config Config, parts Parts) sidecar.Report {
	note := fmt.Sprintf("there are fewer streams than shards: none is left for %s", config.Identity.Shard)
	locking, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	err := parts.Journal.Lock(locking)
	for _, status := range []sidecar.Status{sidecar.StatusRunning, sidecar.StatusSuccess} {
		if err == nil {
			err = parts.Journal.SaveTask(locking, sidecar.TaskRecord{Status: status, Description: "{}"})
		}
	}
	if err != nil {
		return Unstarted(ctx, config, parts, sidecar.ExitEnvironment, err)
	}
	parts.Logs.Info(note)
	report := sidecar.Report{Command: config.Command, Status: sidecar.StatusSuccess, Warnings: []string{note}, StartedAt: time.Now().UTC()}
	parts.Logs.Report(report)
	return report
}

// Unstarted reports a session that did not begin, and records why, so that nobody waits for its task (I2). Parts may lack a Journal. When another run
// of the sync holds the lock, the task is left to that run.
func Unstarted(ctx context.Context, config Config, parts Parts, code int, cause error) sidecar.Report {
	report := sidecar.Report{Command: config.Command, Status: sidecar.StatusFailed, ExitCode: code, Cause: parts.Logs.Masked(cause.Error()),
		StartedAt: time.Now().UTC()}
	if signal := (sidecar.Signalled{}); errors.As(context.Cause(ctx), &signal) {
		report.Status, report.ExitCode = sidecar.StatusCancelled, sidecar.ExitSignal+signal.Number
		report.Cause = fmt.Sprintf("%v before the session began: %s", signal, report.Cause)
	}
	if parts.Journal == nil {
		report.Cause = joinCause(report.Cause, "the verdict could not be recorded: no journal was reached")
	} else {
		limit := unstartedTimeout
		if ctx.Err() != nil {
			limit = min(limit, shutdown.Verdict.After(config.Deadlines.Shutdown))
		}
		recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		err := recordUnstarted(recording, config.Command, parts.Journal, report)
		if err != nil && !errors.Is(err, sidecar.ErrLocked) {
			report.Cause = joinCause(report.Cause, parts.Logs.Masked(fmt.Sprintf("the verdict could not be recorded in %s: %v", parts.Journal, err)))
		}
	}
	parts.Logs.Report(report)
	return report
}

// recordUnstarted records the outcome of a session that did not begin.
func recordUnstarted(ctx context.Context, command sidecar.Command, journal sidecar.Journal, report sidecar.Report) error {
	if command == sidecar.CommandRead {
		return journal.SaveTask(ctx, sidecar.TaskRecord{Status: report.Status, Error: report.Cause})
	}
	return journal.SaveResult(ctx, sidecar.Result{Command: command, Status: sidecar.StatusFailed, Message: report.Cause})
}
