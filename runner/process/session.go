package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sync-sidecar/runner"
)

// session is one run: its processes by role.
type session struct {
	runner *Runner
	plan   runner.Plan
	watch  runner.Watch
}

// process is a child of ours and its stderr.
type process struct {
	role    string
	command *exec.Cmd
	drained sync.WaitGroup // the reader of its stderr
	ended   chan struct{}  // closed at its end
	thread  sync.WaitGroup // that it was started on
}

const (
	roleInit      = "init"
	roleConnector = "connector"
	roleSidecar   = "sidecar"
)

// start starts a process in a group of its own: Ctrl-C on a terminal reaches every process of the foreground group, and who is stopped when is ours
// to decide. Each line of its stderr goes to line.
func (s *session) start(role string, args, env []string, line func([]byte)) (*process, error) {
	// Not CommandContext: it kills at once when the context ends, and only the process itself.
	command := exec.Command(s.runner.Binary, args...) //nolint:noctx // see above
	command.Env = env
	command.SysProcAttr = ownGroup()
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	command.Stderr = writer
	started := &process{role: role, command: command, ended: make(chan struct{})}
	if err := started.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the %s: %w", role, err), reader.Close(), writer.Close())
	}
	started.drained.Go(func() {
		runner.EachLine(reader, line)
		_ = reader.Close() // opened for reading
	})
	if err := writer.Close(); err != nil {
		return started, fmt.Errorf("start the %s: %w", role, err)
	}
	return started, nil
}

// begin starts the command on a thread that lives as long as the process: the kernel takes the end of that thread for our own (see ownGroup).
func (p *process) begin() error {
	began := make(chan error, 1)
	p.thread.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.command.Start()
		began <- err
		if err == nil {
			<-p.ended
		}
	})
	return <-began
}

// wait returns when the process has ended and its last line was passed on. The stderr is only the mode's own: a connector has pipes of its own, so
// that no descendant of it can keep this one open.
func (p *process) wait() runner.Exit {
	err := p.command.Wait()
	close(p.ended)
	p.thread.Wait()
	exit := runner.Exit{Started: true, Code: p.command.ProcessState.ExitCode()}
	if status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Code = 128 + int(status.Signal())
	}
	if exited := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exited) {
		exit.Message = err.Error()
	}
	p.drained.Wait()
	return exit
}

// signal sends a signal to the process alone: shim and sidecar know what to do with it. One that has ended has nothing to be told.
func (p *process) signal(number syscall.Signal) {
	_ = p.command.Process.Signal(number) //nolint:errcheck // see above
}

// run runs init, then the connector and the sidecar to their ends.
func (s *session) run(ctx context.Context) (runner.Outcome, error) {
	setup, release := s.watch.UntilStop(ctx)
	defer release()
	if outcome, err := s.runInit(setup); err != nil || outcome.Sidecar.Code != 0 {
		return outcome, err
	}
	args := append([]string{"exec", "--"}, s.plan.Task.Program...)
	env := s.runner.environ(s.plan.Task, s.plan.Connector, true)
	var said []string // by the shim, once the connector has ended
	connector, err := s.start(roleConnector, append(args, s.plan.Connector.Args...), env, func(line []byte) { said = append(said, string(line)) })
	if err != nil {
		return runner.Outcome{}, s.abandon(err, connector)
	}
	collector := runner.NewCollector(s.plan, s.watch)
	sidecar, err := s.start(roleSidecar, s.plan.Sidecar.Args, s.runner.environ(s.plan.Task, s.plan.Sidecar, false), collector.Line)
	if err != nil {
		return runner.Outcome{}, s.abandon(err, sidecar, connector)
	}
	outcome, err := s.attend(ctx, connector, sidecar, collector)
	outcome.ConnectorEnded(said)
	collector.Tell(&outcome)
	return outcome, err
}

// abandon ends what was started before the error.
func (s *session) abandon(err error, processes ...*process) error {
	for _, p := range processes {
		if p != nil {
			p.signal(syscall.SIGKILL)
			p.wait()
		}
	}
	return err
}

