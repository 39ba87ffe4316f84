// Command sync-sidecar runs Airbyte source connectors and delivers their rows, results, logs and state.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/printable"
)

func main() { os.Exit(run()) }

// run is main without os.Exit, so that defers happen.
func run() int {
	signals := catchSignals() // before anything else
	executable, err := os.Executable()
	if err != nil {
		executable = os.Args[0]
	}
	args, helpAll := takeHelpAll(withImpliedMode(os.Args, os.Getenv))
	env := environment{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, environ: os.Environ(), executable: executable,
		signals: signals, helpAll: helpAll}
	line := inOrder(newApp(env), args)
	args, env.flags, env.given, env.implied = line.args, line.flags, line.given, line.implied
	env.invalid = settleVariables(newApp(env), args[1:])
	err = newApp(env).Run(args)
	if err != nil && err.Error() != "" {
		last := logs.NewConsole(os.Stderr)                                               // which may be a terminal that is stopped
		fmt.Fprintf(last, "sync-sidecar: %s\n", printable.Indented(err.Error(), "    ")) // it may quote what others said
		if exitCode(err) > exitSignal {                                                  // somebody wants it to end
			last.Close(hurryTimeout)
		} else {
			last.Close(closeTimeout)
		}
	}
	return exitCode(err)
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
