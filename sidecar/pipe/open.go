package pipe

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// capacity is how many bytes the kernel may hold between writer and reader: the most an unprivileged process may ask for by default
// (/proc/sys/fs/pipe-max-size). It lets the writer run on while the reader is busy.
const capacity = 1 << 20

// OpenReader opens the pipe for reading and waits until a writer opens it, also one that has gone again; cancelling ctx ends the wait, and so
// does its deadline. Deadlines and Close unblock Read of the result. The pipe must exist: init makes it before anything is started.
func OpenReader(ctx context.Context, path string) (*os.File, error) {
	file, err := open(ctx, path, unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open pipe %s for reading: %w", path, err)
	}
	// A user over his pipe quota gets EPERM, a system with a lower limit too: the pipe works all the same, with 64 KiB.
	setCapacity(file, capacity)
	return file, nil
}

// Narrow asks for a smaller buffer of an open pipe, so that its writer waits for the reader soon. A refusal, as of a pipe that holds more already, or
// of another system than Linux, changes nothing.
func Narrow(file *os.File, bytes int) { setCapacity(file, bytes) }

// OpenWriter opens the pipe for writing and waits until a reader opens it; cancelling ctx ends the wait, and so does its deadline. Deadlines
// and Close unblock Write of the result.
func OpenWriter(ctx context.Context, path string) (*os.File, error) {
	file, err := open(ctx, path, unix.O_WRONLY)
	if err != nil {
		return nil, fmt.Errorf("open pipe %s for writing: %w", path, err)
	}
	return file, nil
}

// OpenWriterNow opens the pipe for writing if a reader has it open, and fails at once otherwise.
func OpenWriterNow(path string) (*os.File, error) {
	if err := check(path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
}

// opened is what open(2) gave.
type opened struct {
	fd  int
	err error
}

// open opens one end and waits for the other. The wait is the kernel's: open(2) counts peers that came and went, which no polling with
// O_NONBLOCK does (there, a reader without a writer gets a false EOF). It cannot be interrupted, but ends when a peer appears; so to cancel
// it, we are that peer.
func open(ctx context.Context, path string, flags int) (*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := check(path); err != nil {
		return nil, err
	}
	node, err := hold(path)
	if err != nil {
		return nil, err
	}
	defer node.release()
	done := make(chan opened, 1)
	go func() {
		fd, err := openRetrying(node.path, flags|unix.O_CLOEXEC)
		done <- opened{fd, err}
	}()
	select {
	case result := <-done:
		return result.file(path)
	case <-ctx.Done():
	}
	// Both ends at once, and never blocking: whether open(2) waits already or comes to it later, it finds a peer.
	peer, err := openRetrying(node.path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC)
	if err != nil {
		return nil, errors.Join(context.Cause(ctx), fmt.Errorf("wake the wait for the other end: %w", err))
	}
	result := <-done
	var closing error
	if result.err == nil {
		closing = unix.Close(result.fd)
	}
	return nil, errors.Join(context.Cause(ctx), closing, unix.Close(peer))
}

// file makes the descriptor one that Go's poller watches, which is what makes deadlines and Close work.
func (o opened) file(path string) (*os.File, error) {
	if o.err != nil {
		return nil, o.err
	}
	if err := unix.SetNonblock(o.fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(o.fd))
	}
	return os.NewFile(uintptr(o.fd), path), nil
}

// openRetrying is open(2), again when a signal interrupts it.
func openRetrying(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
