package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sync-sidecar/runner"
	"sync-sidecar/runner/manifest"
)

// How many lines are read of the log of an init step, and of the connector's container, where there are none but the shim's.
const (
	initLines = 20
	shimLines = 5
)

// start makes the Pod and waits until the connector and the sidecar have started. A failed init step is an outcome with its exit code and its words,
// as if the sidecar had ended so.
func (p *pod) start(ctx context.Context) (runner.Outcome, error) {
	if err := p.make(ctx); err != nil {
		return runner.Outcome{}, err
	}
	wait := &patience{limit: p.options.StartTimeout, note: func(text string) { p.watch.Event(runner.Note("INFO", text)) }}
	uploaded := false
	for {
		found, err := p.observe(ctx)
		if err != nil {
			return runner.Outcome{}, err
		}
		if !uploaded && stateOf(found, containerFiles).Running != nil {
			if err := p.upload(ctx); err != nil {
				return runner.Outcome{}, err
			}
			uploaded = true
		}
		for _, status := range found.Status.InitContainerStatuses {
			if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
				return p.failedInit(ctx, status.Name, ended)
			}
		}
		if started(stateOf(found, manifest.ContainerSource)) && started(stateOf(found, manifest.ContainerSidecar)) {
			return runner.Outcome{}, nil
		}
		if err := errors.Join(taken(found), wait.look(found, time.Now())); err != nil {
			return runner.Outcome{}, err
		}
		if err := pause(ctx); err != nil {
			return runner.Outcome{}, err
		}
	}
}

// patience decides how long a Pod may stand still.
type patience struct {
	limit    time.Duration
	note     func(string)
	progress string // what was seen of the containers
	moved    time.Time
	told     string
	failing  time.Time // since when a container fails to start
}

// look takes a look at the Pod. The error says what it waits for in vain.
func (w *patience) look(pod *corev1.Pod, now time.Time) error {
	if progress := progressOf(pod); progress != w.progress || w.moved.IsZero() {
		w.progress, w.moved = progress, now
	}
	found := obstacleOf(pod)
	if !found.failing() {
		w.failing = time.Time{}
	} else if w.failing.IsZero() {
		w.failing = now
	}
	switch {
	case found.final, !w.failing.IsZero() && now.Sub(w.failing) > stuckFor:
		return errors.New(found.text)
	case now.Sub(w.moved) > w.limit:
		if found.text == "" {
			found.text = "nothing says why; `kubectl describe pod " + pod.Name + "` may"
		}
		return fmt.Errorf("the Pod has not started within %s (--start-timeout): %s", w.limit, found.text)
	}
	if found.text != "" && found.text != w.told {
		w.told = found.text
		w.note("waiting: " + found.text)
	}
	return nil
}

// progressOf changes whenever a container starts or ends.
func progressOf(pod *corev1.Pod) string {
	var text strings.Builder
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			fmt.Fprint(&text, status.State.Running != nil, status.State.Terminated != nil)
		}
	}
	return pod.Spec.NodeName + text.String()
}

func (p *pod) failedInit(ctx context.Context, container string, ended *corev1.ContainerStateTerminated) (runner.Outcome, error) {
	collector, outcome := runner.NewCollector(p.plan, p.watch), runner.Outcome{Sidecar: p.exitOf(container, ended)}
	err := p.tail(ctx, p.object.Name, container, initLines, collector.Line)
	collector.Tell(&outcome)
	return outcome, err
}

// finish follows the connector and the sidecar to their ends.
func (p *pod) finish(ctx context.Context) (runner.Outcome, error) {
	collect, gone, followed := runner.NewCollector(p.plan, p.watch), make(chan struct{}), make(chan error, 1)
	following, end := context.WithCancelCause(ctx)
	var reaching sync.WaitGroup
	defer func() {
		end(nil)
		reaching.Wait()
	}()
	reaching.Go(func() {
		if err := p.reach(following, gone); err != nil {
			end(err)
		}
	})
	go func() { followed <- p.follow(following, p.object.Name, manifest.ContainerSidecar, gone, collect.Line) }()
	outcome, err := p.attend(following, collect, gone)
	if err != nil {
		end(err)
	}
	if broken := <-followed; err == nil && (broken != nil || !collect.Concluded()) {
		collect = runner.NewCollector(p.plan, runner.Watch{}.Serial()) // what was shown is not shown again
		ended := make(chan struct{})
		close(ended)
		err = p.follow(ctx, p.object.Name, manifest.ContainerSidecar, ended, collect.Line)
	}
	collect.Tell(&outcome)
	if err != nil {
		return outcome, err
	}
	if outcome.Connector.Code != 0 {
		var lines []string
		err := p.tail(ctx, p.object.Name, manifest.ContainerSource, shimLines, func(line []byte) { lines = append(lines, strings.TrimSpace(string(line))) })
		if err != nil {
			return outcome, err
		}
		outcome.ConnectorEnded(lines)
	}
	return outcome, nil
}

