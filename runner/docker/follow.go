package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"sync-sidecar/runner"
)

// follow hands each line of a container's stderr to line as it comes; it returns at the container's end or that of ctx. Of a container that has
// just ended the last lines may be missing (Engine 20.10 looks for the end and for new lines at once), and a proxy may have cut the stream.
func (r *Runner) follow(ctx context.Context, id string, line func([]byte)) error {
	err := r.lines(ctx, id, container.LogsOptions{ShowStderr: true, Follow: true}, line)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // nobody follows any more
	}
	return err
}

// tail hands the last lines of the stderr of a container that has ended to line.
func (r *Runner) tail(ctx context.Context, id string, lines int, line func([]byte)) error {
	return r.lines(ctx, id, container.LogsOptions{ShowStderr: true, Tail: fmt.Sprint(lines)}, line)
}

// all hands every line of the stderr of a container that has ended to line.
func (r *Runner) all(ctx context.Context, id string, line func([]byte)) error {
	return r.lines(ctx, id, container.LogsOptions{ShowStderr: true}, line)
}

// lines hands those of a container's log that options ask for to line.
func (r *Runner) lines(ctx context.Context, id string, options container.LogsOptions, line func([]byte)) error {
	logs, err := r.engine.ContainerLogs(ctx, id, options)
	if err != nil {
		return fmt.Errorf("read the log of container %s: %w", id, err)
	}
	if err := errors.Join(demultiplex(logs, line), logs.Close()); err != nil {
		return fmt.Errorf("read the log of container %s: %w", id, err)
	}
	return nil
}

// demultiplex splits the Engine's framed stream into lines.
func demultiplex(framed io.Reader, line func([]byte)) error {
	reader, writer := io.Pipe()
	copied := make(chan error, 1)
	go func() {
		_, err := stdcopy.StdCopy(io.Discard, writer, framed)
		writer.CloseWithError(err)
		copied <- err
	}()
	runner.EachLine(reader, line)
	return <-copied
}
