package spool

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
)

// ErrCutBack is in the error of a reader (errors.Is) that had read rows which the load must not commit after all: the load is to be tried again, and
// will be shorter.
var ErrCutBack = errors.New("the load was cut back to its last state")

// Bounded are the rows of a spool, up to a bound that may be set once, also while a reader is under way.
type Bounded struct {
	spool *Spool
	bound atomic.Pointer[bound]
}

// bound is where the rows end.
type bound struct{ rows, bytes int64 }

// NewBounded are all rows of a spool.
func NewBounded(s *Spool) *Bounded { return &Bounded{spool: s} }

// CutTo leaves the first rows, which take so many bytes. The appender's, before it calls Spool.Finish.
func (b *Bounded) CutTo(rows, bytes int64) { b.bound.Store(&bound{rows: rows, bytes: bytes}) }

// Count implements sidecar.Rows.
func (b *Bounded) Count() int64 {
	if bound := b.bound.Load(); bound != nil {
		return bound.rows
	}
	return b.spool.Count()
}

// Size implements sidecar.Rows.
func (b *Bounded) Size() int64 {
	if bound := b.bound.Load(); bound != nil {
		return bound.bytes
	}
	return b.spool.Size()
}

// Complete implements sidecar.Rows.
func (b *Bounded) Complete() bool { return b.spool.Complete() }

// Open implements sidecar.Rows.
func (b *Bounded) Open(ctx context.Context) (io.ReadCloser, error) {
	rows, err := b.spool.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &boundedReader{ReadCloser: rows, rows: b}, nil
}

// boundedReader ends at the bound.
type boundedReader struct {
	io.ReadCloser
	rows *Bounded
	read int64
}

// Read implements io.Reader.
func (r *boundedReader) Read(p []byte) (int, error) {
	if bound := r.rows.bound.Load(); bound != nil && r.read == bound.bytes {
		return 0, io.EOF
	}
	n, err := r.ReadCloser.Read(p)
	bound := r.rows.bound.Load() // it may have been set while Read waited
	switch {
	case bound == nil || r.read+int64(n) <= bound.bytes:
	case r.read > bound.bytes:
		return 0, ErrCutBack
	default:
		n, err = int(bound.bytes-r.read), nil
	}
	r.read += int64(n)
	return n, err
}
