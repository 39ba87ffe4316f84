package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/document"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/secret"
	"sync-sidecar/sidecar/session"
	"sync-sidecar/sidecar/shutdown"
)

const sidecarMode = "sidecar"

// sidecarCommand is the mode that runs beside the connector.
func sidecarCommand(env environment) *cli.Command {
	command := &cli.StringFlag{
		Category: categorySync,
		Name:     "command",
		EnvVars:  []string{"COMMAND"},
		Usage:    "what the connector was asked for: spec, check, discover or read",
	}
	return &cli.Command{
		Name:  sidecarMode,
		Usage: "read the connector's pipes; deliver rows, results, logs, state and status; decide the verdict",
		Description: "Exit codes: 0 success, 1 the connector or the sync failed, 2 bad configuration, 3 the environment failed (Bulker, Postgres),\n" +
			"4 partial, 5 check said FAILED, 6 timed out, 128+n cancelled by signal n. A second signal ends at once.",
		Flags:  slices.Concat([]cli.Flag{command}, pipeFlags(), againFlags(), sidecarFlags()),
		Action: func(c *cli.Context) error { return runSidecar(c, env) },
	}
}

// runSidecar is one session.
func runSidecar(c *cli.Context, env environment) error {
	if c.Args().Present() {
		return withCode(exitUsage, fmt.Errorf("sidecar takes no arguments, but got %q", c.Args().First()))
	}
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	command := sidecar.Command(c.String("command"))
	settings, err := readSettings(c, env, command)
	if known := commandKnown(command); known != nil {
		err = errors.Join(known, err)
	}
	err = errors.Join(env.invalid, err)
	if err != nil {
		return withCode(exitUsage, err)
	}
	waited, err := awaitTurn(ctx, c, env)
	if err == nil {
		err = unlessSignalled(ctx, prepare(c, env))
	}
	if err != nil {
		return err
	}
	if waited { // its time and its task's name are of when it was started
		if settings, err = readSettings(c, env, command); err != nil {
			return withCode(exitUsage, err)
		}
	}
	settings.config.StdoutPipe, settings.config.StderrPipe = c.String("stdout-pipe"), c.String("stderr-pipe")
	settings.config.ExitStatusFile = exitStatusFile(c)
	inputs, err := readInputs(settings)
	err = errors.Join(err, settings.readDestinationConfig())
	masker := newMasker(settings, inputs.config)
	logger, console := newLogs(env, settings, masker)
	noteUnused(env.environ, logger)
	if err != nil {
		return finish(ctx, settings, console, badInputs(ctx, settings, logger, err))
	}
	boundMemory(env, memoryTarget(settings.config.Load.Spool.Memory, len(inputs.read.Catalog.Streams)))
	report := deliver(ctx, settings, inputs, logger, masker)
	if err := showRows(console, settings, inputs, masker.Mask); err != nil {
		logger.Warn(err.Error())
	}
	return finish(ctx, settings, console, report)
}

// finish waits until stderr has taken the last lines, and turns the outcome into the exit code.
func finish(ctx context.Context, s settings, console *logs.Console, report sidecar.Report) error {
	console.Close(goodbye(ctx, s))
	return withCode(report.ExitCode, nil)
}

// deliver opens what the session writes to, and runs it.
func deliver(ctx context.Context, s settings, in inputs, logger *logs.Logger, masker *secret.Masker) sidecar.Report {
	stores, err := openToRecord(ctx, s, logger, false)
	logger.AddSinks(stores.sinks...)
	parts := session.Parts{Destination: stores.destination, Journal: stores.journal, Logs: logger}
	var spec json.RawMessage
	if err == nil {
		spec, err = stores.spec(ctx)
	}
	s.config.NewSecrets = func(config []byte) { masker.Add(secret.FromConfig(config, spec)...) }
	s.config.NewSecrets(in.config)
	s.config.ProgressEvery = 10 * time.Second
	if s.json {
		s.config.ProgressEvery = time.Second
	}
	var report sidecar.Report
	if err == nil {
		report = session.Start(ctx, s.config, in.read, parts)
	} else {
		report = session.Unstarted(ctx, s.config, parts, exitEnvironment, err)
	}
	if closing := stores.close(ctx, goodbye(ctx, s)); closing != nil && report.ExitCode == exitOK {
		logger.Error(closing.Error())
		report.ExitCode = exitEnvironment
	}
	return report
}

// goodbye is how long closing the servers' connections may take at the end, and then stderr.
func goodbye(ctx context.Context, s settings) time.Duration {
	if ctx.Err() != nil {
		return shutdown.Close.Lasts(s.config.Deadlines.Shutdown) / 2
	}
	return closeTimeout
}

// openToRecord is openStores for a process that has a verdict to record: after a signal, too, it takes the time to reach Postgres for that (I2).
func openToRecord(ctx context.Context, s settings, logger *logs.Logger, journalOnly bool) (*stores, error) {
	stores, err := openStores(ctx, s, logger, journalOnly)
	if ctx.Err() != nil && stores.journal == nil && s.journal.URL != "" {
		recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown.Loads.After(s.config.Deadlines.Shutdown))
		defer cancel()
		err = errors.Join(err, stores.openPostgres(recording, s))
	}
	return stores, err
}

