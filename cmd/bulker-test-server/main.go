// Command bulker-test-server answers as Bulker does and keeps what it commits: for tests and benchmarks that need a process to measure, kill and
// start again. What it imitates stands in package bulkertest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := bulkertest.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	default:
		fmt.Fprintln(os.Stderr, "bulker-test-server:", err)
		return 2
	}
}
