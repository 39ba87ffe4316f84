package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sync-sidecar/runner"
)

// follow hands each line of a container's log to line as it comes, until the container has ended, which the caller tells by closing gone, and its
// last line is there. A stream that is cut on the way (proxies cut idle ones) is taken up where it was: lines carry their times.
func (c *client) follow(ctx context.Context, pod, container string, gone <-chan struct{}, line func([]byte)) error {
	var last time.Time
	for {
		final := false
		select {
		case <-gone:
			final = true
		default:
		}
		err := c.lines(ctx, pod, container, &corev1.PodLogOptions{Follow: !final, SinceTime: since(last)}, func(at time.Time, text []byte) {
			if at.After(last) {
				last = at
				line(text)
			}
		})
		if final || ctx.Err() != nil {
			return err
		}
		select {
		case <-gone:
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func since(last time.Time) *metav1.Time {
	if last.IsZero() {
		return nil
	}
	return &metav1.Time{Time: last}
}

// tail hands the last lines of a container's log to line.
func (c *client) tail(ctx context.Context, pod, container string, lines int64, line func([]byte)) error {
	return c.lines(ctx, pod, container, &corev1.PodLogOptions{TailLines: &lines}, func(_ time.Time, text []byte) { line(text) })
}

// lines hands those of a container's log that options ask for to line, with their times.
func (c *client) lines(ctx context.Context, pod, container string, options *corev1.PodLogOptions, line func(time.Time, []byte)) error {
	options.Container, options.Timestamps = container, true
	request := c.api.Get().Namespace(c.namespace).Resource("pods").Name(pod).SubResource("log").VersionedParams(options, c.parameter)
	stream, err := request.Stream(ctx)
	if err != nil {
		return c.explain(fmt.Sprintf("read the log of container %s", container), err)
	}
	runner.EachLine(stream, func(raw []byte) {
		stamp, text, _ := bytes.Cut(raw, []byte(" "))
		at, err := time.Parse(time.RFC3339Nano, string(stamp))
		if err != nil { // a line of the API server's own
			at, text = time.Now(), raw
		}
		if len(text) > 0 {
			line(at, text)
		}
	})
	if err := stream.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("read the log of container %s: %w", container, err)
	}
	return nil
}
