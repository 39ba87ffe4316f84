package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"sync-sidecar/runner"
)

// awayTimeout is how long an Engine may be away while containers run: one that is started again with live-restore, a network that breaks. What runs
// there goes on meanwhile. awayPause is between two questions.
const (
	awayTimeout = time.Minute
	awayPause   = 500 * time.Millisecond
)

// wait is how the container ended. The Engine's answer can get lost on a long wait (proxies cut idle connections), so the container itself is asked
// before giving up; "not-running" also answers for one that has ended already.
func (p *pod) wait(ctx context.Context, role string) (runner.Exit, error) {
	waitCtx, cancel := context.WithCancel(ctx)
	defer cancel() // the library's goroutine waits for a receiver until then
	for attempt := 0; ; attempt++ {
		var waitErr error
		answers, failures := p.runner.engine.ContainerWait(waitCtx, p.name(role), container.WaitConditionNotRunning)
		select {
		case <-answers:
		case waitErr = <-failures:
		}
		if ctx.Err() != nil {
			return runner.Exit{}, context.Cause(ctx)
		}
		inspected, err := p.inspect(ctx, role)
		if err != nil {
			return runner.Exit{}, fmt.Errorf("look at the container of the %s: %w", role, errors.Join(err, waitErr))
		}
		if state := inspected.State; state != nil && !state.Running {
			return runner.Exit{Started: true, Code: state.ExitCode, OOMKilled: state.OOMKilled, MemoryLimit: inspected.HostConfig.Memory,
				Message: state.Error}, nil
		}
		if !pause(ctx, time.Duration(min(attempt, 10))*100*time.Millisecond) {
			return runner.Exit{}, context.Cause(ctx)
		}
	}
}

// inspect looks at a container, for as long as awayTimeout when the Engine does not answer.
func (p *pod) inspect(ctx context.Context, role string) (container.InspectResponse, error) {
	for since := time.Now(); ; {
		inspected, err := p.runner.engine.ContainerInspect(ctx, p.name(role))
		switch {
		case err == nil || errdefs.IsNotFound(err) || errdefs.IsPermissionDenied(err) || errdefs.IsUnauthorized(err) || ctx.Err() != nil:
			return inspected, err
		case time.Since(since) >= awayTimeout:
			return inspected, fmt.Errorf("%w; what was started may run on: `sync-sidecar clean` finds it", err)
		}
		p.away.Do(func() {
			p.watch.Event(runner.Note("WARN", fmt.Sprintf("the Docker Engine does not answer; what was started may run on, and is waited for up to %s: %v",
				awayTimeout, err)))
		})
		if !pause(ctx, awayPause) {
			return inspected, context.Cause(ctx)
		}
	}
}

// followAll follows a container until it ends, with another stream when one breaks, unless that is over. Its error is that of the first one that
// broke: lines are missing then.
func (p *pod) followAll(ctx context.Context, role string, line func([]byte), over <-chan struct{}) error {
	broken := p.runner.follow(ctx, p.name(role), line)
	for err := broken; err != nil && !errdefs.IsNotFound(err); {
		select {
		case <-time.After(awayPause):
		case <-over:
			return broken
		case <-ctx.Done():
			return broken
		}
		err = p.runner.lines(ctx, p.name(role), container.LogsOptions{ShowStderr: true, Follow: true, Tail: "0"}, line)
	}
	return broken
}

// pause waits; false when ctx ends first.
func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
