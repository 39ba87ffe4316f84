package bulkertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	readTimeout = 30 * time.Minute // bulkerapp/app/app.go
	idleTimeout = 5 * time.Minute
	// maxRequests is how many requests are remembered.
	maxRequests = 10_000
)

// Options of a server. The zero value is a Bulker on a free port that knows every destination and asks for no token.
type Options struct {
	Addr         string        // to listen at; empty is a free port of 127.0.0.1
	Dir          string        // what is committed is kept here and found again by the next server; empty is a folder that Close removes
	Token        string        // that requests must bear; empty asks for none
	Destinations []string      // that exist; empty is every one
	ReadTimeout  time.Duration // of a whole request; 0 is 30 minutes
	// RowsPerSecond is how fast rows are taken from one request; 0 is as fast as they come.
	RowsPerSecond int
	// MergeTime is how long a commit takes.
	MergeTime time.Duration
	// Discard counts rows and bytes without looking at them or keeping them.
	Discard bool
	// NotReady makes /ready say no, as Bulker does while Kafka is away; loads work all the same.
	NotReady bool
	Faults   []Fault
}

// Server answers as Bulker does.
type Server struct {
	URL string // http://host:port

	*Store
	options  Options
	http     *http.Server
	faults   faults
	closing  chan struct{}
	handlers sync.WaitGroup

	mu sync.Mutex
	// +checklocks:mu
	closed bool
	// +checklocks:mu
	notReady bool
	// +checklocks:mu
	requests []Request
}

// Request is a request to /bulk that was answered, or cut.
type Request struct {
	Load
	ContentLength int64 // -1 when chunked
	Rows          int64 // that were read
	Status        int   // that was answered; 0 when the connection was cut
	Error         string
}

// New starts a server.
func New(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = readTimeout
	}
	store, err := openStore(o.Dir)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bulker test server: %w", err), store.Close())
	}
	s := &Server{URL: "http://" + listener.Addr().String(), Store: store, options: o, notReady: o.NotReady, closing: make(chan struct{})}
	s.faults.add(o.Faults)
	s.http = &http.Server{
		Handler:     s.handler(),
		ReadTimeout: o.ReadTimeout, IdleTimeout: idleTimeout,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.handlers.Go(func() { _ = s.http.Serve(listener) }) // it ends with Close, and then only says so
	return s, nil
}

// handler routes requests.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", s.health)
	mux.HandleFunc("GET /health", s.health)
	mux.Handle("POST /bulk/{destination}", s.authorized(s.bulk))
	mux.Handle("POST /post/{destination}", s.authorized(s.post))
	s.inspection(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.enter() {
			defer s.handlers.Done()
			mux.ServeHTTP(w, r)
		}
	})
}

// health is Health of router.go.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	notReady := s.notReady
	s.mu.Unlock()
	if notReady {
		writeJSON(w, http.StatusServiceUnavailable,
			map[string]string{"status": "fail", "output": "topic manager is outdated: 2026-01-02 03:04:05.678901234 +0000 UTC"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "pass", "producerQueueSize": 0, "topicsUpdatedAt": time.Now().UTC()})
}

// SetReady changes what /ready says.
func (s *Server) SetReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notReady = !ready
}

// Close cuts all connections and waits for their handlers. A load that is being committed is committed.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	err := s.http.Close()
	s.handlers.Wait()
	return errors.Join(err, s.Store.Close())
}

// enter lets Close wait for a handler, unless it waits already: the connection is being closed then.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.handlers.Add(1)
	}
	return !s.closed
}

// Inject adds faults. Each request to /bulk meets at most one: the first that is for its table and not used up.
func (s *Server) Inject(f ...Fault) { s.faults.add(f) }

// Requests are the requests to /bulk so far, in the order of their ends; the last 10,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

func (s *Server) remember(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == maxRequests {
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, r)
}

// wait sleeps, unless the server is closed.
func (s *Server) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closing:
	}
}
