// Package shim runs a connector in its own container with named pipes as its stdout and stderr, without a shell.
//
// The protocol with the sidecar, which reads the pipes:
//
//  1. "running" is written to the exit status file;
//  2. both pipes are opened for writing, at once, since nobody knows in which order the reader opens them;
//  3. the connector starts in a process group of its own; signals are passed on to that group;
//     SIGTERM and SIGINT, by which the shim is asked to end, are noted in the exit status file first;
//  4. when the connector ends, what is left of its group is killed, as the kernel does when the first process of a container ends;
//  5. its exit status replaces "running" by rename;
//  6. only then are the pipes closed.
//
// So EOF on both pipes means that the exit status is there to be read; EOF while it says "running" means that the shim was killed.
package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"sync-sidecar/sidecar/pipe"
)

// Exit codes of the shim itself; the first is that of every mode, the others are a shell's.
const (
	codeEnvironment   = 3
	codeNotExecutable = 126
	codeNotFound      = 127
	codeSignal        = 128 // plus the signal's number
)

// Spec is what to run and how.
type Spec struct {
	// Args are the connector's command line; see Command for what they may leave out.
	Args []string
	// Entrypoint is AIRBYTE_ENTRYPOINT of the image; may be empty.
	Entrypoint string
	// Env is the environment of the connector, as os.Environ; programs are looked up in its PATH.
	Env []string
	// StdoutPipe and StderrPipe are the paths of the named pipes.
	StdoutPipe, StderrPipe string
	// ExitStatusFile is where the exit status goes.
	ExitStatusFile string
	// OpenTimeout is how long to wait until the pipes are opened for reading.
	OpenTimeout time.Duration
	// Opened is called when the pipes are open, before the connector starts; it may be nil.
	Opened func() `json:"-"`
	// Signals are passed on to the connector; before it runs the first of them ends the shim. Whoever makes the channel chooses which (not
	// SIGURG, with which Go's runtime interrupts itself) and gives it room for several, since the runtime drops what does not fit.
	Signals <-chan os.Signal
	// ReapOrphans collects processes that lost their parent, as the first process of a container must. Signals must include SIGCHLD then.
	ReapOrphans bool
	// MemoryEvents are the files in which the kernel may count out-of-memory kills of this container; see MemoryEventsV2 and MemoryEventsV1.
	// Where there are none, a lack of memory is not told from another SIGKILL.
	MemoryEvents []string
}

// Run runs the connector to its end and returns its exit code, 128+n when signal n ended it. With an error the connector did not run: code is
// 3 when nobody opened the pipes in time or the machine failed, 126 or 127 when there is no such program or it cannot be executed, and 128+n
// when a signal came first. The end of ctx says that nobody reads the pipes any more, with its cause as the reason: it ends the wait for them, and a
// connector that runs, by SIGTERM and ten seconds later by SIGKILL.
func Run(ctx context.Context, spec Spec) (int, error) {
	s := &session{spec: spec}
	// The connector can run without it: the sidecar then knows less about its end, which is said on the stderr pipe.
	recordErr := pipe.WriteRunning(spec.ExitStatusFile)
	ends, err := s.openPipes(ctx)
	if err != nil {
		return s.refuse(err)
	}
	if spec.Opened != nil {
		spec.Opened()
	}
	if recordErr != nil {
		s.say("the connector's exit status will be unknown to the sidecar: %v", recordErr)
	}
	status, err := s.connector(ctx, ends)
	if err != nil {
		s.say("%v", err)
		code, err := s.refuse(err)
		return code, errors.Join(err, ends.close())
	}
	if err := pipe.WriteExitStatus(spec.ExitStatusFile, status); err != nil {
		s.say("the connector ended with exit code %d, which the sidecar will not know: %v", status.Code, err)
	}
	if err := ends.close(); err != nil {
		return codeEnvironment, err
	}
	return status.Code, nil
}

// session is one run of the shim.
type session struct {
	spec    Spec
	stopped string // name of the signal by which it was asked to end
}

// startError is why the connector did not run, and the exit code that says so.
type startError struct {
	status pipe.ExitStatus
	err    error
}

// Error is the reason.
func (e *startError) Error() string { return e.err.Error() }

// Unwrap is the reason.
func (e *startError) Unwrap() error { return e.err }

// refuse records that the connector did not run.
func (s *session) refuse(err error) (int, error) {
	status := pipe.ExitStatus{Code: codeEnvironment}
	if start := (*startError)(nil); errors.As(err, &start) {
		status = start.status
	}
	return status.Code, errors.Join(err, pipe.WriteExitStatus(s.spec.ExitStatusFile, status))
}

// ends are the writing ends of both pipes. They stay open in the shim until the exit status is written.
type ends struct{ stdout, stderr *os.File }

// close closes what is open.
func (e ends) close() error {
	var errs []error
	for _, file := range []*os.File{e.stdout, e.stderr} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}

// openPipes opens both pipes, until the timeout or the first signal.
func (s *session) openPipes(ctx context.Context) (ends, error) {
	timeout := fmt.Errorf("nobody opened it for reading within %v: does the sidecar run, and with the same pipes?", s.spec.OpenTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, s.spec.OpenTimeout, timeout)
	defer cancel()
	var opened ends
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		opened.stdout, err = pipe.OpenWriter(ctx, s.spec.StdoutPipe)
		return err
	})
	group.Go(func() (err error) {
		opened.stderr, err = pipe.OpenWriter(ctx, s.spec.StderrPipe)
		return err
	})
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	err := s.untilSignal(done, cancel)
	if err != nil {
		return ends{}, errors.Join(err, opened.close())
	}
	return opened, nil
}

// untilSignal waits for the end of what cancel cancels, and cancels it at the first signal.
func (s *session) untilSignal(done <-chan error, cancel func()) error {
	for {
		select {
		case err := <-done:
			return err
		case received := <-s.spec.Signals:
			if received == syscall.SIGCHLD {
				continue
			}
			cancel()
			//nolint:errcheck // It failed because it was cancelled: the signal is the reason.
			<-done
			return &startError{
				status: signalled(received),
				err:    fmt.Errorf("%s came before the pipes were opened", signalled(received).Signal),
			}
		}
	}
}

// sayTimeout is how long a line of ours may wait for room in the pipe.
const sayTimeout = 2 * time.Second

// say writes a line into the stderr pipe, for the sidecar to log. It has its own opening of the pipe: the connector's is in blocking mode, and
// would hold us as long as the reader does not read. Nothing is lost when it fails: what matters is also an error of Run or in the exit status.
func (s *session) say(format string, args ...any) {
	file, err := pipe.OpenWriterNow(s.spec.StderrPipe)
	if err != nil {
		return
	}
	if err := file.SetWriteDeadline(time.Now().Add(sayTimeout)); err == nil {
		_, _ = fmt.Fprintf(file, "sync-sidecar exec: "+format+"\n", args...)
	}
	_ = file.Close()
}
