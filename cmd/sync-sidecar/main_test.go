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

// built are the programs as they are shipped, for tests of a whole process: signals, exit codes, what goes to which stream.
var built = sync.OnceValues(runnertest.Build)

// withPostgres runs the tests with one Postgres server for all of them.
type withPostgres struct{ *testing.M }

// Run is what goleak calls.
func (m withPostgres) Run() int { return postgrestest.Main(m.M) }

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withPostgres{m}, goleak.Cleanup(func(code int) {
		programs, err := built()
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
