package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"sync-sidecar/sidecar"
)

// Load implements sidecar.Destination.
func (f *Folder) Load(ctx context.Context, load sidecar.Load) error {
	head, err := json.Marshal(loading{Stream: packStream(load.Table.Stream), PrimaryKey: load.Table.PrimaryKey, Mode: int(load.Mode)})
	if err != nil {
		return fmt.Errorf("encode what the local folder is told: %w", err)
	}
	err = f.line.send(ctx, ctx, callLoad, nil, func(ctx context.Context) (sending, error) {
		ctx, stop := context.WithCancel(ctx)
		rows, err := load.Rows.Open(ctx)
		if err != nil {
			stop()
			return sending{}, err
		}
		d := &departure{head: bytes.NewReader(append(head, '\n')), rows: rows, of: load.Rows, stop: stop,
			trailer: http.Header{trailerRows: nil, trailerBytes: nil}}
		return sending{body: d, trailer: d.trailer, failed: d.failed, release: d.release}, nil
	})
	return f.loadError(ctx, load.Table, err)
}

// loadError is the Host's own error as it is, or says which rows it is about.
func (f *Folder) loadError(ctx context.Context, table sidecar.Table, err error) error {
	lost := f.line.lost()
	switch {
	case err == nil, errors.As(err, new(*hostError)):
		return err
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		err = errors.Join(ctx.Err(), err)
	case lost != nil && !errors.As(err, new(*unsendable)):
		return &sidecar.LoadError{Permanent: true, Environment: true, Message: "rows of stream " + table.Stream.String(), Cause: lost}
	}
	return fmt.Errorf("rows of stream %s: %w", table.Stream, err)
}

// departure is the body of a load. Whoever sends it may still read it when the answer is there, and must not once it is released.
type departure struct {
	of      sidecar.Rows
	trailer http.Header
	stop    context.CancelFunc    // ends a read of rows that is under way
	stopped atomic.Bool           // nobody wants to read any more
	err     atomic.Pointer[error] // of reading rows, but io.EOF

	mu sync.Mutex
	// +checklocks:mu
	head *bytes.Reader
	// +checklocks:mu
	rows io.ReadCloser // nil once released
}

// Read reads the head, and then the rows. At their end their number and size are known.
func (d *departure) Read(into []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rows == nil {
		return 0, io.ErrClosedPipe
	}
	if d.head.Len() > 0 {
		return d.head.Read(into)
	}
	n, err := d.rows.Read(into)
	switch {
	case errors.Is(err, io.EOF):
		d.trailer.Set(trailerRows, strconv.FormatInt(d.of.Count(), 10))
		d.trailer.Set(trailerBytes, strconv.FormatInt(d.of.Size(), 10))
		return n, io.EOF
	case err != nil && !d.stopped.Load():
		d.err.Store(&err)
	}
	return n, err
}

// Close ends a read that is under way: whoever sends the body waits for that when its connection has broken, or when the answer is there already.
func (d *departure) Close() error {
	d.stopped.Store(true)
	d.stop()
	return nil
}

// failed is what went wrong with reading the rows.
func (d *departure) failed() error {
	if err := d.err.Load(); err != nil {
		return *err
	}
	return nil
}

// release closes the rows, once a read that is under way has ended.
func (d *departure) release() {
	d.Close() //nolint:errcheck,gosec // it cannot fail
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rows != nil {
		_ = d.rows.Close() // of rows that were read, or that nobody wants
		d.rows = nil
	}
}
