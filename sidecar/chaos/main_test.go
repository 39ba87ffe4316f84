package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// programs is the folder of the real programs, built once for all tests.
func programs(t testing.TB) string {
	t.Helper()
	return os.Getenv(programsVariable)
}

// programsVariable hands the folder from TestMain to the tests.
const programsVariable = "CHAOS_PROGRAMS"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		return 0 // every test here takes its time, and most need Postgres
	}
	dir, err := os.MkdirTemp("", "chaos-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command(
		"go",
		"build",
		"-o",
		dir+string(filepath.Separator),
		"../../cmd/sync-sidecar",
		"../../cmd/source-demo",
		"../../cmd/bulker-test-server",
	)
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the programs: %v\n%s", err, output)
		return 1
	}
	if err := os.Setenv(programsVariable, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
