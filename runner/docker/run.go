package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// shimLines and initLines are how many lines are read of the connector's container, where there are none but the shim's, and of init's.
const (
	shimLines = 5
	initLines = 20
)

// folderMounted is what is said of a folder that the sidecar works in.
const folderMounted = "it is mounted"

// ended is the end of one of the two long-running containers.
type ended struct {
	role string
	exit runner.Exit
	err  error
}

// start makes the pod, runs init, and starts the connector and the sidecar.
func (p *pod) start(ctx context.Context) (runner.Outcome, error) {
	outcome, err := p.begin(ctx)
	if p.folder.mounted != nil && !p.folder.mounted.answered() && ctx.Err() == nil {
		// The Engine does not see the folder, whatever it says. What is wrong beside that comes up again.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		if err := errors.Join(p.takeAway(cleanup), p.folder.share(ctx)); err != nil {
			return runner.Outcome{}, err
		}
		outcome, err = p.begin(ctx)
	}
	if p.folder.mounted != nil {
		p.watch.Event(runner.Note("DEBUG", "the Engine sees "+p.folder.dir+": "+folderMounted))
	} else {
		p.watch.Event(runner.Note("DEBUG", "the Engine does not see "+p.folder.dir+": the sidecar reaches it through the Engine"))
	}
	if err != nil || outcome.Sidecar.Code != 0 {
		return outcome, err
	}
	return runner.Outcome{}, p.startBoth(ctx)
}

// startBoth starts the connector and the sidecar, each of which waits for the other at the pipes. A sidecar whose connector cannot start is stopped,
// so that it records how it ended.
func (p *pod) startBoth(ctx context.Context) error {
	started := make(chan error, 1)
	go func() { started <- p.runner.engine.ContainerStart(ctx, p.name(roleSidecar), container.StartOptions{}) }()
	err := p.runner.engine.ContainerStart(ctx, p.name(roleConnector), container.StartOptions{})
	sidecarErr := <-started
	switch {
	case err != nil && sidecarErr == nil && ctx.Err() == nil:
		return errors.Join(fmt.Errorf("start the connector (image %s): %w", p.plan.Task.Image, err), p.stop(ctx, roleSidecar))
	case err != nil:
		return fmt.Errorf("start the connector (image %s): %w", p.plan.Task.Image, err)
	case sidecarErr != nil:
		return fmt.Errorf("start the sidecar (image %s): %w", p.sidecarImage, sidecarErr)
	}
	return nil
}

// begin makes the pod and runs init.
func (p *pod) begin(ctx context.Context) (runner.Outcome, error) {
	if err := p.make(ctx); err != nil {
		return runner.Outcome{}, err
	}
	return p.runInit(ctx)
}

// finish follows the connector and the sidecar to their ends, and brings what smoke has recorded.
func (p *pod) finish(ctx context.Context) (runner.Outcome, error) {
	outcome, err := p.attend(ctx)
	if err != nil {
		return outcome, err
	}
	if outcome.Connector.Code != 0 {
		var lines []string
		err := p.runner.tail(ctx, p.name(roleConnector), shimLines, func(line []byte) { lines = append(lines, strings.TrimSpace(string(line))) })
		if err != nil {
			return outcome, err
		}
		outcome.ConnectorEnded(lines)
	}
	if err := p.folder.download(ctx, p.runner.engine, p.name(roleSidecar), p.plan.Layout.LocalDir); err != nil {
		return outcome, err
	}
	return outcome, nil
}

// runInit runs the init container; a failure of it is an outcome with its exit code and its words, as if the sidecar had ended so.
func (p *pod) runInit(ctx context.Context) (runner.Outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.plan.InitTimeout, fmt.Errorf("init did not end within %s", p.plan.InitTimeout))
	defer cancel()
	if err := p.runner.engine.ContainerStart(ctx, p.name(roleInit), container.StartOptions{}); err != nil {
		return runner.Outcome{}, fmt.Errorf("start init (image %s): %w", p.sidecarImage, err)
	}
	exit, err := p.wait(ctx, roleInit)
	if err != nil {
		return runner.Outcome{}, err
	}
	if exit.Code == 0 {
		return runner.Outcome{}, nil
	}
	collector, outcome := runner.NewCollector(p.plan, p.watch), runner.Outcome{Sidecar: exit}
	err = p.runner.tail(ctx, p.name(roleInit), initLines, collector.Line)
	collector.Tell(&outcome)
	return outcome, err
}

