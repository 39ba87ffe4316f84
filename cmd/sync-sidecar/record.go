package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner/smoke"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/recording"
	"sync-sidecar/sidecar/secret"
)

// recordMode is the mode that smoke starts beside a connector in place of sidecar: what is read is kept as it came, and delivered nowhere.
const recordMode = "record"

// recordCommand is hidden: it is smoke's own, and of no use without it.
func recordCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: recordMode, Hidden: true, Usage: "read the connector's pipes and keep what came, for smoke",
		Flags: append(pipeFlags(),
			&cli.StringFlag{Name: "local-dir", EnvVars: []string{"LOCAL_DIR"}}, &cli.StringFlag{Name: "sync-id", EnvVars: []string{"SYNC_ID"}},
			&cli.Int64Flag{Name: "limit"}, &cli.IntFlag{Name: "streams"}, &cli.BoolFlag{Name: "stop-at-first"},
			&cli.Int64Flag{Name: "max-bytes", Value: 256 << 20}, &cli.DurationFlag{Name: "open-timeout", Value: 5 * time.Minute},
			&cli.DurationFlag{Name: "silence", Value: time.Hour}, &cli.DurationFlag{Name: "timeout", Value: time.Hour},
			&cli.DurationFlag{Name: "stop-grace", Value: 30 * time.Second},
		),
		Action: func(c *cli.Context) error { return record(c, env) },
	}
}

// record records one command of a connector, and ends with the report that the runner expects of whatever listens to a connector.
func record(c *cli.Context, env environment) error {
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	var s settings
	s.json = true
	logger, console := newLogs(env, s, secret.NewMasker())
	defer console.Close(closeTimeout)
	closing := make(chan struct{})
	noted := make(chan struct{})
	go func() { // the runner waits for a word before it tells the connector to stop, too
		defer close(noted)
		select {
		case <-ctx.Done():
			logger.Info("stopping")
		case <-closing:
		}
	}()
	_, err := recording.Record(ctx, recordingOptions(c, logger))
	close(closing)
	<-noted
	report := sidecar.Report{Status: sidecar.StatusSuccess}
	if err != nil {
		report = sidecar.Report{Status: sidecar.StatusFailed, ExitCode: exitEnvironment, Cause: err.Error()}
		if errors.Is(err, recording.ErrSilent) || errors.Is(err, recording.ErrTimeout) {
			report.Status, report.ExitCode = sidecar.StatusTimeExceeded, exitTimeout
		}
	}
	logger.Report(report)
	return withCode(report.ExitCode, nil)
}

func recordingOptions(c *cli.Context, logger *logs.Logger) recording.Options {
	return recording.Options{
		StdoutPipe: c.String("stdout-pipe"), StderrPipe: c.String("stderr-pipe"), ExitStatusFile: exitStatusFile(c),
		Dir:      filepath.Join(c.String("local-dir"), c.String("sync-id")),
		Limit:    recording.Limit{Rows: c.Int64("limit"), Streams: c.Int("streams"), First: c.Bool("stop-at-first")},
		MaxBytes: c.Int64("max-bytes"), OpenTimeout: c.Duration("open-timeout"), Silence: c.Duration("silence"), Timeout: c.Duration("timeout"),
		Grace: c.Duration("stop-grace"), Enough: func() { logger.Info(smoke.EnoughLine) },
	}
}

// recordArgs are the arguments of recordMode.
func recordArgs(options smoke.RecordOptions) []string {
	args := []string{recordMode, "--limit", fmt.Sprint(options.Limit.Rows), "--streams", fmt.Sprint(options.Limit.Streams),
		"--silence", options.Timeout.String(), "--timeout", options.Timeout.String(), "--stop-grace", options.Grace.String()}
	if options.Limit.First {
		args = append(args, "--stop-at-first")
	}
	return args
}
