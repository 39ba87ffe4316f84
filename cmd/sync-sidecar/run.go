package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/secret"
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
		Usage: "run a connector: in Docker, as a local program, or on a Kubernetes cluster",
		Description: "sync-sidecar run read --image airbyte/source-faker --config '{\"count\":1000}'\n" +
			"sync-sidecar run check --exec 'python main.py' --config config.json\n" +
			"sync-sidecar run discover --kubernetes --image airbyte/source-faker --config config.json\n" +
			"sync-sidecar run NAME                 # a sync of the file sync-sidecar.yaml (docs/project.md); run --all is all of them\n\n" +
			"Results go to stdout, everything else to stderr. Rows, results and saved state go to --local-dir, or to Bulker and Postgres where they are\n" +
			"configured. A read goes on where the one before stopped.",
	}
	for _, known := range commands {
		run.Subcommands = append(run.Subcommands, &cli.Command{
			Name: string(known.command), Usage: known.usage, ArgsUsage: "[IMAGE]", Flags: runFlags(known.command),
			Action: func(c *cli.Context) error { return (&runMode{env: env, cli: c, command: known.command}).start() },
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
	done    atomic.Bool // the task is over: what is left is printing

	adopted  bool              // the argument names a sync, whose options are set
	origins  map[string]string // where documents are from that a project file has in place of a flag
	notes    []string          // about the catalog that was given
	expanded []string          // secrets that the configuration was filled in with
	events   *console.Events   // nil unless they are wanted on stdout
	telling  *telling          // nil unless it is one of several
}

// run reads the flags, runs the task and prints what came of it.
func (m *runMode) run() error {
	task, err := m.task()
	if err == nil {
		err = m.checkOutput()
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	if m.cli.Bool("dry-run") {
		return m.dryRun(task)
	}
	masker := newRunMasker(task, m.cli.Command.Flags)
	view := console.NewView(m.env.stderr, m.shown())
	var hurried atomic.Bool
	defer func() {
		if hurried.Load() {
			view.Close(hurryTimeout)
		} else {
			view.Close(closeTimeout)
		}
	}()
	ctx, cancel := context.WithCancel(m.cli.Context)
	defer cancel()
	graceful, end := untilSignal(ctx, m.env.signals, func(first sidecar.Signalled) {
		view.Say(first.Name + ": stopping the connector and saving what can be saved; again to end at once")
	}, func(again sidecar.Signalled) {
		if ctx.Err() != nil || m.done.Load() { // nothing is left but a terminal that takes no more lines
			os.Exit(exitSignal + again.Number)
		}
		hurried.Store(true)
		cancel()
	})
	defer end()
	err = cancelledBy(graceful, m.carryOut(ctx, graceful, task, view, masker))
	if err == nil || err.Error() == "" {
		return err
	}
	return withCode(exitCode(err), errors.New(console.Line(masker.Mask(err.Error())))) // it may quote the connector
}

// carryOut runs the task and shows what came of it: the end of graceful stops it, that of ctx kills it. The error is what keeps it from being a
// success.
func (m *runMode) carryOut(ctx, graceful context.Context, task runner.Task, view *console.View, masker *secret.Masker) error {
	show := view.Event
	if m.command == sidecar.CommandRead && m.output() == outputJSON {
		m.events = console.NewEvents(m.env.stdout)
		show = func(event runner.Event) {
			view.Event(event)
			m.events.Event(event)
		}
	}
	m.telling = m.newTelling()
	engine, closeEngine, err := m.engine(ctx, task)
	if err != nil {
		return errors.Join(err, m.showFailure(task, runner.Outcome{}, exitCode(err), masker.Mask(err.Error())))
	}
	progress := newProgressLog()
	remember := func(event runner.Event) {
		show(event)
		progress.take(event)
		if m.telling != nil {
			m.telling.event(event)
		}
	}
	watch := runner.Watch{Event: hiding(masker, remember), Stop: graceful.Done(), Usage: view.Live() || m.events != nil}
	for _, note := range m.notes {
		watch.Event(runner.Note("WARN", note))
	}
	outcome, err := runner.Run(ctx, engine, task, m.selection(), watch)
	m.done.Store(true)
	if ctx.Err() == nil {
		view.End(flushTimeout)
	} else {
		view.End(hurryTimeout)
	}
	outcome.Refusal, outcome.Connector.Message = masker.Mask(outcome.Refusal), masker.Mask(outcome.Connector.Message)
	if failed := (*runner.Error)(nil); errors.As(err, &failed) {
		err = withCode(failed.Code, errors.Join(err, m.showFailure(task, outcome, failed.Code, masker.Mask(err.Error()))))
	} else {
		result := console.Result{Command: m.command, Outcome: outcome, Place: place(task, outcome)}
		err = m.show(result, view)
		if written := m.writePage(task, result, progress); err == nil {
			err = written
		}
		if graceful.Err() != nil && outcome.Cancelled() {
			err = runner.ErrStopped // by whom is all there is to say
		}
	}
	view.LastWords(outcome)
	if closeErr := closeEngine(); err == nil && closeErr != nil {
		err = withCode(exitEnvironment, fmt.Errorf("leave the Docker Engine: %w", closeErr))
	}
	return err
}

// place is where the rows of a read are.
func place(task runner.Task, outcome runner.Outcome) string {
	if task.RowsAtServer {
		return outcome.Report.Destination
	}
	return task.Folder() // which the sidecar may have seen by another name
}

// show prints the result to stdout and returns the verdict.
func (m *runMode) show(result console.Result, view *console.View) error {
	if err := errors.Join(m.print(result), m.writeReport(result)); err != nil {
		return err
	}
	if m.command != sidecar.CommandRead { // whose result holds them
		view.Warnings(result)
	}
	outcome := result.Outcome
	code, cause := outcome.ExitCode(), outcome.Cause()
	switch {
	case code == exitOK:
		return nil
	case code == exitCheckFailed && len(outcome.Report.Result) > 0:
		return withCode(code, nil) // the answer says it
	case cause == "":
		cause = fmt.Sprintf("%s ended as %s", m.command, outcome.Report.Status)
	}
	return withCode(code, errors.New(cause))
}

// showFailure tells programs, and the page, of a run that came to no outcome. People read the error.
func (m *runMode) showFailure(task runner.Task, outcome runner.Outcome, code int, why string) error {
	result := console.Result{Command: m.command, Outcome: outcome, Failure: &console.Failure{ExitCode: code, Cause: why}}
	err := errors.Join(m.writeReport(result), m.writePage(task, result, newProgressLog()))
	if m.events != nil {
		err = errors.Join(err, m.events.Report(result))
	}
	return err
}

// print writes the result to stdout.
func (m *runMode) print(result console.Result) error {
	if m.events != nil {
		if err := m.events.Report(result); err != nil {
			return withCode(exitEnvironment, fmt.Errorf("write the events: %w", err))
		}
		return nil
	}
	var text bytes.Buffer
	write := result.WriteTable
	if m.output() == outputJSON {
		write = result.WriteJSON
	}
	if err := write(&text); err != nil {
		return withCode(exitFailed, err)
	}
	if _, err := m.env.stdout.Write(text.Bytes()); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write the result: %w", err))
	}
	return nil
}

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

// output is the format: JSON by default where the result is a document of the connector's.
func (m *runMode) output() string {
	if chosen := m.cli.String("output"); chosen != "" {
		return chosen
	}
	if m.command == sidecar.CommandSpec || m.command == sidecar.CommandDiscover {
		return outputJSON
	}
	return outputTable
}

// cancelledBy says which signal ended a run, if one did; its exit code goes before any other.
func cancelledBy(ctx context.Context, err error) error {
	signalled := sidecar.Signalled{}
	if err == nil || !errors.As(context.Cause(ctx), &signalled) {
		return err
	}
	code := exitSignal + signalled.Number
	if errors.Is(err, context.Canceled) || errors.Is(err, runner.ErrStopped) || err.Error() == "" {
		return withCode(code, signalled)
	}
	return withCode(code, fmt.Errorf("%w: %w", signalled, err))
}

// newTaskID names a run: when it began, and by which process, so that lists sort by time.
func newTaskID(now time.Time) string {
	return fmt.Sprintf("%s-%d", now.UTC().Format("20060102t150405.000"), os.Getpid())
}
