package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/shlex"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/secret"
)

// question is what a connector is asked apart from a task, with an answer that is kept nowhere.
type question struct {
	image   string
	program []string // of a local connector, in place of the image
	syncID  string
	command sidecar.Command // not read
	config  []byte
	env     []string // of the connector
}

// ask runs the connector and returns its answer. The masker learns the secrets of the question.
func (m *runMode) ask(ctx context.Context, q question, masker *secret.Masker) (_ json.RawMessage, err error) {
	folder, err := os.MkdirTemp(m.env.getenv("TMPDIR"), ".sync-sidecar-ask-")
	if err != nil {
		return nil, withCode(exitEnvironment, fmt.Errorf("make a folder for %s: %w", q.command, err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	masker.Add(secret.FromConfig(q.config, nil)...)
	masker.Add(secret.FromEnv(q.env)...)
	now := time.Now()
	task := runner.Task{Command: q.command, SyncID: q.syncID, TaskID: newTaskID(now), StartedAt: now, Image: q.image, Program: q.program,
		Config: q.config, ConnectorEnv: q.env, LocalDir: folder, Settings: map[string]string{}, Grace: 10 * time.Second}
	if task.CA, err = certificates(m.cli.String("ca")); err != nil {
		return nil, withCode(exitUsage, err)
	}
	engine, closeEngine, err := m.engine(ctx, task)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeEngine()) }()
	view := console.NewView(m.env.stderr, m.shown())
	outcome, err := runner.Run(ctx, engine, task, runner.Selection{}, runner.Watch{Event: hiding(masker, view.Event), Stop: ctx.Done()})
	view.End(flushTimeout)
	view.Close(closeTimeout)
	if failed := (*runner.Error)(nil); errors.As(err, &failed) {
		return nil, withCode(failed.Code, err)
	}
	if code := outcome.ExitCode(); code != exitOK {
		return nil, withCode(code, fmt.Errorf("%s failed: %s", q.command, outcome.Cause()))
	}
	return outcome.Report.Result, nil
}

// connector is the image, or the local program, that the flags and the argument name.
func (m *runMode) connector() (image string, program []string, err error) {
	task := runner.Task{Image: m.cli.String("image")}
	problem := m.positional(&task)
	program, err = shlex.Split(m.cli.String("exec"))
	if err != nil {
		err = fmt.Errorf("--exec %q: %w", m.cli.String("exec"), err)
	}
	if err = errors.Join(problem, err); err == nil && (task.Image == "") == (len(program) == 0) {
		err = errors.New("give the connector either as an image (--image) or as a local program (--exec)")
	}
	return task.Image, program, err
}
