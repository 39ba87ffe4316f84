package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// environment is all that a mode may know of the world; main fills it, tests replace it.
type environment struct {
	stdin      io.Reader
	stdout     io.Writer
	stderr     io.Writer
	getenv     func(string) string
	environ    []string       // as os.Environ
	executable string         // path of the running binary
	signals    chan os.Signal // of catchSignals; nil brings none
	helpAll    bool           // --help shows every option
	implied    bool           // `run` was called without a command: its arguments are syncs
	flags      [][]string     // of `run` and `state`, each with its value
	given      []string       // names of those flags
	invalid    error          // variables that their flags cannot read; they are not in the environment any more
}

// newApp is the command line: one command per mode.
func newApp(env environment) *cli.App {
	app := &cli.App{
		Name:      "sync-sidecar",
		Usage:     "runs Airbyte source connectors and delivers what they read",
		Version:   version(),
		Writer:    env.stdout,
		ErrWriter: env.stderr,
		Reader:    env.stdin,
		// main maps errors to exit codes once; the library's default would call os.Exit inside Run.
		ExitErrHandler: func(*cli.Context, error) {},
		// A value may hold commas, as in --env OPTIONS=-a,-b; flags that list names take them apart themselves.
		DisableSliceFlagSeparator: true,
		Commands: slices.Concat(
			under("From your machine", runCommand(env), smokeCommand(env), replayCommand(env), configCommand(env), stateCommand(env),
				doctorCommand(env), cleanCommand(env), composeCommand(env), manifestCommand(env)),
			under("Inside a pod", initCommand(env), execCommand(env), sidecarCommand(env), catalogCommand(env)),
			[]*cli.Command{inPodCommand(env), recordCommand(env), doctorSourceCommand(env), completionCommand(env), manCommand(env),
				completeCommand(env)},
		),
		Action:       unknownCommand,
		OnUsageError: usageError("sync-sidecar"),
		Before: func(c *cli.Context) error {
			if env.invalid == nil || c.Args().First() == sidecarMode { // which tells what else is wrong, too
				return nil
			}
			return withCode(exitUsage, env.invalid)
		},
	}
	if !env.helpAll {
		abridge(app)
	}
	for _, command := range app.Commands {
		command.OnUsageError = usageError("sync-sidecar " + command.Name)
		if len(command.Subcommands) > 0 {
			command.Action = unknownCommand
		}
	}
	return app
}

// under puts commands under a title of the help.
func under(title string, commands ...*cli.Command) []*cli.Command {
	for _, command := range commands {
		command.Category = title
	}
	return commands
}

// usageError tells what is wrong with the flags on one line. The library would print the whole help around it.
func usageError(command string) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		return withCode(exitUsage, fmt.Errorf("%w; see %s --help", err, command))
	}
}

// unknownCommand is for arguments that name no command; without any, the help is what is wanted.
func unknownCommand(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowSubcommandHelp(c)
	}
	var known []string
	for _, command := range c.Command.Subcommands {
		if !command.Hidden && command.Name != "help" {
			known = append(known, command.Name)
		}
	}
	return withCode(exitUsage, fmt.Errorf("%q is not one of %s", c.Args().First(), strings.Join(known, ", ")))
}
