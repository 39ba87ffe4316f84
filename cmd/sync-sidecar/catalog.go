package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/shlex"
	"github.com/urfave/cli/v2"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/runner/process"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/document"
	"sync-sidecar/sidecar/printable"
	"sync-sidecar/sidecar/secret"
)

// catalogCommand is the mode that finds out what a read reads, in the connector's container, before the read.
func catalogCommand(env environment) *cli.Command {
	return &cli.Command{
		Name:      "catalog",
		Usage:     "ask the connector of this container for its streams, and write the configured catalog",
		ArgsUsage: "-- [PROGRAM] [ARGUMENT…]",
		Description: "For an initContainer of the connector's image. Runs PROGRAM, or AIRBYTE_ENTRYPOINT, with discover, and configures what it finds\n" +
			"as run does. A configuration that the connector changes on the way is written back.",
		Flags: append(only(connectorFlags(sidecar.CommandRead), "streams", "sync-mode", "cursor", "primary-key"),
			text("", "config-file", "CONFIG_FILE", "/config/config.json", "the connector's configuration"),
			text("", "catalog-file", "CATALOG_FILE", "/config/catalog.json", "where the configured catalog goes"),
			&cli.BoolFlag{Name: "full-refresh", EnvVars: []string{"FULL_SYNC"}, Usage: "read every stream as a full refresh"},
			&cli.DurationFlag{Name: "timeout", Value: time.Hour, Usage: "how long the connector may take"},
			text("", "command", "COMMAND", string(sidecar.CommandRead), "what the connector will be asked for afterwards"),
			&cli.BoolFlag{Name: "leave-failure", Usage: "end well after a failure, too, and leave it beside CATALOG_FILE, for the sidecar to record"},
			&cli.BoolFlag{Name: "if-needed", Usage: "do nothing where that is not read, or CATALOG_FILE is there"},
		),
		Action: func(c *cli.Context) error {
			err := writeCatalog(c, env)
			if err == nil || !c.Bool("leave-failure") {
				return err
			}
			if shown := leaveFailure(orPreset(c, "catalog-file"), err); shown != nil {
				return shown
			}
			_, err = fmt.Fprintf(env.stderr, "sync-sidecar: %s\n", printable.Indented(err.Error(), "    "))
			return err
		},
	}
}

// writeCatalog runs discover and writes what came of it.
func writeCatalog(c *cli.Context, env environment) error {
	if needed, err := catalogNeeded(c); err != nil || !needed {
		return err
	}
	if _, err := (&runMode{cli: c}).choices(); err != nil {
		return withCode(exitUsage, err)
	}
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	limit := c.Duration("timeout")
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the connector has not named its streams within %s", limit))
	defer cancel()
	program := c.Args().Slice()
	if len(program) == 0 {
		var err error
		if program, err = shlex.Split(env.getenv("AIRBYTE_ENTRYPOINT")); err != nil || len(program) == 0 {
			return withCode(exitUsage, errors.New("AIRBYTE_ENTRYPOINT of the image names no program: give the connector's (--entrypoint)"))
		}
	}
	config, err := document.Read(orPreset(c, "config-file"))
	if err == nil {
		err = runner.CheckObject(orPreset(c, "config-file"), config)
	}
	if err != nil {
		return withCode(exitUsage, fmt.Errorf("CONFIG_FILE: %w", err))
	}
	folder, err := os.MkdirTemp(env.getenv("TMPDIR"), ".sync-sidecar-catalog-")
	if err != nil {
		return withCode(exitEnvironment, fmt.Errorf("make a folder for discover: %w", err))
	}
	masker := secret.NewMasker(secret.FromConfig(config, nil)...)
	masker.Add(secret.FromEnv(env.environ)...)
	err = discoverInto(ctx, c, env, discoverTask(program, config, folder), masker)
	if left := os.RemoveAll(folder); left != nil && err == nil { // it holds the configuration
		err = withCode(exitEnvironment, fmt.Errorf("remove the folder of discover: %w", left))
	}
	if err != nil && err.Error() != "" {
		return maskedError(masker, err)
	}
	return err
}

// catalogNeeded says whether there is something to do.
func catalogNeeded(c *cli.Context) (bool, error) {
	if !c.Bool("if-needed") {
		return true, nil
	}
	if orPreset(c, "command") != string(sidecar.CommandRead) {
		return false, nil
	}
	_, err := os.Stat(orPreset(c, "catalog-file"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, withCode(exitEnvironment, fmt.Errorf("look for CATALOG_FILE: %w", err))
	}
	return err != nil, nil
}

// discoverTask keeps everything in the folder.
func discoverTask(program []string, config []byte, folder string) runner.Task {
	now := time.Now()
	return runner.Task{Command: sidecar.CommandDiscover, SyncID: "catalog", TaskID: newTaskID(now), StartedAt: now, Program: program, Config: config,
		LocalDir: folder, Settings: map[string]string{}, Grace: 10 * time.Second}
}

// discoverInto runs the task and writes the files that a read needs.
func discoverInto(ctx context.Context, c *cli.Context, env environment, task runner.Task, masker *secret.Masker) error {
	view := console.NewView(env.stderr, console.Options{Verbose: true})
	defer view.Close(closeTimeout)
	engine := &process.Runner{Binary: env.executable, Environ: env.environ, TempDir: task.LocalDir}
	outcome, err := runner.Run(ctx, engine, task, runner.Selection{}, runner.Watch{Event: hiding(masker, view.Event), Stop: ctx.Done()})
	view.End(flushTimeout)
	if failed := (*runner.Error)(nil); errors.As(err, &failed) {
		return withCode(failed.Code, err)
	}
	if code := outcome.ExitCode(); code != exitOK {
		return withCode(code, errors.New("discover failed: "+outcome.Cause()))
	}
	selection := (&runMode{cli: c}).selection()
	catalog, notes, err := runner.Configure(outcome.Report.Result, selection)
	if err != nil {
		return withCode(exitUsage, err)
	}
	for _, note := range notes {
		view.Event(runner.Note("WARN", note))
	}
	// For every user to read and rewrite, as init's copies are: the connector and the sidecar are two.
	if err := writeConnectorFile(orPreset(c, "catalog-file"), catalog); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write CATALOG_FILE: %w", err))
	}
	changed, err := os.ReadFile(filepath.Join(task.Folder(), runner.ConfigUpdateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// Where the sidecar's CONFIG_UPDATE_FILE is elsewhere, PREPARE takes it from beside the configuration.
	beside := filepath.Join(filepath.Dir(orPreset(c, "config-file")), runner.ConfigUpdateFile)
	for _, path := range []string{orPreset(c, "config-file"), beside} {
		if err == nil {
			err = writeConnectorFile(path, changed)
		}
	}
	if err != nil {
		return withCode(exitEnvironment, fmt.Errorf("keep the configuration that the connector changed: %w", err))
	}
	return nil
}