// attend follows the sidecar and waits for both containers, ends one when the other has ended for good, and obeys Stop. All its goroutines have
// ended when it returns: they live by a context of their own, which ends with it.
func (p *pod) attend(ctx context.Context) (runner.Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	var outcome runner.Outcome
	ends := make(chan ended, 2)
	followed := make(chan error, 1)
	for _, role := range []string{roleConnector, roleSidecar} {
		go func() {
			exit, err := p.wait(ctx, role)
			ends <- ended{role, exit, err}
		}()
	}
	collect := runner.NewCollector(p.plan, p.watch)
	over := make(chan struct{})
	go func() { followed <- p.followAll(ctx, roleSidecar, collect.Line, over) }()
	var using sync.WaitGroup
	if p.watch.Usage && p.plan.Task.Command == sidecar.CommandRead {
		using.Go(func() { p.runner.usage(ctx, p.name(roleConnector), p.watch.Event) })
	}
	if p.folder.shared != nil {
		using.Go(func() { p.reach(ctx) })
	}
	defer using.Wait()

	problems := p.await(ctx, cancel, ends, collect, &outcome)
	if len(problems) > 0 {
		cancel()
	}
	// Without problems the sidecar is gone, so its log has an end.
	close(over)
	broken := <-followed
	if len(problems) == 0 && (broken != nil || !collect.Concluded()) {
		collect = runner.NewCollector(p.plan, runner.Watch{}.Serial()) // what was shown is not shown again
		broken = p.runner.all(ctx, p.name(roleSidecar), collect.Line)
	}
	cancel()
	problems = append(problems, broken)
	collect.Tell(&outcome)
	return outcome, errors.Join(problems...)
}

// await receives both ends. It returns without problems only when both containers have ended.
func (p *pod) await(ctx context.Context, cancel context.CancelFunc, ends <-chan ended, collect *runner.Collector, outcome *runner.Outcome) []error {
	var problems []error
	stop := p.watch.Stop
	stopping, sidecarGone := make(chan error, 3), make(chan struct{})
	pending, stops := 2, 0
	for pending > 0 || stops > 0 {
		select {
		case end := <-ends:
			pending--
			if end.err != nil {
				problems = append(problems, end.err)
				cancel()
				continue
			}
			if end.role == roleSidecar {
				outcome.Sidecar = end.exit
				close(sidecarGone)
				if pending > 0 { // nobody reads the pipes any more
					outcome.Connector.Stopped = true
					stops++
					go func() { stopping <- p.stop(ctx, roleConnector) }()
				}
				continue
			}
			end.exit.Stopped = outcome.Connector.Stopped
			outcome.Connector = end.exit
		case <-stop:
			stop, outcome.Connector.Stopped = nil, true
			stops += 2
			collect.Forget()
			go func() { stopping <- p.stop(ctx, roleSidecar) }()
			go func() {
				collect.Answer(sidecarGone)
				stopping <- p.stop(ctx, roleConnector)
			}()
		case err := <-stopping:
			stops--
			if err != nil && ctx.Err() == nil {
				problems = append(problems, err)
			}
		}
	}
	return problems
}

// stop ends a container by SIGTERM, and by SIGKILL after its grace.
func (p *pod) stop(ctx context.Context, role string) error {
	grace := p.plan.Task.Grace
	if role == roleSidecar {
		grace = p.plan.Task.SidecarGrace()
	}
	seconds := int(grace.Round(time.Second) / time.Second)
	if err := p.runner.engine.ContainerStop(ctx, p.name(role), container.StopOptions{Signal: "SIGTERM", Timeout: &seconds}); err != nil {
		return fmt.Errorf("stop the %s: %w", strings.ToLower(role), err)
	}
	return nil
}
