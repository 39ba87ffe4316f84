package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar/atomicfile"
	"sync-sidecar/sidecar/parcel"
)

// inPodCommand is what `run` does within its Pod or its containers, by the API's exec.
func inPodCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "in-pod", Usage: "what run does within its Pod or containers", Hidden: true,
		Subcommands: []*cli.Command{
			{
				Name: "hold", ArgsUsage: "FILE", Usage: "wait until there is a file",
				Flags:  []cli.Flag{&cli.DurationFlag{Name: "timeout", Value: time.Hour, Usage: "for at most this long"}},
				Action: func(c *cli.Context) error { return hold(c, env) },
			},
			{
				Name: "receive", ArgsUsage: "FOLDER", Usage: "fill a folder from stdin, and make the file FOLDER.received",
				Action: func(c *cli.Context) error { return receiveFolder(c, env) },
			},
			{
				Name: "connect", ArgsUsage: "SOCKET", Usage: "be stdin and stdout of a Unix socket",
				Action: func(c *cli.Context) error { return connectSocket(c, env) },
			},
			{
				Name: "signal", ArgsUsage: "TERM|KILL", Usage: "end what the container runs",
				Action: signalContainer,
			},
			settleCommand(env),
		},
	}
}

// hold keeps a container running until the file is there, which whoever runs the Pod has made, or until a signal.
func hold(c *cli.Context, env environment) error {
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	limit := c.Duration("timeout")
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("nobody has fetched or brought the files within %s", limit))
	defer cancel()
	const interval = 100 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(c.Args().First()); err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return unlessSignalled(ctx, withCode(exitEnvironment, context.Cause(ctx)))
		}
	}
}

// receivedMark says beside a folder that all of it is there.
const receivedMark = ".received"

func receiveFolder(c *cli.Context, env environment) error {
	folder := filepath.Clean(c.Args().First())
	err := parcel.Unpack(env.stdin, folder)
	if err == nil {
		err = atomicfile.Replace(folder+receivedMark, nil, 0o600)
	}
	if err != nil {
		return withCode(exitEnvironment, err)
	}
	return nil
}

// signalContainer signals the container's first process. The kernel lets nobody kill that from within, so KILL is for all others: the first one,
// exec, ends with the connector.
func signalContainer(c *cli.Context) error {
	var err error
	switch c.Args().First() {
	case "TERM":
		err = syscall.Kill(1, syscall.SIGTERM)
	case "KILL":
		err = syscall.Kill(-1, syscall.SIGKILL)
	default:
		return withCode(exitUsage, fmt.Errorf("signal %q: write TERM or KILL", c.Args().First()))
	}
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return withCode(exitEnvironment, fmt.Errorf("signal the container: %w", err))
	}
	return nil
}

// connectSocket passes stdin on to a Unix socket, and what comes from it on to stdout, until either side ends. It waits for who listens there.
func connectSocket(c *cli.Context, env environment) error {
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	socket, err := dialSocket(ctx, c.Args().First())
	if err != nil {
		return unlessSignalled(ctx, withCode(exitEnvironment, err))
	}
	ended := make(chan error, 2)
	go func() {
		_, err := io.Copy(socket, env.stdin)
		ended <- err
	}()
	go func() {
		_, err := io.Copy(env.stdout, socket)
		ended <- err
	}()
	select {
	case err = <-ended: // the other one ends with this process
	case <-ctx.Done():
	}
	if err = errors.Join(err, socket.Close()); err != nil {
		err = withCode(exitEnvironment, err)
	}
	return unlessSignalled(ctx, err)
}

// dialSocket waits until somebody listens at a Unix socket.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	const limit, interval = time.Minute, 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		socket, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			return socket, nil
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return nil, fmt.Errorf("nobody listens within %s: %w", limit, err)
		}
	}
}
