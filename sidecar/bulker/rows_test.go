package bulker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

// TestMain minds every goroutine but those of net/http's server that let an early answer reach the client: they sleep half a second and end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// start runs a Bulker until the test ends.
func start(t *testing.T, o bulkertest.Options) *bulkertest.Server {
	t.Helper()
	server, err := bulkertest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// client makes a client of a server; change, when not nil, alters its options.
func client(t *testing.T, url string, change func(*bulker.Options)) *bulker.Client {
	t.Helper()
	o := bulker.Options{URL: url, DestinationID: "sync-1", SyncID: "sync-1", TaskID: "task-1", Deduplicate: true}
	if change != nil {
		change(&o)
	}
	c, err := bulker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// wholeRows are rows that are all there.
type wholeRows struct {
	data   []byte
	opened atomic.Int32
	closed atomic.Int32
	plain  bool // their reader is no io.WriterTo
}

func whole(rows ...string) *wholeRows {
	var b bytes.Buffer
	for _, row := range rows {
		b.WriteString(row + "\n")
	}
	return &wholeRows{data: b.Bytes()}
}

// numbered are n rows {"id":1} to {"id":n}.
func numbered(n int) *wholeRows {
	var b bytes.Buffer
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "{\"id\":%d}\n", i)
	}
	return &wholeRows{data: b.Bytes()}
}

func (r *wholeRows) Open(context.Context) (io.ReadCloser, error) {
	r.opened.Add(1)
	var reader io.Reader = bytes.NewReader(r.data)
	if r.plain {
		reader = struct{ io.Reader }{reader}
	}
	return &countedReader{Reader: reader, closed: &r.closed}, nil
}

func (r *wholeRows) Count() int64   { return int64(bytes.Count(r.data, []byte("\n"))) }
func (r *wholeRows) Size() int64    { return int64(len(r.data)) }
func (r *wholeRows) Complete() bool { return true }

type countedReader struct {
	io.Reader
	closed *atomic.Int32
}

func (r *countedReader) Close() error {
	r.closed.Add(1)
	return nil
}

// liveRows are rows that a test adds one by one. Their readers wait for more, as the session's spool does.
type liveRows struct {
	mu       sync.Mutex
	changed  chan struct{}
	data     []byte
	complete bool
	err      error
	using    atomic.Int32 // readers that are not closed
}

func live() *liveRows { return &liveRows{changed: make(chan struct{})} }

func (r *liveRows) add(rows string) { r.set(func() { r.data = append(r.data, rows...) }) }
func (r *liveRows) finish()         { r.set(func() { r.complete = true }) }
func (r *liveRows) abort(err error) { r.set(func() { r.err = err }) }

func (r *liveRows) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *liveRows) Count() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(bytes.Count(r.data, []byte("\n")))
}

func (r *liveRows) Size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.data))
}

func (r *liveRows) Complete() bool { return false }

func (r *liveRows) Open(ctx context.Context) (io.ReadCloser, error) {
	r.using.Add(1)
	return &liveReader{ctx: ctx, rows: r}, nil
}

type liveReader struct {
	ctx  context.Context //nolint:containedctx // Read has no other way to be cancelled
	rows *liveRows
	at   int
}

func (r *liveReader) Read(p []byte) (int, error) {
	for {
		r.rows.mu.Lock()
		n := copy(p, r.rows.data[r.at:])
		complete, err, changed := r.rows.complete, r.rows.err, r.rows.changed
		r.rows.mu.Unlock()
		switch {
		case err != nil:
			return 0, err
		case n > 0:
			r.at += n
			return n, nil
		case complete:
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
	}
}

func (r *liveReader) Close() error {
	r.rows.using.Add(-1)
	return nil
}

// madeRows are n rows that are made while they are read: no memory grows with them.
type madeRows struct {
	n    int64
	live bool
}

const madeRow = `{"id":%d,"name":"a row of a test that has about three hundred bytes, as rows of sources have",` +
	`"text":"Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.",` +
	`"price":12.5,"flag":true,"tags":["a","b"],"at":"2024-05-06T07:08:09Z"}` + "\n"

func (r *madeRows) Count() int64   { return r.n }
func (r *madeRows) Size() int64    { return r.n * int64(len(fmt.Sprintf(madeRow, 100_000_000))) }
func (r *madeRows) Complete() bool { return !r.live }

func (r *madeRows) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(&madeReader{left: r.n}), nil
}

type madeReader struct {
	left   int64
	id     int64
	buffer []byte // reused: whoever watches memory should not see rows that were read
	block  []byte // of it, not read yet
}

func (r *madeReader) Read(p []byte) (int, error) {
	if len(r.block) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.buffer = r.buffer[:0]
		for range min(r.left, 800) {
			r.id++
			r.buffer = fmt.Appendf(r.buffer, madeRow, 100_000_000+r.id)
		}
		r.block = r.buffer
		r.left -= min(r.left, 800)
	}
	n := copy(p, r.block)
	r.block = r.block[n:]
	return n, nil
}

var (
	_ sidecar.Rows = (*wholeRows)(nil)
	_ sidecar.Rows = (*liveRows)(nil)
	_ sidecar.Rows = (*madeRows)(nil)
)
