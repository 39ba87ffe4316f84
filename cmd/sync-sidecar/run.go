package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// runCommand is the mode that runs a connector from a person's machine or a CI job.
func runCommand(env environment) *cli.Command {
	commands := []struct {
		command sidecar.Command
		usage   string
	}{
		{sidecar.CommandSpec, "print what the connector's configuration looks like"},
		{sidecar.CommandCheck, "say whether the connector reaches its source with this configuration"},
		{sidecar.CommandDiscover, "print the streams that the source has, as a catalog"},
		{sidecar.CommandRead, "read the streams and deliver their rows"},
	}
	run := &cli.Command{
		Name:  "run",
		Usage: "run a connector on this machine: in Docker, or as a local program",
		Description: "sync-sidecar run read --image airbyte/source-faker --config '{\"count\":1000}'\n" +
			"sync-sidecar run check --exec 'python main.py' --config config.json\n\n" +
			"Results go to stdout, everything else to stderr. Rows, results and saved state go to --local-dir, or to Bulker and Postgres where they are\n" +
			"configured. A read goes on where the one before stopped.",
	}
	for _, known := range commands {
		run.Subcommands = append(run.Subcommands, &cli.Command{
			Name: string(known.command), Usage: known.usage, ArgsUsage: "[IMAGE]", Flags: runFlags(known.command),
			Action: func(c *cli.Context) error { return (&runMode{env: env, cli: c, command: known.command}).run() },
			// The library would print the whole help to stdout, where only results belong.
			OnUsageError: func(_ *cli.Context, err error, _ bool) error {
				return withCode(exitUsage, fmt.Errorf("%w; see sync-sidecar run %s --help", err, known.command))
			},
		})
	}
	return run
}

// runMode is one `run` command on its way.
type runMode struct {
	env     environment
	cli     *cli.Context
	command sidecar.Command
}

// engine is what can carry out a task; there are two.
type engine interface {
	Run(ctx context.Context, task runner.Task, watch runner.Watch) (runner.Outcome, error)
}

// run reads the flags, runs the task, and for a read without a catalog discovers first.
func (m *runMode) run() error {
	task, err := m.task()
	if err != nil {
		return withCode(exitUsage, err)
	}
	if err := m.checkOutput(); err != nil {
		return withCode(exitUsage, err)
	}
	view := newView(m.env.stderr, m.cli.Bool("quiet"), m.cli.Bool("verbose"))
	interrupts := watchInterrupts(m.cli.Context, m.env.signals, view.say)
	defer interrupts.end()
	engine, closeEngine, err := m.engine(interrupts.ctx)
	if err != nil {
		return m.verdict(interrupts, err)
	}
	outcome, err := m.carryOut(interrupts, engine, &task, view)
	view.end()
	if err == nil {
		err = m.show(task, outcome)
		if outcome.Report.Status == sidecar.StatusCancelled && interrupts.received() != nil {
			err = runner.ErrStopped // by whom is all there is to say
		}
	}
	if closeErr := closeEngine(); err == nil && closeErr != nil {
		err = withCode(exitEnvironment, fmt.Errorf("leave the Docker Engine: %w", closeErr))
	}
	return m.verdict(interrupts, err)
}

// carryOut runs the task on the engine, with a catalog if it has to discover one.
func (m *runMode) carryOut(interrupts *interrupts, engine engine, task *runner.Task, view *view) (runner.Outcome, error) {
	watch := runner.Watch{Event: view.event, Stop: interrupts.stop}
	if err := m.useRotated(task); err != nil {
		return runner.Outcome{}, withCode(exitEnvironment, err)
	}
	if m.command == sidecar.CommandRead && task.Catalog == nil {
		catalog, err := m.discover(interrupts, engine, *task, watch)
		if err != nil {
			return runner.Outcome{}, err
		}
		task.Catalog = catalog
		// The discover may have spent a token that works only once.
		if task.Config, _, err = rotationOf(*task).current(task.Config); err != nil {
			return runner.Outcome{}, withCode(exitEnvironment, err)
		}
	}
	if err := task.Validate(); err != nil {
		return runner.Outcome{}, withCode(exitUsage, err)
	}
	outcome, err := engine.Run(interrupts.ctx, *task, watch)
	if err != nil {
		return outcome, withCode(exitEnvironment, withCause(err, outcome))
	}
	return outcome, nil
}

// discover asks the source for its streams and configures them.
func (m *runMode) discover(interrupts *interrupts, engine engine, task runner.Task, watch runner.Watch) (json.RawMessage, error) {
	discover := task
	discover.Command, discover.TaskID, discover.LoadState, discover.State = sidecar.CommandDiscover, task.TaskID+"-discover", false, nil
	if err := discover.Validate(); err != nil {
		return nil, withCode(exitUsage, err)
	}
	watch.Event(runner.Note("INFO", "no --catalog: discovering the streams"))
	outcome, err := engine.Run(interrupts.ctx, discover, watch)
	if err != nil {
		return nil, withCode(exitEnvironment, withCause(err, outcome))
	}
	if code := outcome.ExitCode(); code != exitOK {
		return nil, withCode(code, fmt.Errorf("discover failed: %s", outcome.Cause()))
	}
	catalog, err := runner.Configure(outcome.Report.Result, m.selection())
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return catalog, nil
}

// withCause adds to an error of the engine what the sidecar had said before.
func withCause(err error, outcome runner.Outcome) error {
	if cause := outcome.Report.Cause; cause != "" {
		return fmt.Errorf("%w; before that: %s", err, cause)
	}
	return err
}

// verdict is the error of the whole mode: when a signal ended it, that is what its exit code says.
func (m *runMode) verdict(interrupts *interrupts, err error) error {
	received := interrupts.received()
	if received == nil || err == nil {
		return err
	}
	code := exitSignal + signalNumber(received)
	if errors.Is(err, context.Canceled) || errors.Is(err, runner.ErrStopped) || err.Error() == "" {
		return withCode(code, fmt.Errorf("cancelled by %s", nameOfSignal(received)))
	}
	return withCode(code, fmt.Errorf("cancelled by %s: %w", nameOfSignal(received), err))
}

// newTaskID names a run: when it began, and by which process, so that lists sort by time.
func newTaskID(now time.Time) string {
	return fmt.Sprintf("%s-%d", now.UTC().Format("20060102t150405.000"), os.Getpid())
}
