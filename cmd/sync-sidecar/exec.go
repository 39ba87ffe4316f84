package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar/shim"
	"sync-sidecar/sidecar/verdictfile"
)

// execCommand is the mode that runs in the connector's container.
func execCommand(env environment) *cli.Command {
	return &cli.Command{
		Name:      "exec",
		Usage:     "run a connector with the named pipes as its stdout and stderr",
		ArgsUsage: "-- [PROGRAM] [ARGUMENT…]",
		Description: "Runs PROGRAM as it is. When the first argument is spec, check, discover or read and no such program exists, or when there\n" +
			"is none, AIRBYTE_ENTRYPOINT goes before it: split into words as a shell does, nothing evaluated. --state with a file that does\n" +
			"not exist is left out. The exit code is the connector's, 128+n when a signal ended it, 127 or 126 when it could not be started,\n" +
			"3 when nobody opened the pipes. When it is 0 and the sync was no success it is the sidecar's, for whose verdict exec waits.",
		Flags: append(slices.Concat(pipeFlags(), verdictFlags(), argumentFlags()), caFlag(),
			&cli.DurationFlag{
				Name: "open-timeout", EnvVars: []string{"PIPE_OPEN_TIMEOUT"}, Value: 5 * time.Minute,
				Usage: "how long to wait until the sidecar opens the pipes",
			},
		),
		Action: func(c *cli.Context) error { return execConnector(c, env) },
	}
}

// pipeFlags are the flags that init and exec share with the sidecar: the places on the shared volume.
func pipeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "stdout-pipe", EnvVars: []string{"STDOUT_PIPE_FILE"}, Value: "/pipes/stdout",
			Usage: "named pipe for the connector's stdout",
		},
		&cli.StringFlag{
			Name: "stderr-pipe", EnvVars: []string{"STDERR_PIPE_FILE"}, Value: "/pipes/stderr",
			Usage: "named pipe for the connector's stderr",
		},
		&cli.StringFlag{
			Name: "exit-status-file", EnvVars: []string{"EXIT_STATUS_FILE"},
			Usage: "file for the connector's exit status (default: exit-status beside the stdout pipe)",
		},
		&cli.StringFlag{
			Name: "verdict-file", EnvVars: []string{"VERDICT_FILE"},
			Usage: "file for the sidecar's verdict, for which exec waits (default: verdict.json beside the stdout pipe)",
		},
		&cli.StringFlag{
			Name: "termination-message-path", EnvVars: []string{"TERMINATION_MESSAGE_PATH"}, Value: terminationPath,
			Usage: "where Kubernetes reads the last words of a container; written only when it is there",
		},
	}
}

// exitStatusFile is where the exit status goes, by flag or beside the stdout pipe.
func exitStatusFile(c *cli.Context) string {
	if path := c.String("exit-status-file"); path != "" {
		return path
	}
	return filepath.Join(filepath.Dir(c.String("stdout-pipe")), "exit-status")
}

// execConnector runs the connector and exits as it does, or as the sync did.
func execConnector(c *cli.Context, env environment) error {
	if timeout := c.Duration("open-timeout"); timeout <= 0 {
		return withCode(exitUsage, fmt.Errorf("PIPE_OPEN_TIMEOUT (--open-timeout) is %v: give a duration above zero, as in 5m", timeout))
	}
	arguments, err := connectorArguments(c)
	if err != nil {
		return withCode(exitUsage, err)
	}
	e := &execution{env: env, statusFile: exitStatusFile(c), verdictTimeout: c.Duration("verdict-timeout")}
	if !c.Bool("no-wait-verdict") {
		e.waiter = verdictfile.Wait(verdictFile(c))
	}
	code, err := e.run(c.Context, shimSpec(c, env, arguments))
	if err := leaveLastWords(c.String("termination-message-path"), e.lastWords(code, err)); err != nil {
		fmt.Fprintf(env.stderr, "sync-sidecar: %v\n", err)
	}
	if e.waiter != nil {
		err = errors.Join(err, e.waiter.Close()) // last: a native sidecar that ended before us would be started again
	}
	return withCode(code, err)
}

// shimSpec is what the shim runs, and how.
func shimSpec(c *cli.Context, env environment, arguments []string) shim.Spec {
	// main has caught those that end every mode; all that a connector may understand are passed on to it.
	forwarded := []os.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	first := os.Getpid() == 1
	if first {
		forwarded = append(forwarded, syscall.SIGCHLD)
	}
	if env.signals != nil {
		signal.Notify(env.signals, forwarded...)
	}
	return shim.Spec{
		Args:           append(c.Args().Slice(), arguments...),
		Entrypoint:     env.getenv("AIRBYTE_ENTRYPOINT"),
		Env:            trustJava(c, env, filepath.Dir(exitStatusFile(c))),
		StdoutPipe:     c.String("stdout-pipe"),
		StderrPipe:     c.String("stderr-pipe"),
		ExitStatusFile: exitStatusFile(c),
		OpenTimeout:    c.Duration("open-timeout"),
		Signals:        env.signals,
		ReapOrphans:    first,
		MemoryEvents:   []string{shim.MemoryEventsV2, shim.MemoryEventsV1},
	}
}
