package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/secret"
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
		Description: "Exit codes: 0 success, 1 the source or the sync failed, 2 bad configuration, 3 the environment failed (Bulker, Postgres),\n" +
			"4 partial, 5 check said FAILED, 6 timed out, 128+n cancelled by signal n. A second signal ends at once.",
		Flags:  append(append([]cli.Flag{command}, pipeFlags()...), sidecarFlags()...),
		Action: func(c *cli.Context) error { return runSidecar(c, env) },
	}
}

// runSidecar is one session.
func runSidecar(c *cli.Context, env environment) error {
	if c.Args().Present() {
		return withCode(exitUsage, fmt.Errorf("sidecar takes no arguments, but got %q", c.Args().First()))
	}
	command := sidecar.Command(c.String("command"))
	settings, err := readSettings(c, env, command)
	if known := commandKnown(command); known != nil {
		err = errors.Join(known, err)
	}
	err = errors.Join(env.invalid, err)
	if err != nil {
		return withCode(exitUsage, err)
	}
	settings.config.StdoutPipe, settings.config.StderrPipe, settings.config.ExitStatusFile = c.String(
		"stdout-pipe",
	), c.String(
		"stderr-pipe",
	), exitStatusFile(
		c,
	)
	inputs, err := readInputs(settings)
	if err != nil {
		masker := newMasker(settings, inputs.config)
		return maskedError(masker, withCode(exitUsage, recordBadInputs(c.Context, settings, err)))
	}
	boundMemory(env, memoryTarget(settings.config.Spool.Memory, len(inputs.catalog.Streams)))
	masker := newMasker(settings, inputs.config)
	ctx, stop := withSignals(c.Context)
	defer stop()
	stores, err := openStores(ctx, settings, false)
	if err != nil {
		return maskedError(masker, unlessSignalled(ctx, err))
	}
	report, err := session(ctx, env, settings, inputs, stores, masker)
	if err != nil {
		err = withCode(exitCode(err), stores.recordUnstarted(ctx, command, err, masker.Mask))
	}
	if closing := stores.close(ctx); closing != nil && err == nil && report.ExitCode == exitOK {
		err = withCode(exitEnvironment, closing)
	}
	if err != nil {
		return maskedError(masker, unlessSignalled(ctx, err))
	}
	return withCode(report.ExitCode, nil)
}

// unlessSignalled gives what failed before the session began the exit code of the signal that cancelled it, if one did.
func unlessSignalled(ctx context.Context, err error) error {
	signalled := sidecar.Signalled{}
	if errors.As(context.Cause(ctx), &signalled) {
		return withCode(exitSignal+signalled.Number, fmt.Errorf("%w before the session began: %w", signalled, err))
	}
	return err
}

// What a sidecar's heap aims at, in bytes, beside the rows that it may hold (SPOOL_MEMORY): its own, and what each stream takes.
const (
	ownMemory    = 24 << 20
	streamMemory = 6 << 10
)

// memoryTarget is what the heap aims at, in bytes: beside a connector, memory is the connector's. It is no hard limit, but a heap that is always
// above it costs the time of the collector.
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

// session prepares what read needs and runs it.
func session(ctx context.Context, env environment, s settings, in inputs, stores *stores, masker *secret.Masker) (sidecar.Report, error) {
	logs := newLogs(env, s, stores, masker)
	spec, err := stores.spec(ctx)
	if err != nil {
		return sidecar.Report{}, withCode(exitEnvironment, err)
	}
	s.config.NewSecrets = func(config []byte) { masker.Add(secret.FromConfig(config, spec)...) }
	s.config.NewSecrets(in.config)
	s.config.ProgressEvery = 10 * time.Second
	if s.json {
		s.config.ProgressEvery = time.Second
	}
	if s.config.Command != sidecar.CommandRead {
		return sidecar.Run(ctx, s.config, nil, stores.journal, logs), nil
	}
	if s.config.Streams, err = sidecar.NewStreams(in.catalog, in.states, s.streams); err != nil {
		return sidecar.Report{}, withCode(exitUsage, fmt.Errorf("CATALOG_FILE %s: %w", s.catalog, err))
	}
	locking, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := stores.journal.Lock(locking); err != nil {
		return sidecar.Report{}, withCode(exitEnvironment, err)
	}
	warnings, err := stores.resume(ctx, in.catalog, in.states)
	if err != nil {
		return sidecar.Report{}, withCode(exitEnvironment, err)
	}
	for _, warning := range warnings {
		logs.Warn(warning)
	}
	return sidecar.Run(ctx, s.config, stores.destination, stores.journal, logs), nil
}

