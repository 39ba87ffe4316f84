package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/shim"
	"sync-sidecar/sidecar/verdictfile"
)

// errConcluded is why a connector is ended: nobody reads what it says any more.
var errConcluded = errors.New("the sidecar has given its verdict")

// execution is one run of exec: the connector, and the wait for the verdict.
type execution struct {
	env            environment
	statusFile     string
	verdictTimeout time.Duration
	waiter         *verdictfile.Waiter // nil when no verdict is waited for

	verdict verdictfile.Note
	missing error // why there is no verdict
	early   bool  // the wait was over before the connector ended
}

// run runs the connector, waits for the verdict, and returns the exit code: the connector's; when that is 0, or the connector was ended because of
// the verdict, the sidecar's.
func (e *execution) run(ctx context.Context, spec shim.Spec) (code int, err error) {
	if e.waiter == nil {
		return shim.Run(ctx, spec)
	}
	spec.Opened = func() { e.warn(e.waiter.Started()) }
	defer func() { e.warn(e.waiter.Spend()) }()
	code, err = e.runConnector(ctx, spec)
	if !e.early && !e.waiter.Expected() {
		return code, err // the pipes were read by another program than the sidecar
	}
	if !e.early {
		e.awaitVerdict(ctx)
	}
	switch {
	case e.verdict.Enough && e.verdict.ExitCode == exitOK:
		return exitOK, nil // nobody listens to the connector any more: its pipes may have broken before it was told to end
	case e.missing != nil && (code == exitOK || e.early):
		return exitEnvironment, errors.Join(err, e.missing)
	case e.missing != nil:
		return code, errors.Join(err, e.missing)
	case e.early && e.verdict.ExitCode == exitOK:
		return exitOK, nil
	case e.early, code == exitOK && e.verdict.ExitCode != exitOK:
		return e.verdict.ExitCode, errors.New(e.verdict.Line())
	}
	return code, err
}

// runConnector runs the connector until it ends, or until the wait for the verdict is over.
func (e *execution) runConnector(ctx context.Context, spec shim.Spec) (int, error) {
	running, conclude := context.WithCancelCause(ctx)
	waiting, ended := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		note, err := e.waiter.Await(waiting, 0) // the connector may take its time
		if err != nil && waiting.Err() != nil {
			return
		}
		e.verdict, e.missing, e.early = note, err, true
		conclude(errors.Join(errConcluded, err))
	})
	code, err := shim.Run(running, spec)
	ended()
	watching.Wait()
	conclude(nil)
	return code, err
}

// awaitVerdict waits for the verdict after the connector's end. The first signal is passed on to the sidecar, which then has little time; a second
// one ends the wait.
func (e *execution) awaitVerdict(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type answer struct {
		note verdictfile.Note
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		note, err := e.waiter.Await(ctx, e.verdictTimeout)
		answers <- answer{note, err}
	}()
	for stopped := false; ; {
		select {
		case got := <-answers:
			e.verdict, e.missing = got.note, got.err
			return
		case received := <-e.env.signals:
			number, ok := received.(syscall.Signal)
			switch {
			case !ok || number != syscall.SIGTERM && number != syscall.SIGINT:
			case stopped:
				cancel(fmt.Errorf("%s came again before the sidecar gave its verdict", unix.SignalName(number)))
			default:
				stopped = true
				e.warn(pipe.MarkStopped(e.statusFile, unix.SignalName(number)))
			}
		}
	}
}

// warn tells of what exec can do without.
func (e *execution) warn(err error) {
	if err != nil {
		fmt.Fprintf(e.env.stderr, "sync-sidecar: the sidecar does not know how far exec is: %v\n", err)
	}
}

// lastWords is the termination message: how the connector ended, and what became of the sync.
func (e *execution) lastWords(code int, err error) string {
	text := ""
	status, statusErr := pipe.ReadExitStatus(e.statusFile)
	switch {
	case statusErr != nil || status.Phase != pipe.Finished || status.Code == exitOK:
	case status.OutOfMemory:
		text = fmt.Sprintf("the connector ran out of memory (exit code %d)", status.Code)
	case status.Signal != "":
		text = fmt.Sprintf("the connector was ended by %s (exit code %d)", status.Signal, status.Code)
	default:
		text = fmt.Sprintf("the connector exited with code %d", status.Code)
	}
	if err != nil {
		text = err.Error() // which knows more than the code
	}
	switch {
	case e.verdict.Final() && text != "" && text != e.verdict.Line():
		return text + "; " + e.verdict.Line()
	case e.verdict.Final():
		return e.verdict.Line()
	case text == "" && code != exitOK:
		return fmt.Sprintf("exit code %d", code)
	}
	return text
}
