package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/runner/docker"
	"sync-sidecar/runner/figure"
	"sync-sidecar/runner/smoke"
	"sync-sidecar/runner/smoke/report"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// smokeCommand is the mode that tests a connector.
func smokeCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "smoke", Usage: "test a connector as CI would: every command, good and bad callers, states, SIGTERM", ArgsUsage: "[IMAGE]",
		Description: "sync-sidecar smoke --image airbyte/source-faker --config '{\"count\":1000}' --junit smoke.xml --html smoke.html\n" +
			"sync-sidecar smoke --exec 'python main.py' --config config.json --bad-config bad.json\n\n" +
			"Needs no destination. Exit code 0 when no check failed, 1 when one did, 2 for bad usage, 3 when Docker or the machine failed.\n" +
			"Every check is explained in docs/smoke.md.",
		Flags: slices.Concat(smokeFlags(), dockerFlags()),
		Action: func(c *cli.Context) error {
			return (&smokeMode{runMode: runMode{env: env, cli: c, command: sidecar.CommandDiscover}}).run()
		},
	}
}

// Groups of smoke's flags in the help.
const groupReports = "Reports"

func smokeFlags() []cli.Flag {
	flags := slices.DeleteFunc(connectorFlags(sidecar.CommandCheck), func(flag cli.Flag) bool {
		return slices.Contains([]string{"sync-id", "local-dir", "timeout", "no-validate"}, flag.Names()[0])
	})
	return append(flags,
		&cli.StringFlag{Name: "bad-config", Category: groupConnector, Usage: "a configuration that check has to refuse, as --config"},
		&cli.StringFlag{Name: "catalog", Category: groupConnector, Usage: "configured catalog, a `FILE` (default: discover, and read all streams)"},
		&cli.StringSliceFlag{Name: "streams", Category: groupConnector, Usage: "read only these streams, `NAME,NAME`"},
		&cli.Int64Flag{Name: "limit", Category: groupConnector, Value: 1000, Usage: "records of each stream that are enough; 0 reads all"},
		&cli.DurationFlag{Name: "timeout", Category: groupConnector, Value: 10 * time.Minute, Usage: "how long one command may take"},
		&cli.IntFlag{Name: "jobs", Category: groupConnector, Value: 4, Usage: "commands that run side by side; 1 for a source with narrow rate limits"},
		&cli.StringFlag{Name: "max-memory", Category: groupConnector, Usage: "fail when a process of the connector held more, as in 512m"},
		&cli.StringSliceFlag{Name: "only", Category: groupReports, Usage: "only these checks, `ID,ID` or a group as in read"},
		&cli.StringSliceFlag{Name: "skip", Category: groupReports, Usage: "all checks but these, `ID,ID` or a group as in image"},
		&cli.BoolFlag{Name: "strict", Category: groupReports, Usage: "fail on warnings, too"},
		&cli.StringFlag{Name: "baseline", Category: groupReports,
			Usage: "`FILE` or recording with spec and catalog of the last release, to find what breaks"},
		&cli.StringFlag{Name: "record", Category: groupReports, Usage: "keep in `DIR` what the connector said, secrets masked, to be played by replay"},
		&cli.StringFlag{Name: "junit", Category: groupReports, Usage: "write the result to `FILE` for a CI server"},
		&cli.StringFlag{Name: "summary", Category: groupReports, Usage: "add the result to `FILE` as Markdown (default: $GITHUB_STEP_SUMMARY)"},
		&cli.StringFlag{Name: "html", Category: groupReports, Usage: "write the result to `FILE` as a page that opens without a network"},
		&cli.BoolFlag{Name: "html-samples", Category: groupReports, Usage: "put the first value of each field on that page"},
		&cli.StringFlag{Name: "output", Category: groupOutput, Usage: "how to print the result: `table` or json"},
		&cli.BoolFlag{Name: "quiet", Category: groupOutput, Usage: "no progress"},
		&cli.BoolFlag{Name: "verbose", Category: groupOutput, Usage: "print the checks that passed, too"},
	)
}

// smokeMode is one smoke test on its way.
type smokeMode struct {
	runMode
	begun time.Time
}

