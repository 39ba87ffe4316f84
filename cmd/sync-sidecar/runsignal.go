package main

import (
	"context"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// interrupts turn signals into the two ways a run can end early: the first one stops it gracefully, the second ends it at once.
type interrupts struct {
	ctx  context.Context //nolint:containedctx // it is the point: what a second signal ends
	stop chan struct{}   // closed by the first signal

	mutex  sync.Mutex
	first  os.Signal
	cancel context.CancelFunc
	done   chan struct{}
	joined sync.WaitGroup
}

// watchInterrupts begins to listen to what main has caught, until end. What the first one does is said.
func watchInterrupts(parent context.Context, signals <-chan os.Signal, say func(line string)) *interrupts {
	ctx, cancel := context.WithCancel(parent)
	i := &interrupts{ctx: ctx, cancel: cancel, stop: make(chan struct{}), done: make(chan struct{})}
	i.joined.Go(func() {
		for {
			select {
			case received := <-signals:
				switch {
				case i.isFirst(received):
					say(nameOfSignal(received) + ": stopping the connector and saving what can be saved; again to end at once")
					close(i.stop)
				default:
					cancel()
				}
			case <-i.done:
				return
			}
		}
	})
	return i
}

func (i *interrupts) isFirst(received os.Signal) bool {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.first != nil {
		return false
	}
	i.first = received
	return true
}

// received is the first signal, or nil.
func (i *interrupts) received() os.Signal {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.first
}

// end stops listening.
func (i *interrupts) end() {
	close(i.done)
	i.joined.Wait()
	i.cancel()
}

func signalNumber(received os.Signal) int {
	if number, ok := received.(syscall.Signal); ok {
		return int(number)
	}
	return 0
}

func nameOfSignal(received os.Signal) string {
	if number, ok := received.(syscall.Signal); ok {
		return unix.SignalName(number)
	}
	return received.String()
}
