package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// askTimeout is how long a session may take to say how it stands. It holds its locks for bookkeeping only: one that takes longer hangs.
const askTimeout = 5 * time.Second

// Server serves /metrics, /healthz and /readyz.
type Server struct {
	http    *http.Server
	address string
	serving sync.WaitGroup
}

// Serve listens on an address, host:port or :port, until Close.
func Serve(ctx context.Context, address string, m *Metrics) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve metrics (METRICS_ADDRESS): %w", err)
	}
	pages := http.NewServeMux()
	pages.Handle("GET /metrics", promhttp.HandlerFor(m.registry,
		promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Timeout: askTimeout, MaxRequestsInFlight: 4}))
	pages.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, m.healthy(), "the session does not answer") })
	pages.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, m.begun(), "servers are still being waited for")
	})
	const slow = 10 * time.Second
	s := &Server{address: listener.Addr().String(), http: &http.Server{Handler: pages, ReadHeaderTimeout: slow, ReadTimeout: slow,
		WriteTimeout: 2 * slow, IdleTimeout: time.Minute}}
	s.serving.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			_ = listener.Close() // nobody listens any more, and the probes tell
		}
	})
	return s, nil
}

// Address is where it listens.
func (s *Server) Address() string { return s.address }

func answer(w http.ResponseWriter, good bool, otherwise string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, otherwise)
		return
	}
	fmt.Fprintln(w, "ok")
}

// healthy says that the session answers. One that does not leaves a goroutine behind for each question: the probe's failures are bounded.
func (m *Metrics) healthy() bool {
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		m.live()
	}()
	patience := time.NewTimer(askTimeout)
	defer patience.Stop()
	select {
	case <-answered:
		return true
	case <-patience.C:
		return false
	}
}

// Close ends the server; a scrape that is under way has until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.serving.Wait()
	return err
}