// run reads the flags, runs the test and reports it.
func (m *smokeMode) run() error {
	settings, err := m.smokeSettings()
	if err == nil {
		err = m.checkOutput()
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	masker := newRunMasker(settings.Task, m.cli.Command.Flags)
	progress := logs.NewConsole(m.env.stderr)
	defer progress.Close(closeTimeout)
	m.begun = time.Now()
	ctx, cancel := context.WithCancel(m.cli.Context)
	defer cancel()
	graceful, end := untilSignal(ctx, m.env.signals, func(first sidecar.Signalled) {
		fmt.Fprintf(progress, "%s: stopping the connector; again to end at once\n", first.Name)
	}, func(sidecar.Signalled) { cancel() })
	defer end()
	m.showSteps(&settings, progress)
	err = cancelledBy(graceful, m.test(ctx, graceful, settings))
	if err == nil || err.Error() == "" {
		return err
	}
	return withCode(exitCode(err), errors.New(console.Line(masker.Mask(err.Error()))))
}

// showSteps prints a line for each command when it has ended.
func (m *smokeMode) showSteps(settings *smoke.Settings, progress io.Writer) {
	settings.Begin = func(string) {}
	settings.End = func(step string, e *smoke.Evidence) {
		if m.cli.Bool("quiet") {
			return
		}
		line := fmt.Sprintf("%6.1fs  %-12s %.1f s", time.Since(m.begun).Seconds(), step, e.Recording.Seconds)
		if e.Rows > 0 {
			line += fmt.Sprintf(", %s, %s", figure.Count(int(e.Rows), "record"), figure.Count(len(e.States), "state"))
		}
		fmt.Fprintln(progress, line)
	}
}

// test runs the test in a folder of its own.
func (m *smokeMode) test(ctx, graceful context.Context, settings smoke.Settings) (err error) {
	engine, closeEngine, err := m.engine(ctx, settings.Task)
	if err != nil {
		return err
	}
	defer func() {
		if closing := closeEngine(); err == nil && closing != nil {
			err = withCode(exitEnvironment, fmt.Errorf("leave the Docker Engine: %w", closing))
		}
	}()
	if images, is := engine.(*docker.Runner); is {
		settings.Facts, err = images.Image(ctx, settings.Task.Image, runner.Watch{})
		if err != nil {
			return withCode(exitEnvironment, err)
		}
	}
	settings.Dir, err = os.MkdirTemp(m.env.getenv("TMPDIR"), "sync-sidecar-smoke-")
	if err != nil {
		return withCode(exitEnvironment, fmt.Errorf("make a folder for the recordings: %w", err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(settings.Dir)) }()
	result, err := smoke.Run(ctx, engine, settings, graceful.Done())
	if failed := (*runner.Error)(nil); errors.As(err, &failed) {
		return withCode(failed.Code, err)
	}
	if err != nil {
		return withCode(exitEnvironment, err)
	}
	if err := m.report(result); err != nil {
		return withCode(exitEnvironment, err)
	}
	if result.Status == smoke.Fail || result.Status == smoke.Warn && m.cli.Bool("strict") {
		return withCode(exitFailed, nil)
	}
	return nil
}

// report writes the result wherever it was asked for.
func (m *smokeMode) report(result smoke.Result) error {
	var problems []error
	files := []struct {
		flag, path string
		write      func(io.Writer, smoke.Result) error
		add        bool
	}{
		{"--junit", m.cli.String("junit"), report.JUnit, false},
		{"--summary", m.summaryFile(), report.Markdown, true},
		{"--html", m.cli.String("html"), m.page, false},
	}
	for _, file := range files {
		if file.path == "" {
			continue
		}
		if err := writeReport(file.path, file.add, func(w io.Writer) error { return file.write(w, result) }); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", file.flag, err))
		}
	}
	var text bytes.Buffer
	if m.output() == outputJSON {
		problems = append(problems, report.JSON(&text, result))
	} else {
		problems = append(problems, report.Text(&text, result, m.cli.Bool("verbose")))
		if m.env.getenv("GITHUB_ACTIONS") == "true" {
			problems = append(problems, report.Annotations(&text, result))
		}
	}
	_, err := m.env.stdout.Write(text.Bytes())
	return errors.Join(append(problems, err)...)
}

// page is the result as HTML.
func (m *smokeMode) page(w io.Writer, result smoke.Result) error {
	return report.HTML(w, result, m.cli.Bool("html-samples"))
}

func (m *smokeMode) summaryFile() string {
	if path := m.cli.String("summary"); path != "" {
		return path
	}
	return m.env.getenv("GITHUB_STEP_SUMMARY")
}

// output is a table unless something else was asked for.
func (m *smokeMode) output() string {
	if m.cli.String("output") == outputJSON {
		return outputJSON
	}
	return outputTable
}

// writeReport writes a file, or adds to it.
func writeReport(path string, add bool, write func(io.Writer) error) (err error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if add {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	file, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return write(file)
}
