// Command source-demo is a small genuine Airbyte source: three related streams of deterministic rows, every message type of the protocol, and faults
// on request. It is what the quick start reads, and the actor that the tests of the sidecar put on stage, so it shares no code with it.
//
// It behaves as a source of the Python CDK does: STARTED, RUNNING at the first record, records and states, a last STATE, COMPLETE; a failed check
// exits 0; a stream that does not exist is INCOMPLETE; an error is a TRACE of its stream and then a general one, exit 1.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Exit codes. A fault may ask for any other.
const (
	exitOK     = 0
	exitFailed = 1 // as the Python CDK: an error trace was written
	exitUsage  = 2 // as Python's argparse
	exitSignal = 128
)

// world is what the source knows of the process it runs in; tests replace it.
type world struct {
	stdout  io.WriteCloser
	stderr  io.WriteCloser
	signals <-chan os.Signal
	now     func() time.Time
	// specConfig is the config of spec, which takes no --config; "" is the default one. It exists for the faults of spec.
	specConfig string
	// logLevel is LOG_LEVEL.
	logLevel string
	// kill sends a signal to the process itself.
	kill func(syscall.Signal) error
	// spawnHolder starts a process that keeps stdout and stderr open for so long.
	spawnHolder func(time.Duration) error
}

func main() { os.Exit(run(os.Args[1:])) }

// run is main without os.Exit, so that defers happen.
func run(args []string) int {
	if len(args) == 2 && args[0] == holdCommand {
		return hold(args[1])
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	// Without this a reader that goes away ends a Go program silently; a source says why it stopped.
	signal.Ignore(syscall.SIGPIPE)
	return execute(args, world{
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		signals:     signals,
		now:         time.Now,
		specConfig:  os.Getenv("SOURCE_DEMO_SPEC_CONFIG"),
		logLevel:    os.Getenv("LOG_LEVEL"),
		kill:        func(s syscall.Signal) error { return syscall.Kill(os.Getpid(), s) },
		spawnHolder: spawnHolder,
	})
}

// holdCommand is how the source starts itself as the grandchild that keeps the pipes open.
const holdCommand = "hold-pipes"

// hold keeps the inherited stdout and stderr open for the given time.
func hold(duration string) int {
	d, err := time.ParseDuration(duration)
	if err != nil {
		fmt.Fprintf(os.Stderr, "source-demo: %s: %v\n", holdCommand, err)
		return exitUsage
	}
	<-time.After(d)
	return exitOK
}

// spawnHolder starts hold in a session of its own, so that signals to the source's process group do not reach it, and lets go of it: to outlive the
// source is what it is for.
func spawnHolder(d time.Duration) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	child := exec.CommandContext(context.Background(), executable, holdCommand, strconv.FormatInt(d.Milliseconds(), 10)+"ms")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start grandchild: %w", err)
	}
	return child.Process.Release()
}
