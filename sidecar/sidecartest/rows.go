package sidecartest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// Rows are the rows of a load, in memory. A live load's are added one by one; its readers block for more, as those of the loader's spool do.
type Rows struct {
	mu sync.Mutex
	// +checklocks:mu
	changed chan struct{} // closed and replaced whenever something changes
	// +checklocks:mu
	data []byte
	// +checklocks:mu
	complete bool
	// +checklocks:mu
	aborted error // what readers get after the rows
	// +checklocks:mu
	torn error // what the next reader gets in the middle of the rows
	// +checklocks:mu
	plain bool // readers are no io.WriterTo
	// +checklocks:mu
	opened int
	// +checklocks:mu
	open int // readers that were not closed
	// +checklocks:mu
	hungry int // readers that wait for more
}

// NewRows are rows that are all there.
func NewRows(rows ...string) *Rows {
	r := LiveRows(rows...)
	r.Finish()
	return r
}

// LiveRows are rows to which others may be added.
func LiveRows(rows ...string) *Rows {
	r := &Rows{changed: make(chan struct{})}
	r.Add(rows...)
	return r
}

// Plain makes readers that are nothing but an io.ReadCloser.
func (r *Rows) Plain() *Rows {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plain = true
	r.tell()
	return r
}

// Add adds rows, each without its line feed.
func (r *Rows) Add(rows ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		r.data = append(append(r.data, row...), '\n')
	}
	r.tell()
}

// Finish says that no more rows come.
func (r *Rows) Finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.complete = true
	r.tell()
}

// Abort lets every reader fail after the rows that are there.
func (r *Rows) Abort(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.aborted = err
	r.tell()
}

// TearOnce lets the next reader fail in the middle of a row, and later ones come to the end: a disk that had a moment of weakness.
func (r *Rows) TearOnce(err error) *Rows {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.torn = err
	r.tell()
	return r
}

// Readers is how many readers there were, and how many of them are not closed.
func (r *Rows) Readers() (opened, open int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened, r.open
}

// AwaitHunger returns when a reader has read all rows that are there and waits for more; false when ctx ends before.
func (r *Rows) AwaitHunger(ctx context.Context) bool {
	for {
		r.mu.Lock()
		hungry, changed := r.hungry > 0, r.changed
		r.mu.Unlock()
		if hungry {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Count implements sidecar.Rows.
func (r *Rows) Count() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(bytes.Count(r.data, []byte{'\n'}))
}

// Size implements sidecar.Rows.
func (r *Rows) Size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.data))
}

// Complete implements sidecar.Rows.
func (r *Rows) Complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.complete
}

// Open implements sidecar.Rows.
func (r *Rows) Open(ctx context.Context) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reader := &rowsReader{ctx: ctx, rows: r, torn: r.torn}
	r.opened, r.open, r.torn = r.opened+1, r.open+1, nil
	r.tell()
	if r.plain {
		return struct{ io.ReadCloser }{reader}, nil
	}
	return reader, nil
}

// tell tells those who wait for a change of one.
//
// +checklocks:r.mu
func (r *Rows) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// count counts readers that are open, and those that wait for more.
func (r *Rows) count(open, hungry int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.hungry = r.open+open, r.hungry+hungry
	r.tell()
}

// after is what follows the first bytes: more of them, an error, or nothing yet.
func (r *Rows) after(at int, torn error) (data []byte, changed <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data = r.data[at:]
	switch middle := len(r.data)/2 - at; {
	case torn != nil && middle <= 0:
		return nil, nil, torn
	case torn != nil:
		return data[:middle], nil, nil
	case len(data) > 0:
		return data, nil, nil
	case r.aborted != nil:
		return nil, nil, r.aborted
	case r.complete:
		return nil, nil, io.EOF
	}
	return nil, r.changed, nil
}

// rowsReader reads rows from the first byte.
type rowsReader struct {
	ctx    context.Context //nolint:containedctx // Read has no other way to be cancelled
	rows   *Rows
	at     int
	torn   error
	hungry bool
	closed atomic.Bool // Close may come from another goroutine
}

// next are bytes that were not read yet; it blocks for them.
func (r *rowsReader) next() ([]byte, error) {
	defer r.starve(false)
	for {
		if r.ctx.Err() != nil {
			return nil, context.Cause(r.ctx)
		}
		data, changed, err := r.rows.after(r.at, r.torn)
		if len(data) > 0 || err != nil {
			return data, err
		}
		if r.starve(true) {
			continue // it told of a change itself
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
		}
	}
}

// starve notes whether the reader waits for more, and says whether that is news.
func (r *rowsReader) starve(hungry bool) bool {
	if r.hungry == hungry {
		return false
	}
	r.hungry = hungry
	if hungry {
		r.rows.count(0, 1)
	} else {
		r.rows.count(0, -1)
	}
	return true
}

// Read implements io.Reader.
func (r *rowsReader) Read(p []byte) (int, error) {
	data, err := r.next()
	n := copy(p, data)
	r.at += n
	return n, err
}

// WriteTo implements io.WriterTo.
func (r *rowsReader) WriteTo(w io.Writer) (written int64, err error) {
	for {
		data, err := r.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return written, err
		}
		n, err := w.Write(data)
		written, r.at = written+int64(n), r.at+n
		if err != nil {
			return written, err
		}
	}
}

// Close implements io.Closer.
func (r *rowsReader) Close() error {
	if r.closed.CompareAndSwap(false, true) {
		r.rows.count(-1, 0)
	}
	return nil
}
