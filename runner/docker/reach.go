package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"sync-sidecar/runner"
)

// reachAgain is the pause before a connection that broke is made again.
const reachAgain = 500 * time.Millisecond

// folderSocket is where the sidecar listens for who has the caller's folder: on the volume that the connector does not see.
func (p *pod) folderSocket() string { return path.Join(p.plan.Layout.Private, "folder.sock") }

// reach connects the sidecar to the caller's folder, again when the connection breaks, until ctx ends or the sidecar does. Where it cannot, it says
// why, and the sidecar gives up after a while.
func (p *pod) reach(ctx context.Context) {
	for told := ""; ; {
		err := p.reachOnce(ctx)
		if ctx.Err() != nil || errdefs.IsConflict(err) || errdefs.IsNotFound(err) { // the sidecar does not run any more
			return
		}
		if err != nil && err.Error() != told {
			told = err.Error()
			p.watch.Event(runner.Note("WARN", "connect the sidecar to "+p.folder.dir+": "+told))
		}
		pause := time.NewTimer(reachAgain)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// reachOnce connects them until the connection breaks: our program runs once more in the sidecar's container, and passes on what comes.
func (p *pod) reachOnce(ctx context.Context) error {
	engine := p.runner.engine
	sidecar, err := engine.ContainerInspect(ctx, p.name(roleSidecar))
	if err != nil {
		return fmt.Errorf("look at the sidecar's container: %w", err)
	}
	command := append([]string{}, sidecar.Config.Entrypoint...)
	if len(command) == 0 {
		return fmt.Errorf("image %s has no ENTRYPOINT", p.sidecarImage)
	}
	made, err := engine.ContainerExecCreate(ctx, p.name(roleSidecar), container.ExecOptions{
		AttachStdin: true, AttachStdout: true, AttachStderr: true, Cmd: append(command, "in-pod", "connect", p.folderSocket())})
	if err != nil {
		return fmt.Errorf("run our program in the sidecar's container: %w", err)
	}
	attached, err := engine.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return fmt.Errorf("run our program in the sidecar's container: %w", err)
	}
	conn := newExecConn(attached)
	p.folder.shared.Serve(ctx, conn)
	if said := conn.end(); said != "" {
		return errors.New(said)
	}
	return nil
}

// execConn is what a program in a container reads and writes, as a connection.
type execConn struct {
	net.Conn // writes to its stdin
	stdout   *io.PipeReader
	ended    chan struct{} // closed when nothing more comes
	stderr   bytes.Buffer  // read once it is
}

func newExecConn(attached types.HijackedResponse) *execConn {
	stdout, writer := io.Pipe()
	c := &execConn{Conn: attached.Conn, stdout: stdout, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		_, err := stdcopy.StdCopy(writer, &c.stderr, attached.Reader)
		writer.CloseWithError(err) // nil is io.EOF
	}()
	return c
}

// Read reads the program's stdout.
func (c *execConn) Read(into []byte) (int, error) { return c.stdout.Read(into) }

// Close ends the connection, and with it the program.
func (c *execConn) Close() error { return errors.Join(c.Conn.Close(), c.stdout.Close()) }

// SetReadDeadline implements net.Conn. A read ends with the connection, and pings find one that died.
func (c *execConn) SetReadDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn, for writing.
func (c *execConn) SetDeadline(t time.Time) error { return c.SetWriteDeadline(t) }

// end waits until nothing more comes, and returns what the program wrote to its stderr. The connection must be closed.
func (c *execConn) end() string {
	<-c.ended
	return strings.TrimSpace(c.stderr.String())
}
