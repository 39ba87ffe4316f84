package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner/smoke"
	"sync-sidecar/sidecar/recording"
)

// replayCommand is the mode that is a connector: it says what another one said when it was recorded.
func replayCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "replay", Usage: "play a recording of smoke as a connector", ArgsUsage: "DIR spec|check|discover|read [OPTION…]",
		Description: "sync-sidecar smoke --exec 'sync-sidecar replay DIR' --config DIR/config.json\n\n" +
			"DIR is what `smoke --record DIR` kept. The options of a connector (--config, --catalog, --state) are taken: with a state, read plays the\n" +
			"second read of the recording.",
		SkipFlagParsing: true,
		Action:          func(c *cli.Context) error { return replay(c, env) },
	}
}

func replay(c *cli.Context, env environment) error {
	if c.Args().First() == "--help" || c.Args().First() == "-h" {
		return cli.ShowSubcommandHelp(c)
	}
	if c.Args().Len() < 2 {
		return withCode(exitUsage, fmt.Errorf("replay needs a folder and a command: sync-sidecar replay DIR %s", "spec|check|discover|read"))
	}
	dir, err := recordedStep(c.Args().Get(0), c.Args().Get(1), c.Args().Slice()[2:], env.getenv(smoke.StepVariable))
	if err != nil {
		return withCode(exitUsage, err)
	}
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	code, err := recording.Play(ctx, dir, env.stdout, env.stderr)
	if err != nil {
		return withCode(exitEnvironment, err)
	}
	return withCode(code, nil)
}

// recordedStep is the folder of the recording that a command line asks for: of the same step of a smoke test, or the one that fits the command best.
func recordedStep(dir, command string, options []string, step string) (string, error) {
	candidates := []string{step}
	switch command {
	case "spec", "check", "discover":
		candidates = append(candidates, command)
	case "read":
		for i, option := range options {
			if option == "--state" && i+1 < len(options) {
				if _, err := os.Stat(options[i+1]); err == nil {
					candidates = append(candidates, "again")
				}
			}
		}
		candidates = append(candidates, command)
	default:
		return "", fmt.Errorf("replay: %q is not one of spec, check, discover, read", command)
	}
	for _, name := range candidates {
		if name != "" && filepath.Base(name) == name && recording.Exists(filepath.Join(dir, name)) {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("there is no recording of %s in %s", command, dir)
}
