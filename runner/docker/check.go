package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"sync-sidecar/runner"
)

// Machine is what is known of the Engine's machine.
type Machine struct {
	Host         string // where the Engine answers
	Version      string
	Architecture string // as images name it
	Rootless     bool
	// Ahead is by how much its clock is ahead of this machine's; negative when it is behind. Known to half the time that the answer took.
	Ahead time.Duration
}

// Machine asks the Engine about its machine.
func (r *Runner) Machine(ctx context.Context) (Machine, error) {
	asked := time.Now()
	info, err := r.engine.Info(ctx)
	if err != nil {
		return Machine{}, fmt.Errorf("ask the Engine about its machine: %w", err)
	}
	m := Machine{Host: r.engine.DaemonHost(), Version: info.ServerVersion, Architecture: goArchitecture(info.Architecture)}
	for _, option := range info.SecurityOptions {
		m.Rootless = m.Rootless || option == "name=rootless"
	}
	if there, err := time.Parse(time.RFC3339Nano, info.SystemTime); err == nil {
		m.Ahead = there.Sub(asked.Add(time.Since(asked) / 2))
	}
	return m, nil
}

// Sidecar makes sure that the Engine has the sidecar's image, as a run does, and names it.
func (r *Runner) Sidecar(ctx context.Context) (string, error) {
	return r.ensureSidecar(ctx, func(runner.Event) {})
}

// Connector looks at an image as a run would: the program that it starts, and what is to be said of it. An image that is not there is no error.
func (r *Runner) Connector(ctx context.Context, name string) (entrypoint []string, notes []string, err error) {
	note := func(event runner.Event) { notes = append(notes, event.Log.Message) }
	found, err := r.engine.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) && r.options.Pull == PullNever {
		return nil, nil, fmt.Errorf("the Engine has no image %s, and --pull never forbids to fetch it", name)
	}
	if errdefs.IsNotFound(err) {
		return nil, []string{"the Engine has no image " + name + ": a run pulls it"}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look for image %s: %w", name, err)
	}
	p := &pod{entrypoint: r.options.Entrypoint}
	err = r.noteConnector(ctx, p, name, found, note)
	return p.entrypoint, notes, err
}

// Try runs a task from end to end and says whether the Engine sees the caller's folder.
func (r *Runner) Try(ctx context.Context, task runner.Task) (mounted bool, err error) {
	outcome, err := r.Run(ctx, task, runner.Watch{Event: func(event runner.Event) {
		mounted = mounted || event.Report == nil && strings.HasSuffix(event.Log.Message, folderMounted)
	}})
	if err == nil && outcome.ExitCode() != 0 {
		err = errors.New(outcome.Cause())
	}
	return mounted, err
}
