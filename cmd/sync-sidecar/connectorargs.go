package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// argumentFlags let exec write the connector's arguments itself. --command has no variable: where COMMAND is set for the sidecar it may be set for
// the connector's container too, which gives its arguments by itself.
func argumentFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:  "command",
			Usage: "add `COMMAND` (spec, check, discover or read) and the files that it takes to the connector's arguments",
		},
		text("", "config-file", "CONFIG_FILE", "/config/config.json", "with --command: the connector's configuration"),
		text("", "catalog-file", "CATALOG_FILE", "/config/catalog.json", "with --command read: the configured catalog"),
		text("", "state-file", "STATE_FILE", "/config/state.json", "with --command read: the state to start from; may be missing"),
	}
}

// connectorArguments are the arguments that the Airbyte protocol fixes for each command of a source ("The Airbyte Protocol", Source).
func connectorArguments(c *cli.Context) ([]string, error) {
	command := c.String("command")
	config := []string{"--config", orPreset(c, "config-file")}
	switch command {
	case "":
		return nil, nil
	case "spec":
		return []string{command}, nil
	case "check", "discover":
		return append([]string{command}, config...), nil
	case "read":
		return append(append([]string{command}, config...), "--catalog", orPreset(c, "catalog-file"), "--state", orPreset(c, "state-file")), nil
	}
	return nil, fmt.Errorf("--command is %q: use spec, check, discover or read", command)
}
