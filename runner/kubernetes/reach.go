package kubernetes

import (
	"context"
	"errors"
	"net"
	"path"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/runner/manifest"
)

const (
	// reachAgain is the pause before a connection that broke is made again.
	reachAgain = 500 * time.Millisecond
	// reachQuietly is how long that may fail before it is worth a word: the API server learns late that the sidecar has ended.
	reachQuietly = 5 * time.Second
)

// folderSocket is where the sidecar listens for who has the caller's folder: on a volume that the connector does not see.
func (p *pod) folderSocket() string { return path.Join(p.plan.Layout.SpoolDir(), "folder.sock") }

// reach connects the sidecar to the caller's folder, again when the connection breaks, until ctx ends, or gone is closed: the sidecar has ended.
// Where it cannot, it says why, and the sidecar gives up after a while. The error is that nobody may connect.
func (p *pod) reach(ctx context.Context, gone <-chan struct{}) error {
	told, failing := "", time.Time{}
	for {
		err := p.reachOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the connection ended with it
		case isRefused(err):
			return err
		case err == nil:
			failing = time.Time{}
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > reachQuietly && err.Error() != told:
			told = err.Error()
			p.watch.Event(runner.Note("WARN", "connect the sidecar to "+p.folder.dir+": "+told))
		}
		select {
		case <-time.After(reachAgain):
		case <-gone:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// reachOnce connects them until the connection breaks: our program runs once more in the sidecar's container, and passes on what comes.
func (p *pod) reachOnce(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := p.run(running, manifest.ContainerSidecar, theirs, theirs, "connect", p.folderSocket())
		// From this side, so that who still reads the other one sees its end, and no error that client-go would print.
		ended <- errors.Join(err, ours.Close())
	}()
	p.folder.shared.Serve(ctx, ours)
	cancel()
	err := errors.Join(<-ended, theirs.Close())
	if errors.Is(err, context.Canceled) { // by ourselves: the connection ended first
		return nil
	}
	return err
}
