package process

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"sync-sidecar/runner"
)

// Describe writes what Run would start for a task, and starts nothing. Neither a secret nor a value for the connector's environment is among it.
func (r *Runner) Describe(_ context.Context, task runner.Task, out io.Writer) error {
	const temp = "<a temporary folder>"
	layout := runner.Layout{Shared: filepath.Join(temp, "shared"), Private: filepath.Join(temp, "private"), LocalDir: task.LocalDir}
	plan := runner.NewPlan(task, layout)
	var text strings.Builder
	fmt.Fprintf(&text, "connector  %s\n", strings.Join(task.Program, " "))
	fmt.Fprintf(&text, "folder     %s\n", task.Folder())
	for _, file := range plan.Files {
		fmt.Fprintf(&text, "file       %s (%d bytes)\n", file.Path, len(file.Content))
	}
	for _, step := range []struct {
		role string
		env  []string
		args []string
	}{
		{roleInit, plan.Init.Env, plan.Init.Args},
		{roleConnector, plan.Connector.Env, slices.Concat([]string{"exec", "--"}, task.Program, plan.Connector.Args)},
		{roleSidecar, plan.Sidecar.Env, plan.Sidecar.Args},
	} {
		fmt.Fprintf(&text, "\n# %s\n", step.role)
		for _, pair := range step.env {
			if name, _, _ := strings.Cut(pair, "="); slices.Contains(task.ConnectorEnv, pair) {
				pair = name + "=…"
			}
			text.WriteString(pair + " \\\n  ")
		}
		text.WriteString(r.Binary + " " + strings.Join(step.args, " ") + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// Leftovers are the temporary folders of runs that were killed.
func (r *Runner) Leftovers() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(r.tempDir(), tempPrefix()+"*"))
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	return slices.DeleteFunc(found, func(folder string) bool { return !isOrphan(folder) }), nil
}
