package main

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"sync-sidecar/runner/runnertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// build makes the programs as they are shipped, once.
var build = sync.OnceValues(runnertest.Build)

// built are the programs, for tests of a whole process: signals, exit codes, what goes to which stream. With -short such a test is skipped.
func built(t *testing.T) *runnertest.Programs {
	t.Helper()
	if testing.Short() {
		t.Skip("starts whole processes: -short")
	}
	programs, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

// withPostgres runs the tests with one Postgres server for all of them.
type withPostgres struct{ *testing.M }

// Run is what goleak calls.
func (m withPostgres) Run() int { return postgrestest.Main(m.M) }

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withPostgres{m}, goleak.Cleanup(func(code int) {
		if testing.Short() {
			os.Exit(code) // nothing was built
		}
		programs, err := build()
		if err == nil {
			err = programs.Remove()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
