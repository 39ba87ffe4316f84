// Package process carries out a plan without containers: init, the connector behind the shim, and the sidecar are processes of this machine, all by
// the same binary, over named pipes in a temporary folder that only its owner can enter.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
)

// Runner carries out tasks as local processes.
type Runner struct {
	// Binary is the running program, started again for each mode.
	Binary string
	// Environ is what the processes inherit, as KEY=VALUE. The connector does not get the sidecar's settings out of it.
	Environ []string
	// TempDir is where the pipes and files of a run are; empty is the system's.
	TempDir string
	// Keep leaves the temporary folder when the run is over.
	Keep bool
}

// Run carries out the task. The error is about this machine and means that the outcome has no verdict; how the connector and the sidecar fared is in
// the outcome. When Run returns, everything it started is gone, unless Keep was chosen.
func (r *Runner) Run(ctx context.Context, task runner.Task, watch runner.Watch) (outcome runner.Outcome, err error) {
	watch = watch.Serial()
	if err := r.sweep(); err != nil {
		return runner.Outcome{}, err
	}
	if err := tryFolder(ctx, task); err != nil {
		return runner.Outcome{}, err
	}
	temp, err := os.MkdirTemp(r.TempDir, tempPattern())
	if err != nil {
		return runner.Outcome{}, fmt.Errorf("make a folder for the pipes: %w", err)
	}
	defer func() {
		if r.Keep {
			watch.Event(runner.Note("INFO", "kept: "+temp))
			return
		}
		err = errors.Join(err, os.RemoveAll(temp))
	}()
	plan := runner.NewPlan(task, runner.Layout{Shared: filepath.Join(temp, "shared"), Private: filepath.Join(temp, "private"), LocalDir: task.LocalDir})
	if err := write(plan); err != nil {
		return runner.Outcome{}, err
	}
	session := &session{runner: r, plan: plan, watch: watch}
	return session.run(ctx)
}

// tryFolder makes the folder, and says who reads into it before anything is started. The sidecar will lock the folder for itself.
func tryFolder(ctx context.Context, task runner.Task) error {
	if err := os.MkdirAll(task.Folder(), 0o755); err != nil {
		return fmt.Errorf("make --local-dir: %w", err)
	}
	if task.Command != sidecar.CommandRead {
		return nil
	}
	claim, err := incoming.ClaimFolder(ctx, task.LocalDir, task.SyncID, task.TaskID)
	if err != nil {
		return err
	}
	return claim.Release(ctx)
}

// write makes the dirs and files of a plan. What they are protected by is the temporary folder above them.
func write(plan runner.Plan) error {
	for _, dir := range plan.Dirs {
		if err := os.MkdirAll(dir.Path, dir.Mode); err != nil {
			return fmt.Errorf("make a folder for the run: %w", err)
		}
	}
	for _, file := range plan.Files {
		if err := os.WriteFile(file.Path, file.Content, file.Mode); err != nil {
			return fmt.Errorf("write a file for the run: %w", err)
		}
	}
	return nil
}

// environ is what a process inherits, with the step's own variables after it, where they win.
func (r *Runner) environ(task runner.Task, step runner.Step, forConnector bool) []string {
	var env []string
	for _, pair := range r.Environ {
		name, _, _ := strings.Cut(pair, "=")
		// Settings in the caller's environment are in the plan already; secrets among them must not reach the connector (I5).
		if base := strings.TrimSuffix(name, "_FILE"); task.IsSecret(base) || (forConnector && isSetting(name)) {
			continue
		}
		env = append(env, pair)
	}
	return append(env, step.Env...)
}

// isSetting names variables of ours that would confuse a connector that is itself a runner of something.
func isSetting(name string) bool {
	switch name {
	case "COMMAND", "CONFIG_FILE", "CATALOG_FILE", "STATE_FILE", "SYNC_ID", "TASK_ID", "STORAGE_KEY", "STARTED_AT", "LOCAL_DIR", "SPOOL_DIR":
		return true
	}
	return false
}

// sweep removes the folders of runs that were killed, since a config may hold secrets.
func (r *Runner) sweep() error {
	found, err := r.Leftovers()
	problems := []error{err}
	for _, folder := range found {
		problems = append(problems, os.RemoveAll(folder))
	}
	return errors.Join(problems...)
}

// tempDir is where temporary folders are made.
func (r *Runner) tempDir() string {
	if r.TempDir == "" {
		return os.TempDir()
	}
	return r.TempDir
}
