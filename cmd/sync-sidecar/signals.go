package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"sync-sidecar/sidecar"
)

// signalRoom is how many signals wait for a mode that does not listen yet, or is busy: the runtime drops what does not fit.
const signalRoom = 16

// catchSignals takes over the signals that end a mode: until the mode listens, they wait in the channel. It has to be the first thing that main does,
// or one that comes early ends the process before anything is recorded (I2).
//
// SIGPIPE is taken too and means nothing: a reader of our output that goes away (`sidecar 2>&1 | head`) must not end a session. It is caught and not
// ignored, since what is ignored stays so in the programs that we start.
func catchSignals() chan os.Signal {
	received := make(chan os.Signal, signalRoom)
	signal.Notify(received, syscall.SIGTERM, syscall.SIGINT)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(received, syscall.SIGHUP)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return received
}

// untilSignal is a context that the first signal cancels, with the signal as its cause; first is told before, and again of every later one. The
// returned func has to be called; it stops listening.
func untilSignal(ctx context.Context, received <-chan os.Signal, first, again func(sidecar.Signalled)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var listening sync.WaitGroup
	stop := make(chan struct{})
	listening.Go(func() {
		for next := first; ; next = again {
			select {
			case signal := <-received:
				number, _ := signal.(syscall.Signal)
				signalled := sidecar.Signalled{Number: int(number), Name: unix.SignalName(number)}
				next(signalled)
				cancel(signalled) // of which the first one stays
			case <-stop:
				return
			}
		}
	})
	return ctx, func() {
		close(stop)
		listening.Wait()
		cancel(nil)
	}
}

// orExit is untilSignal for modes whose second signal ends the process at once.
func orExit(ctx context.Context, received <-chan os.Signal) (context.Context, func()) {
	return untilSignal(ctx, received, func(sidecar.Signalled) {}, func(second sidecar.Signalled) { os.Exit(exitSignal + second.Number) })
}

// unlessSignalled gives what a signal cancelled its exit code.
func unlessSignalled(ctx context.Context, err error) error {
	signalled := sidecar.Signalled{}
	if err == nil || !errors.As(context.Cause(ctx), &signalled) {
		return err
	}
	return withCode(exitSignal+signalled.Number, fmt.Errorf("%w: %w", signalled, err))
}
