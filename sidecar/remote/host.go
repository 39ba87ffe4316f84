package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/atomicfile"
	"sync-sidecar/sidecar/local"
)

// Host lets the sidecars of other machines use a folder of this one, over connections that Serve is given one after the other.
type Host struct {
	folder     *local.Folder
	configFile string
	calls      ledger

	mu sync.Mutex
	// +checklocks:mu
	tables map[airbyte.StreamDescriptor]*sync.Mutex

	gate sync.RWMutex // held by every call, and by Close
	// +checklocks:gate
	closed bool
}

// NewHost makes one. configFile is the name of the file, in the folder, for a configuration that the connector changed.
func NewHost(folder *local.Folder, configFile string) *Host {
	return &Host{folder: folder, configFile: configFile, tables: map[airbyte.StreamDescriptor]*sync.Mutex{}}
}

// Serve answers the calls that come over a connection until that, or ctx, ends. It closes the connection. That a connection ended is no error.
func (h *Host) Serve(ctx context.Context, conn net.Conn) {
	only := &onlyConn{Conn: conn, closed: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() {
		only.Close() //nolint:errcheck,gosec // it ends what is read and written, and nobody waits for anything else
	})
	defer stop()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	const frame, buffer = 1 << 20, 3 << 20
	server := &http.Server{
		Handler: h, Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: firstCome,
		BaseContext: func(net.Listener) context.Context { return ctx },
		HTTP2: &http.HTTP2Config{MaxReadFrameSize: frame, MaxReceiveBufferPerStream: frame, MaxReceiveBufferPerConnection: buffer,
			SendPingTimeout: pingEvery, PingTimeout: pingWait},
	}
	server.Serve(&onlyListener{conn: only}) //nolint:errcheck,gosec // it ends with the connection, and says nothing but that
	server.Close()                          //nolint:errcheck,gosec // as above
	only.Close()                            //nolint:errcheck,gosec // as above
}

// Close waits for the calls that are being answered, and answers no more. It leaves the folder open.
func (h *Host) Close() {
	h.gate.Lock()
	defer h.gate.Unlock()
	h.closed = true
}

// ServeHTTP answers a call.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.gate.RLock()
	defer h.gate.RUnlock()
	if h.closed {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if within, err := time.ParseDuration(r.Header.Get(headerWithin)); err == nil {
		ctx, cancel = context.WithTimeout(ctx, within)
	}
	defer cancel()
	text, err := h.calls.once(r, func() (answer, bool) {
		value, err := h.answer(ctx, strings.TrimPrefix(r.URL.Path, "/"), r)
		return answer{Value: value, Error: failureOf(err)}, err != nil && r.Context().Err() != nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Write(text) //nolint:errcheck,gosec // should that fail, it is asked for again
}

// answer does what a call asks for.
func (h *Host) answer(ctx context.Context, call string, r *http.Request) (json.RawMessage, error) {
	if call == callLoad {
		return nil, h.load(ctx, r)
	}
	do := h.methods()[call]
	if do == nil {
		return nil, fmt.Errorf("%q is no call: the sidecar is of another version", call)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	value, err := do(ctx, body)
	if err != nil || value == nil {
		return nil, err
	}
	return json.Marshal(value)
}

type method func(ctx context.Context, body []byte) (value any, err error)

// taking is a method that takes an argument.
func taking[T any](do func(ctx context.Context, given T) (any, error)) method {
	return func(ctx context.Context, body []byte) (any, error) {
		var given T
		if err := decode(body, &given); err != nil {
			return nil, err
		}
		return do(ctx, given)
	}
}

// noting is a method that takes states.
func noting(do func(context.Context, []sidecar.SavedState) error) method {
	return taking(func(ctx context.Context, states []savedState) (any, error) { return nil, do(ctx, unpackStates(states)) })
}

// methods are the calls but that to load.
func (h *Host) methods() map[string]method {
	f := h.folder
	return map[string]method{
		callHello:  func(context.Context, []byte) (any, error) { return f.Path(), nil },
		callLock:   func(ctx context.Context, _ []byte) (any, error) { return nil, f.Lock(ctx) },
		callClose:  func(ctx context.Context, _ []byte) (any, error) { return nil, f.Close(ctx) },
		callSettle: taking(func(ctx context.Context, number int64) (any, error) { return h.calls.settle(ctx, number) }),
		callLoadStates: func(ctx context.Context, _ []byte) (any, error) {
			states, err := f.LoadStates(ctx)
			return packStates(states), err
		},
		callInterrupted: func(ctx context.Context, _ []byte) (any, error) { return f.Interrupted(ctx) },
		callSpec: func(ctx context.Context, _ []byte) (any, error) {
			spec, err := f.LoadSpec(ctx)
			return []byte(spec), err
		},
		callResume: taking(func(ctx context.Context, r resumption) (any, error) {
			catalog, given := r.unpack()
			return f.Resume(ctx, catalog, given)
		}),
		callFinish: taking(func(ctx context.Context, packed []stream) (any, error) {
			streams := make([]airbyte.StreamDescriptor, len(packed))
			for i, one := range packed {
				streams[i] = one.unpack()
			}
			return nil, f.Finish(ctx, streams)
		}),
		callSaveStates: noting(f.SaveStates),
		callNote:       noting(f.NoteStates),
		callConfirm:    noting(f.ConfirmStates),
		callSaveResult: taking(func(ctx context.Context, r result) (any, error) {
			return nil, f.SaveResult(ctx, sidecar.Result{Command: r.Command, Status: r.Status, Payload: r.Payload, Message: r.Message})
		}),
		callSaveTask:   taking(func(ctx context.Context, task sidecar.TaskRecord) (any, error) { return nil, f.SaveTask(ctx, task) }),
		callFinishTask: taking(func(ctx context.Context, task sidecar.TaskRecord) (any, error) { return nil, f.FinishTask(ctx, task) }),
		callLogs: taking(func(ctx context.Context, lines []logLine) (any, error) {
			return nil, f.AppendLogs(ctx, unpackLogs(lines))
		}),
		callConfig: taking(func(_ context.Context, config []byte) (any, error) { return h.keepConfig(config) }),
	}
}

// keepConfig keeps a configuration that the connector changed. It is full of secrets (I5).
func (h *Host) keepConfig(config []byte) (path string, err error) {
	path = filepath.Join(h.folder.Path(), h.configFile)
	return path, atomicfile.Replace(path, config, 0o600)
}

// onlyListener brings one connection, and ends with it.
type onlyListener struct {
	conn    *onlyConn
	brought bool
}

// Accept returns the connection, and then waits for its end.
func (l *onlyListener) Accept() (net.Conn, error) {
	if !l.brought {
		l.brought = true
		return l.conn, nil
	}
	<-l.conn.closed
	return nil, net.ErrClosed
}

// Close closes the connection.
func (l *onlyListener) Close() error { return l.conn.Close() }

// Addr is that of the connection.
func (l *onlyListener) Addr() net.Addr { return l.conn.LocalAddr() }

// onlyConn tells when it is closed.
type onlyConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
	err    error
}

// Close closes it once.
func (c *onlyConn) Close() error {
	c.once.Do(func() {
		c.err = c.Conn.Close()
		close(c.closed)
	})
	if errors.Is(c.err, net.ErrClosed) {
		return nil
	}
	return c.err
}