// runInit runs init; a failure of it is an outcome with its exit code and its words, as if the sidecar had ended so.
func (s *session) runInit(ctx context.Context) (runner.Outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.plan.InitTimeout, fmt.Errorf("init did not end within %s", s.plan.InitTimeout))
	defer cancel()
	collector := runner.NewCollector(s.plan, s.watch)
	init, err := s.start(roleInit, s.plan.Init.Args, s.runner.environ(s.plan.Task, s.plan.Init, false), collector.Line)
	if err != nil {
		return runner.Outcome{}, s.abandon(err, init)
	}
	stop := context.AfterFunc(ctx, func() { init.signal(syscall.SIGKILL) })
	exit := init.wait()
	if !stop() {
		return runner.Outcome{}, context.Cause(ctx)
	}
	if exit.Code == 0 {
		return runner.Outcome{}, nil
	}
	outcome := runner.Outcome{Sidecar: exit}
	collector.Tell(&outcome)
	return outcome, nil
}

// attend waits for both, ends one when the other has ended for good, and obeys Stop and the end of ctx.
func (s *session) attend(ctx context.Context, connector, sidecar *process, collector *runner.Collector) (runner.Outcome, error) {
	var outcome runner.Outcome
	connectorEnded, sidecarEnded := make(chan runner.Exit, 1), make(chan runner.Exit, 1)
	go func() { connectorEnded <- connector.wait() }()
	sidecarGone := make(chan struct{})
	go func() {
		sidecarEnded <- sidecar.wait()
		close(sidecarGone)
	}()
	watching, unwatch := context.WithCancel(ctx)
	var using sync.WaitGroup
	defer using.Wait()
	defer unwatch()
	if s.watch.Usage && s.plan.Task.Command == sidecarRead {
		using.Go(func() { usage(watching, connector.command.Process.Pid, s.watch.Event) })
	}
	stop, done := s.watch.Stop, ctx.Done()
	var killConnector, killSidecar <-chan time.Time
	for connectorEnded != nil || sidecarEnded != nil {
		select {
		case exit := <-connectorEnded:
			exit.Stopped = outcome.Connector.Stopped
			outcome.Connector = exit
			connectorEnded, killConnector = nil, nil
			s.wakeSidecar()
		case outcome.Sidecar = <-sidecarEnded:
			sidecarEnded, killSidecar = nil, nil
			if connectorEnded != nil { // nobody reads the pipes any more
				outcome.Connector.Stopped = true
				connector.signal(syscall.SIGTERM)
				killConnector = time.After(s.plan.Task.Grace)
			}
		case <-stop:
			stop, outcome.Connector.Stopped = nil, true
			collector.Forget()
			sidecar.signal(syscall.SIGTERM)
			collector.Answer(sidecarGone)
			connector.signal(syscall.SIGTERM)
			killConnector, killSidecar = time.After(s.plan.Task.Grace), time.After(s.plan.Task.SidecarGrace())
		case <-killConnector:
			connector.signal(syscall.SIGKILL)
		case <-killSidecar:
			sidecar.signal(syscall.SIGKILL)
		case <-done:
			done = nil
			connector.signal(syscall.SIGKILL)
			sidecar.signal(syscall.SIGKILL)
		}
	}
	return outcome, context.Cause(ctx)
}

// wakeSidecar opens and closes the writing ends once the connector is gone: a shim that was killed before it opened them would leave the sidecar
// waiting for them. While the sidecar has the pipes open already this changes nothing; before it has, its open succeeds and sees the end at once.
func (s *session) wakeSidecar() {
	for _, pair := range s.plan.Connector.Env {
		name, path, _ := strings.Cut(pair, "=")
		if name != "STDOUT_PIPE_FILE" && name != "STDERR_PIPE_FILE" {
			continue
		}
		// ENXIO says that there is no reader, who then has nothing to wait for.
		if fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			_ = unix.Close(fd)
		}
	}
}
