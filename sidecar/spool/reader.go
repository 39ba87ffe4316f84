package spool

import (
	"context"
	"errors"
	"io"
)

// reader reads a spool from the start. It is an io.WriterTo: whole buffers go to the writer without a copy in between.
type reader struct {
	ctx    context.Context //nolint:containedctx // Read has no other way to be cancelled; the reader lives as long as one request
	spool  *Spool
	offset int64
	piece  *[]byte // of the file part; nil before
}

// next returns the bytes at the offset, blocking for more; they are valid until the next call, under the spool's use lock, which it takes.
func (r *reader) next() (chunk []byte, err error) {
	s := r.spool
	for {
		if r.ctx.Err() != nil {
			return nil, context.Cause(r.ctx)
		}
		s.use.RLock()
		s.mu.Lock()
		chunk, at := s.chunk(r.offset)
		slots, inFile := s.slots, s.inFile
		complete, failure, changed := s.complete, s.err, s.changed
		s.mu.Unlock()
		switch {
		case failure != nil:
			err = failure
		case chunk != nil:
			r.offset += int64(len(chunk))
			return chunk, nil
		case at < inFile:
			chunk, err = r.fromFile(slots, inFile, at)
			if err == nil {
				return chunk, nil
			}
		case complete:
			err = io.EOF
		}
		s.use.RUnlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return nil, context.Cause(r.ctx)
		}
	}
}

// chunk finds the bytes at an offset: a buffer in memory, or else a place in the file part. The caller holds mu.
func (s *Spool) chunk(offset int64) (buffer []byte, at int64) {
	if offset < s.inMemory {
		for _, buffer := range s.sealed {
			if offset < int64(len(buffer)) {
				return buffer[offset:], 0
			}
			offset -= int64(len(buffer))
		}
	}
	return nil, offset - s.inMemory
}

// fromFile reads a piece of the file part, which is in the slots given and has so many bytes.
func (r *reader) fromFile(slots []uint32, size, at int64) ([]byte, error) {
	if r.piece == nil {
		r.piece, _ = r.spool.buffers.pieces.Get().(*[]byte)
	}
	n, err := r.spool.disk.read(slots, size, at, *r.piece)
	if err != nil {
		return nil, err
	}
	r.offset += int64(n)
	return (*r.piece)[:n], nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	chunk, err := r.next()
	if err != nil {
		return 0, err
	}
	defer r.spool.use.RUnlock()
	n := copy(p, chunk)
	r.offset -= int64(len(chunk) - n)
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var written int64
	defer r.giveBack()
	for {
		chunk, err := r.next()
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(chunk)
		r.spool.use.RUnlock()
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// giveBack lets the next load have the piece. It is for the reading goroutine: Close may come from another, while the piece is still being sent.
func (r *reader) giveBack() {
	if r.piece != nil {
		r.spool.buffers.pieces.Put(r.piece)
		r.piece = nil
	}
}

// Close implements io.Closer.
func (r *reader) Close() error { return nil }
