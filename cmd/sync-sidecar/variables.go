package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"
)

// settleVariables prepares this process's environment for the flags of the command that args ask for. The library would take an empty variable for
// a switch that is turned off, and stop at the first variable that it cannot read. So those that are empty, as a Compose file passes on what the user
// left out, are unset; and those that cannot be read are unset and returned as one error. The app's flags are used up: run another one.
func settleVariables(app *cli.App, args []string) error {
	var invalid []error
	for _, known := range commandOf(app, args).Flags {
		described, ok := known.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		for _, variable := range described.GetEnvVars() {
			value := os.Getenv(variable)
			if value != "" {
				if known.Apply(flag.NewFlagSet("", flag.ContinueOnError)) == nil {
					continue
				}
				invalid = append(invalid, fmt.Errorf("%s: %q is not %s", variable, value, kindOf(known)))
			}
			if err := os.Unsetenv(variable); err != nil {
				invalid = append(invalid, fmt.Errorf("%s: %w", variable, err))
			}
		}
	}
	return errors.Join(invalid...)
}

// commandOf is the command that the first arguments name; one without flags when they name none.
func commandOf(app *cli.App, args []string) *cli.Command {
	found := &cli.Command{Subcommands: app.Commands}
	for _, name := range args {
		next := found.Command(name)
		if next == nil {
			break
		}
		found = next
	}
	return found
}

// kindOf says what the value of a flag has to be.
func kindOf(known cli.Flag) string {
	switch known.(type) {
	case *cli.BoolFlag:
		return "true or false"
	case *cli.DurationFlag:
		return "a duration like 90s, 25m or 1h30m"
	case *cli.Int64Flag, *cli.IntFlag:
		return "a whole number"
	case *cli.Float64Flag:
		return "a number"
	default:
		return "a value that can be read"
	}
}
