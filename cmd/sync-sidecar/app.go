package main

import (
	"io"

	"github.com/urfave/cli/v2"
)

// environment is all that a mode may know of the world; main fills it, tests replace it.
type environment struct {
	stdin      io.Reader
	stdout     io.Writer
	stderr     io.Writer
	getenv     func(string) string
	environ    []string // as os.Environ
	executable string   // path of the running binary
}

// newApp is the command line: one command per mode.
func newApp(env environment) *cli.App {
	return &cli.App{
		Name:      "sync-sidecar",
		Usage:     "runs Airbyte source connectors and delivers what they read",
		Version:   version(),
		Writer:    env.stdout,
		ErrWriter: env.stderr,
		Reader:    env.stdin,
		// main maps errors to exit codes once; the library's default would call os.Exit inside Run.
		ExitErrHandler: func(*cli.Context, error) {},
		Commands:       []*cli.Command{initCommand(env), execCommand(env), sidecarCommand(env), runCommand(env)},
	}
}