// badInputs is the verdict on a session whose files are wrong; it is recorded in Postgres, where one is configured.
func badInputs(ctx context.Context, s settings, logger *logs.Logger, cause error) sidecar.Report {
	opened := &stores{}
	if s.journal.URL != "" {
		var err error
		if opened, err = openToRecord(ctx, s, logger, true); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	report := session.Unstarted(ctx, s.config, session.Parts{Journal: opened.journal, Logs: logger}, exitUsage, cause)
	if err := opened.close(ctx, closeTimeout); err != nil {
		logger.Error(err.Error())
	}
	return report
}

// What the heap may take, in bytes, in addition to rows (SPOOL_MEMORY).
const (
	ownMemory    = 24 << 20 // the sidecar itself
	streamMemory = 7 << 10  // each stream
)

// memoryTarget is the size that the garbage collector keeps the heap to, in bytes: memory is for the connector. It is no hard limit, but a heap that
// always needs more keeps the collector busy.
func memoryTarget(spool int64, streams int) int64 {
	return ownMemory + spool + int64(streams)*streamMemory
}

// boundMemory makes the garbage collector keep to the target, unless the user has said otherwise.
func boundMemory(env environment, target int64) {
	if env.getenv("GOMEMLIMIT") == "" && env.getenv("GOGC") == "" {
		debug.SetGCPercent(50)
		debug.SetMemoryLimit(target)
	}
}

func commandKnown(command sidecar.Command) error {
	switch command {
	case sidecar.CommandSpec, sidecar.CommandCheck, sidecar.CommandDiscover, sidecar.CommandRead:
		return nil
	}
	return fmt.Errorf("COMMAND: %q is not one of spec, check, discover, read", string(command))
}

// inputs are what the sidecar needs of the connector's files.
type inputs struct {
	config []byte // nil when it cannot be read: the sidecar only needs its secrets, to mask them
	read   session.Inputs
}

// readInputs reads the connector's files.
func readInputs(s settings) (inputs, error) {
	in := inputs{read: session.Inputs{CatalogName: "CATALOG_FILE " + s.catalog, Options: s.streams}}
	var err error
	if in.config, err = document.Read(s.configFile); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return in, fmt.Errorf("CONFIG_FILE: %w", err)
	}
	if s.config.Command != sidecar.CommandRead {
		return in, nil
	}
	if in.read.Catalog, err = readCatalog(s.catalog); err != nil {
		return in, err
	}
	state, err := document.Read(s.stateFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return in, fmt.Errorf("STATE_FILE: %w", err)
	}
	if in.read.States, err = airbyte.ParseStateFile(state); err != nil {
		return in, fmt.Errorf("STATE_FILE %s: %w", s.stateFile, err)
	}
	return in, nil
}

// readCatalog reads the configured catalog.
func readCatalog(path string) (airbyte.ConfiguredCatalog, error) {
	content, err := document.Read(path)
	if err != nil {
		return airbyte.ConfiguredCatalog{}, fmt.Errorf("CATALOG_FILE: %w", err)
	}
	catalog, err := airbyte.ParseConfiguredCatalog(content)
	if err != nil {
		return catalog, fmt.Errorf("CATALOG_FILE %s: %w", path, err)
	}
	if len(catalog.Streams) == 0 {
		return catalog, fmt.Errorf("CATALOG_FILE %s: no streams are configured: choose at least one", path)
	}
	return catalog, nil
}

// newMasker makes a masker of every secret that this process knows at the start.
func newMasker(s settings, config []byte) *secret.Masker {
	masker := secret.NewMasker(s.passwords...)
	masker.Add(s.secrets...)
	masker.Add(secret.FromConfig(config, nil)...)
	return masker
}

// maskedError is an error whose text shows no secret.
func maskedError(masker *secret.Masker, err error) error {
	return withCode(exitCode(err), errors.New(masker.Mask(err.Error())))
}

// newLogs makes a logger that writes to stderr, through a console that never blocks. Sinks are added once they are known.
func newLogs(env environment, s settings, masker *secret.Masker) (*logs.Logger, *logs.Console) {
	console := logs.NewConsole(env.stderr)
	var out io.Writer = console
	if !s.json {
		out = zerolog.ConsoleWriter{Out: console, NoColor: true, TimeFormat: time.RFC3339, FieldsExclude: []string{"event", "logger"},
			PartsOrder: []string{zerolog.TimestampFieldName, zerolog.LevelFieldName, "logger", zerolog.MessageFieldName}}
	}
	return logs.New(logs.Options{Console: console, Format: zerolog.New(out).Level(localLevel(s.logLevel)).With().Timestamp().Logger(),
		SinkLevel: s.sinkLevel, Connector: connectorLogger(s.config.Identity), Mask: masker.Mask, Reports: s.json}), console
}

// connectorLogger is what the lines of the connector have as their logger.
func connectorLogger(id sidecar.Identity) string {
	if id.Package == "" {
		return "source"
	}
	return id.Package
}

func localLevel(level airbyte.Level) zerolog.Level {
	switch level {
	case airbyte.LevelTrace:
		return zerolog.TraceLevel
	case airbyte.LevelDebug:
		return zerolog.DebugLevel
	case airbyte.LevelWarn:
		return zerolog.WarnLevel
	case airbyte.LevelError, airbyte.LevelFatal:
		return zerolog.ErrorLevel
	default:
		return zerolog.InfoLevel
	}
}
