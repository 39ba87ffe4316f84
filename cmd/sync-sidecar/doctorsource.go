package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// doctorSource is the connector that doctor runs.
const doctorSource = "doctor-source"

// doctorSourceCommand is a connector that does nothing: it answers spec.
func doctorSourceCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: doctorSource, Hidden: true, Usage: "answer as a connector does, for doctor",
		Action: func(*cli.Context) error {
			_, err := fmt.Fprintln(env.stdout, `{"type":"SPEC","spec":{"connectionSpecification":{"type":"object"}}}`)
			if err != nil {
				return withCode(exitFailed, err)
			}
			return nil
		},
	}
}
