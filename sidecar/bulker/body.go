package bulker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"sync-sidecar/sidecar"
)

// errShut is what a transport gets that still reads the body after the load has ended.
var errShut = errors.New("the load has ended")

// body is the body of a load's request. It hands the rows to the transport in the blocks in which they are spooled (io.WriterTo), and knows
// afterwards how many it handed over: Bulker can have committed the rows only if it can have seen the last one.
type body struct {
	rows     io.ReadCloser
	length   int64       // -1 when more rows may come
	stopped  func() bool // the request was cancelled: an error of rows is then an echo of that
	deadline *deadline

	sent  atomic.Int64 // bytes handed to the transport
	ended atomic.Bool  // the transport got everything

	mu sync.Mutex
	// +checklocks:mu
	closed bool // the transport gets no more rows
	// +checklocks:mu
	failed error // why the rows could not be read

	using sync.WaitGroup // the transport's calls that use rows at this moment; after closed there are no new ones
}

// openBody opens the rows. A complete load has a known length.
func openBody(ctx context.Context, rows sidecar.Rows, complete bool, d *deadline) (*body, error) {
	reader, err := rows.Open(ctx)
	if err != nil {
		return nil, err
	}
	b := &body{rows: reader, length: -1, deadline: d, stopped: func() bool { return ctx.Err() != nil }}
	if complete {
		b.length = rows.Size()
	}
	return b, nil
}

// Read implements io.Reader; the transport calls it for a body of known length.
func (b *body) Read(p []byte) (int, error) {
	if !b.enter() {
		return 0, errShut
	}
	defer b.using.Done()
	b.deadline.rest()
	n, err := b.rows.Read(p)
	b.took(n, err)
	return n, err
}

// WriteTo implements io.WriterTo. The transport calls it for a body that is sent in chunks, one chunk for each write; conn calls it for one of known
// length.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	if !b.enter() {
		return 0, errShut
	}
	defer b.using.Done()
	b.deadline.rest()
	out := &blockWriter{body: b, w: w}
	n, err := copyBlocks(out, b.rows)
	switch {
	case err == nil:
		b.took(0, io.EOF)
	case out.err == nil:
		b.took(0, err)
	}
	return n, err
}

// copyBlocks copies without a buffer of its own when the rows can do without.
func copyBlocks(w io.Writer, rows io.Reader) (int64, error) {
	if direct, ok := rows.(io.WriterTo); ok {
		return direct.WriteTo(w)
	}
	return io.CopyBuffer(w, rows, make([]byte, writeBuffer))
}

// enter counts a call of the transport that uses the rows; false when it must not.
func (b *body) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.using.Add(1)
	}
	return !b.closed
}

// took keeps account of the bytes that are on their way to Bulker, and of their end.
func (b *body) took(n int, err error) {
	sent := b.sent.Add(int64(n))
	switch {
	case errors.Is(err, io.EOF) && b.length >= 0 && sent != b.length:
		// net/http finds this too, but its error would look like one of the network.
		b.fail(fmt.Errorf("rows ended at byte %d of %d", sent, b.length))
	case errors.Is(err, io.EOF), err == nil && sent == b.length:
		b.ended.Store(true)
		b.deadline.answering()
	case err != nil:
		if !b.stopped() {
			b.fail(err)
		}
	default:
		b.deadline.writing()
	}
}

// fail notes why the rows could not be read.
func (b *body) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
}

// Close implements io.Closer for the transport, which may call it while it still reads.
func (b *body) Close() error {
	b.refuse()
	return nil
}

// refuse gives the transport no more rows.
func (b *body) refuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// shut waits until the transport is done with the rows, and closes them. The request must have ended, or have been cancelled.
func (b *body) shut() error {
	b.refuse()
	b.deadline.end()
	b.using.Wait()
	return b.rows.Close()
}

// isClosed says that the transport must not use the rows any more.
func (b *body) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// finished says whether everything was handed to the transport. Before that, Bulker cannot commit: it sees the body break off.
func (b *body) finished() bool { return b.ended.Load() }

// left is how many bytes of a body of known length were not handed over yet.
func (b *body) left() int64 { return b.length - b.sent.Load() }

// begun says whether the transport took any row. If not, it had no connection.
func (b *body) begun() bool { return b.sent.Load() > 0 }

// failure is why the rows could not be read to their end; nil when they could, or when the transport stopped before.
func (b *body) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// blockWriter passes blocks on, and stops a body that was closed.
type blockWriter struct {
	body *body
	w    io.Writer
	err  error
}

// Write implements io.Writer.
func (w *blockWriter) Write(p []byte) (int, error) {
	if w.body.isClosed() {
		w.err = errShut
		return 0, w.err
	}
	w.body.deadline.writing()
	n, err := w.w.Write(p)
	w.err = err
	w.body.took(n, nil) // only now can Bulker have seen them
	w.body.deadline.rest()
	return n, err
}
