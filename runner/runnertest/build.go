// Package runnertest builds the project's own programs for tests: what runs in a container or under a signal has to be the real binary.
package runnertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs are freshly built binaries, static as in the image.
type Programs struct {
	Sidecar string // cmd/sync-sidecar
	Demo    string // cmd/source-demo
	dir     string
}

// Build builds them into a temporary folder, which Remove removes. It is meant for TestMain.
func Build() (*Programs, error) {
	dir, err := os.MkdirTemp("", "runnertest-")
	if err != nil {
		return nil, err
	}
	programs := &Programs{Sidecar: filepath.Join(dir, "sync-sidecar"), Demo: filepath.Join(dir, "source-demo"), dir: dir}
	build := exec.Command("go", "build", "-trimpath", "-o", dir, "sync-sidecar/cmd/sync-sidecar", "sync-sidecar/cmd/source-demo")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the programs under test: %w\n%s", err, output)
	}
	return programs, nil
}

// Remove removes the programs.
func (p *Programs) Remove() error { return os.RemoveAll(p.dir) }
