package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sync-sidecar/sidecar/pipe"
)

// connector starts the connector, passes signals on to it and says how it ended. An error means that it never ran.
func (s *session) connector(ctx context.Context, pipes ends) (pipe.ExitStatus, error) {
	argv, err := Command(s.spec.Args, s.spec.Entrypoint, s.spec.Env)
	if err != nil {
		return pipe.ExitStatus{}, err
	}
	path, err := lookPath(argv[0], s.spec.Env)
	if err != nil {
		return pipe.ExitStatus{}, err
	}
	for _, file := range []*os.File{pipes.stdout, pipes.stderr} {
		if err := setBlocking(file); err != nil {
			return pipe.ExitStatus{}, fmt.Errorf("hand pipe %s to the connector: %w", file.Name(), err)
		}
	}
	// The connector is killed when the thread that started it ends, which must not be before the shim does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Files, not writers: os/exec would copy from a writer's pipe, and wait for its EOF as long as any grandchild keeps it open.
	command := &exec.Cmd{Path: path, Args: argv, Env: s.spec.Env, Stdout: pipes.stdout, Stderr: pipes.stderr, SysProcAttr: ownGroup()}
	killsBefore := s.outOfMemoryKills()
	if err := command.Start(); err != nil {
		return pipe.ExitStatus{}, explainStart(path, err)
	}
	if err := s.attend(ctx, command); err != nil {
		return pipe.ExitStatus{}, err
	}
	//nolint:errcheck // What the connector used is worth knowing, and no failure.
	_ = pipe.WriteUsage(s.spec.ExitStatusFile, usageOf(command.ProcessState))
	status := statusOf(command.ProcessState)
	status.OutOfMemory, status.Stopped = s.outOfMemoryKills() > killsBefore, s.stopped
	return status, nil
}

// stopGrace is how long a connector may take to end when nobody reads what it says; none when it was asked before.
func (s *session) stopGrace() time.Duration {
	if s.stopped != "" {
		return 0
	}
	return 10 * time.Second
}

// attend passes signals on until the connector has ended, then ends what is left of its process group.
func (s *session) attend(ctx context.Context, command *exec.Cmd) error {
	pid := command.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- awaitEnd(command) }()
	useless := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case <-useless:
			useless, kill = nil, time.After(s.stopGrace())
			//nolint:errcheck // It may have ended just now.
			_ = unix.Kill(-pid, unix.SIGTERM)
		case <-kill:
			//nolint:errcheck // as above
			_ = unix.Kill(-pid, unix.SIGKILL)
		case received := <-s.spec.Signals:
			number, ok := received.(syscall.Signal)
			switch {
			case ok && number == syscall.SIGCHLD:
				s.reap(pid)
			case ok:
				s.noteStop(number)
				//nolint:errcheck // It may have ended just now; then there is nobody to tell.
				_ = unix.Kill(-pid, number)
			}
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("wait for the connector: %w", err)
			}
			// Until it is waited for, its number, and so that of its group, is not given to another.
			//nolint:errcheck // As a rule nothing is left to kill.
			_ = unix.Kill(-pid, unix.SIGKILL)
			if err := collect(command); err != nil {
				return fmt.Errorf("wait for the connector: %w", err)
			}
			s.reap(pid)
			return nil
		}
	}
}

// noteStop tells the sidecar that the shim was asked to end, before the connector is: its time is short, too.
func (s *session) noteStop(signal syscall.Signal) {
	if s.stopped != "" || signal != syscall.SIGTERM && signal != syscall.SIGINT {
		return
	}
	s.stopped = unix.SignalName(signal)
	if err := pipe.MarkStopped(s.spec.ExitStatusFile, s.stopped); err != nil {
		s.say("the sidecar does not know that %s came: %v", s.stopped, err)
	}
}

// reap collects orphans if that is our office.
func (s *session) reap(connector int) {
	if s.spec.ReapOrphans {
		reapOrphans(connector)
	}
}

// collect takes the exit status of a process that has ended.
func collect(command *exec.Cmd) error {
	if command.ProcessState != nil {
		return nil
	}
	err := command.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

// setBlocking undoes the non-blocking mode that we opened the pipe with: it would be the connector's too, whose writes would then fail or be cut
// whenever the pipe is full.
func setBlocking(file *os.File) error {
	connection, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = connection.Control(func(fd uintptr) { setErr = unix.SetNonblock(int(fd), false) })
	return errors.Join(err, setErr)
}

// explainStart says in words why the kernel did not start a program that is there and has its executable bit.
func explainStart(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notFound(fmt.Errorf("cannot run %s: the interpreter or dynamic linker that it names is not in the connector's container: %w", path, err))
	case errors.Is(err, unix.ENOEXEC):
		return notExecutable(fmt.Errorf("cannot run %s: no program for this machine (%s): is the image of another platform, or a #! line missing? %w",
			path, runtime.GOARCH, err))
	case errors.Is(err, unix.E2BIG):
		return notExecutable(fmt.Errorf("cannot run %s: arguments and environment are too long: pass files instead: %w", path, err))
	default:
		return notExecutable(fmt.Errorf("cannot run %s: %w", path, err))
	}
}

// usageOf is what a process, and those that it waited for, took.
func usageOf(state *os.ProcessState) pipe.Usage {
	usage := pipe.Usage{CPU: state.UserTime() + state.SystemTime()}
	if resources, ok := state.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		usage.MaxMemory = resources.Maxrss << 10 // in KiB on Linux: getrusage(2)
	}
	return usage
}

// statusOf is how a process ended.
func statusOf(state *os.ProcessState) pipe.ExitStatus {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return signalled(wait.Signal())
	}
	return pipe.ExitStatus{Code: state.ExitCode()}
}

// signalled is the status of what a signal ended.
func signalled(received os.Signal) pipe.ExitStatus {
	number, ok := received.(syscall.Signal)
	if !ok {
		return pipe.ExitStatus{Code: codeSignal, Signal: received.String()}
	}
	name := unix.SignalName(number)
	if name == "" { // a real-time signal has none
		name = fmt.Sprintf("SIG%d", int(number))
	}
	return pipe.ExitStatus{Code: codeSignal + int(number), Signal: name}
}
