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
	piece  *[]byte // for bytes of the file; nil before the first
}

// next returns the bytes at the offset, blocking until there are some. They are valid until the caller calls spool.using.Done, which it must.
func (r *reader) next() (chunk []byte, err error) {
	for {
		if r.ctx.Err() != nil {
			return nil, context.Cause(r.ctx)
		}
		found := r.spool.at(r.offset)
		switch {
		case found.err != nil:
			return nil, found.err
		case found.buffer != nil:
			r.offset += int64(len(found.buffer))
			return found.buffer, nil
		case found.fileAt < found.inFile:
			if chunk, err = r.fromFile(found.slots, found.inFile, found.fileAt); err != nil {
				r.spool.using.Done()
			}
			return chunk, err
		case found.complete:
			return nil, io.EOF
		}
		select {
		case <-found.changed:
		case <-r.ctx.Done():
			return nil, context.Cause(r.ctx)
		}
	}
}

// view is what a spool holds at an offset: a buffer in memory, bytes of the file part from fileAt on, or nothing yet.
type view struct {
	buffer   []byte
	slots    []uint32
	inFile   int64
	fileAt   int64
	complete bool
	changed  <-chan struct{} // closed when looking again is worth it
	err      error
}

// at looks up an offset. When bytes are there, the caller is counted in using.
func (s *Spool) at(offset int64) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return view{err: s.err}
	}
	found := view{slots: s.slots, inFile: s.inFile, complete: s.complete, changed: s.changed, fileAt: offset - s.inMemory}
	if offset < s.inMemory {
		for _, buffer := range s.sealed {
			if offset < int64(len(buffer)) {
				found.buffer = buffer[offset:]
				break
			}
			offset -= int64(len(buffer))
		}
	}
	if found.buffer != nil || found.fileAt < s.inFile {
		s.using.Add(1)
	}
	return found
}

// fromFile reads a piece of a spool's file part, which has size bytes in the slots given, from at on.
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
		r.giveBack()
		return 0, err
	}
	defer r.spool.using.Done()
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
		r.spool.using.Done()
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// giveBack lets the next load have the piece. The reading goroutine calls it: Close may come from another one while the piece is still being sent.
func (r *reader) giveBack() {
	if r.piece != nil {
		r.spool.buffers.pieces.Put(r.piece)
		r.piece = nil
	}
}

// Close implements io.Closer.
func (r *reader) Close() error { return nil }
