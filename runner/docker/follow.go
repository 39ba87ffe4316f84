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

// follow hands each line of a container's stderr to line, from its first to its last; it returns at the container's end or that of ctx.
func (r *Runner) follow(ctx context.Context, id string, line func([]byte)) error {
	logs, err := r.engine.ContainerLogs(ctx, id, container.LogsOptions{ShowStderr: true, Follow: true})
	if err != nil {
		return fmt.Errorf("follow the log of the sidecar: %w", err)
	}
	err = demultiplex(logs, line)
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, logs.Close())
}

// tail hands the last lines of a container's stderr to line.
func (r *Runner) tail(ctx context.Context, id string, lines int, line func([]byte)) error {
	logs, err := r.engine.ContainerLogs(ctx, id, container.LogsOptions{ShowStderr: true, Tail: fmt.Sprint(lines)})
	if err != nil {
		return fmt.Errorf("read the log of container %s: %w", id, err)
	}
	return errors.Join(demultiplex(logs, line), logs.Close())
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
