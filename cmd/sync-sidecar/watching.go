package main

import (
	"context"
	"errors"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/metrics"
)

// watching is how operators see a session, as far as they asked for it. None of it ever fails a sync: what is wrong is logged.
type watching struct {
	metrics *metrics.Metrics
	server  *metrics.Server
	push    *metrics.Push
	logger  *logs.Logger
}

// startWatching begins before servers are waited for, so that a probe has an answer.
func startWatching(ctx context.Context, s settings, logger *logs.Logger) *watching {
	w := &watching{logger: logger}
	if s.metrics.address == "" && s.metrics.endpoint == "" {
		return w
	}
	ctx = context.WithoutCancel(ctx) // until the end, whatever ends the session
	info := metrics.Info{Version: version(), Identity: s.config.Identity, Command: s.config.Command}
	var err error
	if w.metrics, err = metrics.New(info); err != nil {
		w.warn(err)
		return w
	}
	if s.metrics.address != "" {
		w.server, err = metrics.Serve(ctx, s.metrics.address, w.metrics)
		w.warn(err)
	}
	if s.metrics.endpoint != "" {
		w.push, err = metrics.StartPush(ctx, w.metrics, info, metrics.PushOptions{Endpoint: s.metrics.endpoint, Headers: s.metrics.headers,
			Timeout: s.metrics.timeout, Failed: w.warn})
		w.warn(err)
	}
	return w
}

func (w *watching) warn(err error) {
	if err != nil {
		w.logger.Warn(err.Error())
	}
}

// begin is told when the session begins.
func (w *watching) begin(now func() sidecar.Live) {
	if w.metrics != nil {
		w.metrics.Watch(now)
	}
}

// end shows the outcome, and takes no longer than limit.
func (w *watching) end(ctx context.Context, report sidecar.Report, limit time.Duration) {
	if w.metrics == nil {
		return
	}
	w.metrics.Ended(report)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if w.push != nil {
		w.warn(w.push.Close(ctx))
	}
	if w.server != nil {
		if err := w.server.Close(ctx); !errors.Is(err, context.DeadlineExceeded) { // a scrape that hangs is not the session's business
			w.warn(err)
		}
	}
}
