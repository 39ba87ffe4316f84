// Command sync-sidecar runs Airbyte source connectors and delivers their rows, results, logs and state.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

func main() { os.Exit(run()) }

// run is main without os.Exit, so that defers happen.
func run() int {
	executable, err := os.Executable()
	if err != nil {
		executable = os.Args[0]
	}
	app := newApp(environment{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, environ: os.Environ(), executable: executable})
	if err = dropEmptyVariables(app.Commands); err == nil {
		err = app.Run(os.Args)
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(os.Stderr, "sync-sidecar: %v\n", err)
	}
	return exitCode(err)
}

// dropEmptyVariables takes variables of ours that are set to nothing for not set: so a Compose file passes on what the user left out, and a switch
// that is on by itself would be off.
func dropEmptyVariables(commands []*cli.Command) error {
	for _, command := range commands {
		for _, flag := range command.Flags {
			described, ok := flag.(cli.DocGenerationFlag)
			if !ok {
				continue
			}
			for _, variable := range described.GetEnvVars() {
				if os.Getenv(variable) != "" {
					continue
				}
				if err := os.Unsetenv(variable); err != nil {
					return fmt.Errorf("%s: %w", variable, err)
				}
			}
		}
		if err := dropEmptyVariables(command.Subcommands); err != nil {
			return err
		}
	}
	return nil
}

// version is what the linker or the build info says of this binary.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}

// buildVersion is set by the linker (-X main.buildVersion=v1.2.3) where there is no version control, as in an image build.
var buildVersion string
