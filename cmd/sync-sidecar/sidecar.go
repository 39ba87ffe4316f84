package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
		Flags:  slices.Concat([]cli.Flag{command, folderSocketFlag()}, pipeFlags(), verdictFlags(), againFlags(), sidecarFlags()),
		Action: func(c *cli.Context) error { return runSidecar(c, env) },
	}
}

// folderSocketFlag is for run, where nobody but run itself sees LOCAL_DIR.
func folderSocketFlag() cli.Flag {
	return &cli.StringFlag{Name: "folder-socket", Hidden: true, Usage: "in place of LOCAL_DIR: `SOCKET` to listen at for run, which has the folder"}
}

// runSidecar is one session.
func runSidecar(c *cli.Context, env environment) error {
	if c.Args().Present() {
		return withCode(exitUsage, fmt.Errorf("sidecar takes no arguments, but got %q", c.Args().First()))
	}
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	settings, invalid, err := settingsInTurn(ctx, c, env)
	if err != nil {
		return err
	}
	masker := newMasker(settings)
	logger, console := newLogs(env, settings, masker)
	noteUnused(env.environ, logger)
	keeper := newVerdictKeeper(c, logger)
	watching := startWatching(ctx, settings, logger)
	settings.config.Watched = watching.begin
	var report sidecar.Report
	switch {
	case keeper.earlier.Final():
		report = keeper.earlier.Report
		logger.Info("this container was started again, after the verdict: " + report.Line())
	case invalid != nil:
		report = unstarted(ctx, settings, quiet(settings, masker), exitUsage, invalid) // main says what is wrong, on stderr
	case keeper.midway:
		unread := settings.readDestinationConfig() // which may say where that is recorded
		masker.Add(settings.passwords...)
		report = unstarted(ctx, settings, logger, exitEnvironment, errors.Join(errRestarted, unread))
	default:
		report = oneSession(ctx, env, settings, logger, console, masker)
	}
	if err := leaveLastWords(c.String("termination-message-path"), report.Line()); err != nil {
		logger.Warn(err.Error())
	}
	watching.end(ctx, report, goodbye(ctx, settings)) // while the connector's container waits: a Pod ends with it
	keeper.conclude(ctx, report)
	ended := finish(ctx, settings, console, report)
	if invalid != nil {
		return withCode(exitUsage, invalid)
	}
	return ended
}

// settingsInTurn reads the settings when the session's turn has come, and prepares it where that is this process's to do. invalid is what is wrong
// with the settings; nothing is waited for then.
func settingsInTurn(ctx context.Context, c *cli.Context, env environment) (s settings, invalid, err error) {
	if s, invalid = sidecarSettings(c, env); invalid != nil {
		return s, invalid, nil
	}
	waited, err := awaitTurn(ctx, c, env)
	if err == nil {
		err = unlessSignalled(ctx, prepare(c, env))
	}
	if err == nil && waited { // its time and its task's name are of when it was started
		s, invalid = sidecarSettings(c, env)
	}
	return s, invalid, err
}

// sidecarSettings reads the settings of this mode. The error joins all that is wrong with them; then the settings are good enough to record that.
func sidecarSettings(c *cli.Context, env environment) (settings, error) {
	command := sidecar.Command(c.String("command"))
	s, err := readSettings(c, env, command)
	if known := commandKnown(command); known != nil {
		err = errors.Join(known, err)
	}
	err = errors.Join(env.invalid, err)
	if err != nil {
		s.config.Deadlines = session.DefaultConfig().Deadlines
	}
	s.config.StdoutPipe, s.config.StderrPipe = c.String("stdout-pipe"), c.String("stderr-pipe")
	s.config.ExitStatusFile = exitStatusFile(c)
	s.folderSocket = c.String("folder-socket")
	return s, err
}

// oneSession reads the connector's files, and then what it says.
func oneSession(ctx context.Context, env environment, s settings, logger *logs.Logger, console *logs.Console, masker *secret.Masker) sidecar.Report {
	inputs, err := readInputs(s)
	err = errors.Join(err, s.readDestinationConfig(), s.checkShard())
	masker.Add(append(secret.FromConfig(inputs.config, nil), s.passwords...)...)
	if err != nil {
		return unstarted(ctx, s, logger, codeOr(err, exitUsage), err)
	}
	boundMemory(env, memoryTarget(s.config.Load.Spool.Memory, len(inputs.read.Catalog.Streams)))
	report := deliver(ctx, s, inputs, logger, masker)
	if err := showRows(console, s, inputs, masker.Mask); err != nil {
		logger.Warn(err.Error())
	}
	return report
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
	s.config.KeepConfig = stores.keepConfig
	s.config.ProgressEvery = 10 * time.Second
	if s.json {
		s.config.ProgressEvery = time.Second
	}
	var report sidecar.Report
	switch {
	case err != nil:
		report = session.Unstarted(ctx, s.config, parts, exitEnvironment, err)
	case in.idle(s):
		report = session.Idle(ctx, s.config, parts)
	default:
		report = session.Start(ctx, s.config, in.read, parts)
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
	if in.read.Catalog, err = readCatalog(s); err != nil {
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

// idle says that this is a shard to which no streams fell.
func (in inputs) idle(s settings) bool {
	return s.config.Command == sidecar.CommandRead && len(in.read.Catalog.Streams) == 0
}

// readCatalog reads the configured catalog, which of a shard may be empty. Where a step that was to write it failed, its failure is the error.
func readCatalog(s settings) (airbyte.ConfiguredCatalog, error) {
	path := s.catalog
	content, err := document.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if failure := takeFailure(path); failure != nil {
			return airbyte.ConfiguredCatalog{}, failure
		}
	}
	if err != nil {
		return airbyte.ConfiguredCatalog{}, fmt.Errorf("CATALOG_FILE: %w", err)
	}
	catalog, err := airbyte.ParseConfiguredCatalog(content)
	if err != nil {
		return catalog, fmt.Errorf("CATALOG_FILE %s: %w", path, err)
	}
	if len(catalog.Streams) == 0 && !s.config.Identity.Shard.Active() {
		return catalog, fmt.Errorf("CATALOG_FILE %s: no streams are configured: choose at least one", path)
	}
	return catalog, nil
}

// newMasker makes a masker of every secret that this process knows at the start.
func newMasker(s settings) *secret.Masker {
	masker := secret.NewMasker(s.passwords...)
	masker.Add(s.secrets...)
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
	format := zerolog.New(out).Level(localLevel(s.logLevel)).With().Timestamp()
	if id := s.config.Identity; s.json { // whose line it is, where lines of many syncs are gathered
		format = format.Str("sync", id.SyncID).Str("task", id.TaskID)
	}
	return logs.New(logs.Options{Console: console, Format: format.Logger(),
		SinkLevel: s.sinkLevel, Connector: connectorLogger(s.config.Identity), Mask: masker.Mask, Reports: s.json}), console
}

// connectorLogger is what the lines of the connector have as their logger.
func connectorLogger(id sidecar.Identity) string {
	if id.Package == "" {
		return "source"
	}
	return id.Package
}
