package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sync-sidecar/runner"
	"sync-sidecar/runner/manifest"
	"sync-sidecar/sidecar"
)

// settleTimeout bounds one more Pod at the end of a run whose own Pods are gone.
const settleTimeout = 30 * time.Second

// unsettled says that a Pod came to its work and to no verdict: what it recorded of its task says that it still runs.
func (e shardEnd) unsettled() bool {
	return e.outcome.Sidecar.Started && e.outcome.Report.Status == "" && e.outcome.Refusal == ""
}

// settle records in Postgres that a read has ended whose Pod, or one of several, came to no verdict. That takes one more Pod, of our image alone:
// this machine may not reach the server. Should it fail, the next run of the sync does the same.
func (r *Runner) settle(ctx context.Context, task runner.Task, watch runner.Watch) {
	if ctx.Err() != nil || task.Command != sidecar.CommandRead || !task.JournalAtServer {
		return
	}
	status := sidecar.StatusFailed
	if stopped(ctx, watch) {
		status = sidecar.StatusCancelled
	}
	if err := r.runSettler(ctx, task, status, watch); err != nil {
		watch.Event(runner.Note("WARN", fmt.Sprintf("the task may stay RUNNING in Postgres until the next run: %v", err)))
	}
}

func (r *Runner) runSettler(ctx context.Context, task runner.Task, status sidecar.Status, watch runner.Watch) (err error) {
	objects, err := r.render(task, "-settle")
	if err != nil {
		return err
	}
	options := r.options
	options.Keep = false
	p := &pod{client: r.client, options: options, plan: runner.NewPlan(task, manifest.Layout()), watch: watch, object: objects.Pod,
		secret: objects.Secret}
	spec := &p.object.Spec
	at := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == manifest.ContainerSidecar })
	if at < 0 {
		return errors.New("the Pod has no sidecar")
	}
	worker := spec.Containers[at]
	worker.Args, worker.Ports, worker.ReadinessProbe, worker.LivenessProbe = []string{"in-pod", "settle", "--status", string(status)}, nil, nil, nil
	spec.InitContainers, spec.Containers = nil, []corev1.Container{worker}

	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("a Pod that records the end did not end within %s", settleTimeout))
	defer cancel()
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		err = errors.Join(err, p.remove(cleanup))
	}()
	if err := p.make(ctx); err != nil {
		return err
	}
	for {
		found, err := p.observe(ctx)
		if err != nil {
			return err
		}
		if ended := stateOf(found, worker.Name).Terminated; ended != nil {
			return p.settled(ctx, worker.Name, ended)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// settled is the error that the Pod ended with.
func (p *pod) settled(ctx context.Context, container string, ended *corev1.ContainerStateTerminated) error {
	if ended.ExitCode == 0 {
		return nil
	}
	var said []string
	err := p.tail(ctx, p.object.Name, container, shimLines, func(line []byte) { said = append(said, strings.TrimSpace(string(line))) })
	return errors.Join(fmt.Errorf("exit code %d: %s", ended.ExitCode, strings.Join(said, " ")), err)
}
