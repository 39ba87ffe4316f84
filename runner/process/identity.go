package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"sync-sidecar/runner"
)

// Identify implements runner.Identifier: the program and those of its arguments that are files, as they are now.
func (r *Runner) Identify(_ context.Context, task runner.Task, _ runner.Watch) (string, error) {
	var identity strings.Builder
	for i, word := range task.Program {
		path := word
		if i == 0 {
			found, err := exec.LookPath(word)
			if err != nil {
				return "", nil //nolint:nilerr // whoever runs it says so
			}
			path = found
		}
		fmt.Fprintf(&identity, "%q", word)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(&identity, " %d %d", info.Size(), info.ModTime().UnixNano())
		}
		identity.WriteByte('\n')
	}
	return identity.String(), nil
}
