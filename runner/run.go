package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sync-sidecar/sidecar"
)

// Engine carries out one task, whose catalog and configuration are settled: runner/docker and runner/process.
type Engine interface {
	Run(ctx context.Context, task Task, watch Watch) (Outcome, error)
}

// Describer is an Engine that can say what it would start.
type Describer interface {
	Describe(ctx context.Context, task Task, out io.Writer) error
}

// Error is why a task came to no outcome of its own, with the exit code (sidecar.Exit…) that says whose fault it was.
type Error struct {
	Code int
	Err  error
}

// Error is the text of the wrapped error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

func failed(code int, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Err: err}
}

// Run carries out a task with what has to come before it: the configuration is held against the connector's spec, where selection asks for that; it
// is the one that the connector made of the one given, if it did; and a read without a catalog discovers what selection selects. The error is an
// *Error; the outcome beside it says what is known of the end of the last connector that ran.
func Run(ctx context.Context, engine Engine, task Task, selection Selection, watch Watch) (outcome Outcome, err error) {
	watch = watch.Serial()
	memory, given := rotationOf(task), task.Config
	discovers := task.Command == sidecar.CommandDiscover || task.Command == sidecar.CommandRead && task.Catalog == nil
	checks := selection.CheckConfig && task.Config != nil && task.Command != sidecar.CommandSpec
	connector := ""
	if discovers || checks {
		if connector, err = identify(ctx, engine, task, watch); err != nil {
			return Outcome{}, err
		}
	}
	if checks && connector != "" {
		if err := (specification{engine: engine, task: task, connector: connector, watch: watch}).checkConfig(ctx); err != nil {
			return Outcome{}, err
		}
	}
	if task.Config != nil {
		config, rotated, err := memory.begin(task.Config)
		if err != nil {
			return Outcome{}, failed(sidecar.ExitEnvironment, err)
		}
		if task.Config = config; rotated {
			watch.Event(Note("INFO", fmt.Sprintf("using %s: the connector made it of the configuration given", memory.updated)))
		}
	}
	if !discovers {
		return readInRounds(ctx, engine, task, watch)
	}
	known := catalogsOf(task, connector, given, watch)
	if task.Command == sidecar.CommandDiscover {
		outcome, err := carryOut(ctx, engine, task, watch)
		if err == nil && outcome.ExitCode() == sidecar.ExitOK {
			err = failed(sidecar.ExitEnvironment, known.keep(outcome.Report.Result))
		}
		return outcome, err
	}
	return readDiscovered(ctx, engine, task, selection, known, watch)
}

// readDiscovered reads what selection selects of the streams that the connector discovered, now or before.
func readDiscovered(ctx context.Context, engine Engine, task Task, selection Selection, known catalogs, watch Watch) (outcome Outcome, err error) {
	task.Catalog = known.recall(selection)
	recalled := task.Catalog != nil
	if !recalled {
		if task.Catalog, outcome, err = discover(ctx, engine, task, selection, known, watch); err != nil {
			return outcome, err
		}
		// The discover may have spent a token that works only once.
		if task.Config, _, err = rotationOf(task).current(task.Config); err != nil {
			return outcome, failed(sidecar.ExitEnvironment, err)
		}
	}
	outcome, err = readInRounds(ctx, engine, task, watch)
	if code := outcome.ExitCode(); recalled && err == nil && (code == sidecar.ExitFailed || code == sidecar.ExitPartial) {
		watch.Event(Note("WARN", "the streams were discovered earlier, and the source may have changed since: the next read discovers them again"))
		err = failed(sidecar.ExitEnvironment, known.forget())
	}
	return outcome, err
}

// carryOut runs one task on the engine.
func carryOut(ctx context.Context, engine Engine, task Task, watch Watch) (Outcome, error) {
	if err := task.Validate(); err != nil {
		return Outcome{}, failed(sidecar.ExitUsage, err)
	}
	outcome, err := engine.Run(ctx, task, watch)
	outcome.Catalog = task.Catalog
	if cause := cmp.Or(outcome.Report.Cause, outcome.Refusal); err != nil && cause != "" {
		err = fmt.Errorf("%w; before that: %s", err, cause)
	}
	return outcome, failed(sidecar.ExitEnvironment, err)
}

// discover asks the connector for its streams and configures them.
func discover(ctx context.Context, engine Engine, task Task, selection Selection, known catalogs, watch Watch) (json.RawMessage, Outcome, error) {
	task.Command, task.TaskID, task.LoadState, task.State = sidecar.CommandDiscover, task.TaskID+"-discover", false, nil
	watch.Event(Note("INFO", "no --catalog: discovering the streams"))
	outcome, err := carryOut(ctx, engine, task, watch)
	if err != nil {
		return nil, outcome, err
	}
	if code := outcome.ExitCode(); code != sidecar.ExitOK {
		return nil, outcome, failed(code, errors.New("discover failed: "+outcome.Cause()))
	}
	catalog, notes, err := Configure(outcome.Report.Result, selection)
	for _, note := range append(outcome.Report.Warnings, notes...) {
		watch.Event(Note("WARN", note))
	}
	if err != nil {
		return nil, outcome, failed(sidecar.ExitUsage, err)
	}
	return catalog, outcome, failed(sidecar.ExitEnvironment, known.keep(outcome.Report.Result))
}
