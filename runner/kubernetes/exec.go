package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// exec runs a command in a container of the Pod, without a shell. Its stderr is in the error.
func (c *client) exec(ctx context.Context, pod, container string, command []string, stdin io.Reader, stdout io.Writer) error {
	options := &corev1.PodExecOptions{Container: container, Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true}
	request := c.api.Post().Namespace(c.namespace).Resource("pods").Name(pod).SubResource("exec").VersionedParams(options, c.parameter)
	if stdout == nil {
		stdout = io.Discard
	}
	var stderr bytes.Buffer
	executor, err := c.executor(request.URL())
	if err == nil {
		err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: &stderr})
	}
	if err != nil && ctx.Err() == nil {
		err = c.explain(strings.Join(command, " "), err)
		if said := strings.TrimSpace(stderr.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
	}
	return err
}

// executor speaks WebSocket, or SPDY to API servers and proxies that know nothing else, as kubectl does.
func (c *client) executor(location *url.URL) (remotecommand.Executor, error) {
	websocket, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, location.String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.config, http.MethodPost, location)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(websocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}
