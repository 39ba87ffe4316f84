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

// errShut is what a transport gets that goes on reading a body after its load has ended.
var errShut = errors.New("the load has ended")

// body is the body of a load. It hands the blocks of the rows to the transport as they are (io.WriterTo), and knows afterwards how far it came:
// whether Bulker can have seen the end of the rows decides whether it can have committed them.
type body struct {
	rows     io.ReadCloser
	length   int64       // -1 when more rows may come
	stopped  func() bool // the request was cancelled: an error of rows is then an echo of that
	deadline *deadline

	closed atomic.Bool
	sent   atomic.Int64 // bytes handed to the transport
	ended  atomic.Bool  // the transport got everything

	reading sync.Mutex // held while the transport uses rows
	failed  error      // of rows; guarded by reading
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
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.closed.Load() {
		return 0, errShut
	}
	b.deadline.rest()
	n, err := b.rows.Read(p)
	b.took(n, err)
	return n, err
}

// WriteTo implements io.WriterTo. The transport calls it for a body that is sent in chunks, one chunk for each write; conn calls it for one of known
// length.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.closed.Load() {
		return 0, errShut
	}
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

// took keeps account of bytes on their way to Bulker and of the end.
func (b *body) took(n int, err error) {
	sent := b.sent.Add(int64(n))
	switch {
	case errors.Is(err, io.EOF) && b.length >= 0 && sent != b.length:
		// net/http finds this too, but its error would look like one of the network.
		b.failed = fmt.Errorf("rows ended at byte %d of %d", sent, b.length)
	case errors.Is(err, io.EOF), err == nil && sent == b.length:
		b.ended.Store(true)
		b.deadline.answering()
	case err != nil:
		if !b.stopped() {
			b.failed = err
		}
	default:
		b.deadline.writing()
	}
}

// Close implements io.Closer for the transport, which may call it while it still reads.
func (b *body) Close() error {
	b.closed.Store(true)
	return nil
}

// shut waits until the transport is done with the rows, then closes them. The request must have ended, or have been cancelled.
func (b *body) shut() error {
	b.closed.Store(true)
	b.deadline.end()
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.rows.Close()
}

// finished says whether everything was handed to the transport. Before that, Bulker cannot commit: it sees the body break off.
func (b *body) finished() bool { return b.ended.Load() }

// left is how many bytes of a known length were not handed over yet.
func (b *body) left() int64 { return b.length - b.sent.Load() }

// begun says whether the transport took any row: before that, it had no connection.
func (b *body) begun() bool { return b.sent.Load() > 0 }

// failure is why the rows could not be read to their end; nil when they could, or when it was the transport that stopped.
func (b *body) failure() error {
	b.reading.Lock()
	defer b.reading.Unlock()
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
	if w.body.closed.Load() {
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
