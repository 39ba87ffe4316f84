package main

import (
	"bytes"
	"fmt"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// dryRun says what the task would create and start.
func (m *runMode) dryRun(task runner.Task) error {
	engine, closeEngine, err := m.engine(m.cli.Context, task)
	if err != nil {
		return err
	}
	describer, able := engine.(runner.Describer)
	if !able {
		return withCode(exitUsage, fmt.Errorf("--dry-run knows Docker and local programs; `sync-sidecar manifest` prints what runs in a cluster"))
	}
	var text bytes.Buffer
	if m.selection().CheckConfig && task.Config != nil {
		text.WriteString("spec           asked for before, in the same way, unless the answer is remembered: the configuration is checked against it\n")
	}
	if m.command == sidecar.CommandRead && task.Catalog == nil {
		text.WriteString("streams        none is named by a catalog: a discover comes before, in the same way, unless its answer is remembered\n")
		task.Catalog = []byte("{}")
	}
	if err := describer.Describe(m.cli.Context, task, &text); err != nil {
		return withCode(exitEnvironment, err)
	}
	if err := closeEngine(); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("leave the Docker Engine: %w", err))
	}
	if _, err := m.env.stdout.Write(text.Bytes()); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write the result: %w", err))
	}
	return nil
}