func commandKnown(command sidecar.Command) error {
	switch command {
	case sidecar.CommandSpec, sidecar.CommandCheck, sidecar.CommandDiscover, sidecar.CommandRead:
		return nil
	}
	return fmt.Errorf("COMMAND: %q is not one of spec, check, discover, read", string(command))
}

// inputs are the connector's files, as far as the sidecar needs them.
type inputs struct {
	config  []byte // may be nil: the sidecar only masks its secrets
	catalog airbyte.ConfiguredCatalog
	states  []airbyte.State
}

// readInputs reads the connector's files and, for read, decides how each stream is delivered.
func readInputs(s settings) (inputs, error) {
	in := inputs{}
	var err error
	if in.config, err = os.ReadFile(s.configFile); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return in, fmt.Errorf("CONFIG_FILE: %w", err)
	}
	if s.config.Command != sidecar.CommandRead {
		return in, nil
	}
	if in.catalog, err = readCatalog(s.catalog); err != nil {
		return in, err
	}
	state, err := os.ReadFile(s.stateFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return in, fmt.Errorf("STATE_FILE: %w", err)
	}
	if in.states, err = airbyte.ParseStateFile(state); err != nil {
		return in, fmt.Errorf("STATE_FILE %s: %w", s.stateFile, err)
	}
	return in, nil
}

// readCatalog reads the configured catalog.
func readCatalog(path string) (airbyte.ConfiguredCatalog, error) {
	content, err := os.ReadFile(path)
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

// newMasker knows every secret that this process has seen.
func newMasker(s settings, config []byte) *secret.Masker {
	masker := secret.NewMasker(s.bulker.token)
	masker.Add(secret.FromDSN(s.database)...)
	masker.Add(secret.FromDSN(s.bulker.url)...)
	masker.Add(secret.FromConfig(config, nil)...)
	return masker
}

// maskedError is an error whose text shows no secret.
func maskedError(masker *secret.Masker, err error) error {
	return withCode(exitCode(err), errors.New(masker.Mask(err.Error())))
}

// newLogs writes to stderr and to the sinks of the stores.
func newLogs(env environment, s settings, stores *stores, masker *secret.Masker) *sidecar.Logs {
	out := env.stderr
	if !s.json {
		out = zerolog.ConsoleWriter{Out: env.stderr, NoColor: true, TimeFormat: time.RFC3339, FieldsExclude: []string{"event", "logger"},
			PartsOrder: []string{zerolog.TimestampFieldName, zerolog.LevelFieldName, "logger", zerolog.MessageFieldName}}
	}
	return sidecar.NewLogs(sidecar.LogOptions{Local: zerolog.New(out).Level(localLevel(s.logLevel)).With().Timestamp().Logger(), Sinks: stores.sinks,
		SinkLevel: s.sinkLevel, Source: sourceName(s.config.Identity), Mask: masker.Mask, Reports: s.json})
}

// sourceName is the logger of the connector's lines.
func sourceName(id sidecar.Identity) string {
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

// withSignals cancels the context at the first SIGTERM or SIGINT, with the signal as its cause; the second one ends the process at once.
func withSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for first := true; ; first = false {
			select {
			case received := <-signals:
				number, _ := received.(syscall.Signal)
				if !first {
					os.Exit(exitSignal + int(number))
				}
				cancel(sidecar.Signalled{Number: int(number), Name: signalName(number)})
			case <-stop:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(stop)
		<-done
		cancel(nil)
	}
}

func signalName(number syscall.Signal) string {
	switch number {
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGINT:
		return "SIGINT"
	default:
		return number.String()
	}
}