// attend waits for both ends, ends one when the other has ended for good, and obeys Stop. It closes gone when the sidecar has ended.
func (p *pod) attend(ctx context.Context, collect *runner.Collector, gone chan struct{}) (runner.Outcome, error) {
	outcome := runner.Outcome{Sidecar: runner.Exit{Started: true}}
	source, worker := &containerEnd{name: manifest.ContainerSource}, &containerEnd{name: manifest.ContainerSidecar}
	defer func() {
		if !worker.ended {
			close(gone)
		}
	}()
	stop := p.watch.Stop
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		found, err := p.observe(ctx)
		if err != nil {
			return outcome, err
		}
		if !source.ended && p.noteEnd(found, source) {
			outcome.Connector = source.exit
		}
		if !worker.ended && p.noteEnd(found, worker) {
			outcome.Sidecar = worker.exit
			close(gone)
		}
		outcome.Connector.Stopped = source.stopping
		switch cut := taken(found); {
		case source.ended && worker.ended:
			return outcome, nil
		case cut != nil && found.Status.Phase == corev1.PodFailed:
			return outcome, cut
		case worker.ended && !source.stopping: // nobody reads the pipes any more
			if err := p.end(ctx, source, p.plan.Task.Grace); err != nil {
				return outcome, err
			}
		}
		if err := errors.Join(p.overdue(ctx, source), p.overdue(ctx, worker)); err != nil {
			return outcome, err
		}
		select {
		case <-stop:
			stop = nil
			collect.Forget()
			if err := p.end(ctx, worker, p.plan.Task.SidecarGrace()); err != nil {
				return outcome, err
			}
			collect.Answer(gone)
			if err := p.end(ctx, source, p.plan.Task.Grace); err != nil {
				return outcome, err
			}
		case <-ticker.C:
		case <-ctx.Done():
			return outcome, context.Cause(ctx)
		}
	}
}

// containerEnd is one of the two long-running containers on its way to its end.
type containerEnd struct {
	name     string
	ended    bool
	exit     runner.Exit
	stopping bool      // it was told to end
	deadline time.Time // until then, once it was told; the zero value when it was killed already
}

// noteEnd says whether the container has ended by now.
func (p *pod) noteEnd(found *corev1.Pod, c *containerEnd) bool {
	ended := stateOf(found, c.name).Terminated
	if ended == nil {
		return false
	}
	c.ended, c.exit = true, p.exitOf(c.name, ended)
	return true
}

// end tells a container to end, by SIGTERM to its first process. Deleting the Pod would end both at once, and the sidecar would take the connector's
// end for a failure.
func (p *pod) end(ctx context.Context, c *containerEnd, grace time.Duration) error {
	c.stopping, c.deadline = true, time.Now().Add(grace)
	if c.ended {
		return nil
	}
	return p.signal(ctx, c, "TERM")
}

// The API server learns later than the kubelet that a container has ended: so often, and so long after a signal that failed, it is asked.
const (
	looksAfterSignal = 10
	betweenLooks     = 500 * time.Millisecond
)

// signal signals a container. One that has ended meanwhile is no error: the next look tells.
func (p *pod) signal(ctx context.Context, c *containerEnd, name string) error {
	err := p.run(ctx, c.name, nil, nil, "signal", name)
	if err == nil || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for range looksAfterSignal {
		if found, look := p.observe(ctx); look != nil || stateOf(found, c.name).Running == nil {
			return nil //nolint:nilerr // see above
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(betweenLooks):
		}
	}
	return fmt.Errorf("stop container %s: %w", c.name, err)
}

// overdue kills a container that has not ended in its time. The sidecar is the first process of its own container, which only the kubelet can kill,
// and does with the whole Pod.
func (p *pod) overdue(ctx context.Context, c *containerEnd) error {
	if c.ended || c.deadline.IsZero() || time.Now().Before(c.deadline) {
		return nil
	}
	c.deadline = time.Time{}
	if c.name == manifest.ContainerSidecar {
		return errors.New("the sidecar did not end in its time: the Pod is removed")
	}
	return p.signal(ctx, c, "KILL")
}
