package spool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/cursor"
)

// ordered are the rows of a complete spool by the value of a cursor; rows of equal values keep their order.
type ordered struct {
	*Spool
	spans []span
}

// span is where a row is, with its line feed.
type span struct {
	offset int64
	length int
	value  cursor.Value
}

// ByCursor gives the rows of a complete spool from the oldest to the newest, by the field at a path. It reads them once to find that out, and takes
// memory for each row.
func ByCursor(ctx context.Context, s *Spool, path cursor.Path) (sidecar.Rows, error) {
	rows, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lines := bufio.NewReaderSize(rows, pieceSize)
	o := &ordered{Spool: s, spans: make([]span, 0, s.Count())}
	var row []byte
	for offset := int64(0); ; {
		row, err = readLine(lines, row[:0])
		switch {
		case errors.Is(err, io.EOF) && len(row) == 0:
			slices.SortStableFunc(o.spans, func(a, b span) int { return cursor.Compare(a.value, b.value) })
			return o, nil
		case err != nil:
			return nil, fmt.Errorf("order rows by their cursor: %w", err)
		}
		o.spans = append(o.spans, span{offset: offset, length: len(row), value: cursor.Of(row, path)})
		offset += int64(len(row))
	}
}

// readLine reads to the next line feed, which it includes.
func readLine(from *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := from.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// Open implements sidecar.Rows.
func (o *ordered) Open(ctx context.Context) (io.ReadCloser, error) {
	return &orderedReader{ctx: ctx, rows: o}, nil
}

// orderedReader reads ordered rows.
type orderedReader struct {
	ctx  context.Context //nolint:containedctx // Read has no other way to be cancelled; the reader lives as long as one request
	rows *ordered
	next int
	row  bytes.Reader
	text []byte
}

// Read implements io.Reader.
func (r *orderedReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n := 0
	for n < len(p) {
		if r.row.Len() == 0 {
			if r.next == len(r.rows.spans) {
				break
			}
			at := r.rows.spans[r.next]
			r.next++
			r.text = slices.Grow(r.text[:0], at.length)[:at.length]
			if err := r.rows.readAt(r.text, at.offset); err != nil {
				return n, err
			}
			r.row.Reset(r.text)
		}
		read, err := r.row.Read(p[n:])
		n += read
		if err != nil {
			return n, err
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (r *orderedReader) Close() error { return nil }

// readAt fills p with what is at an offset of a complete spool.
func (s *Spool) readAt(p []byte, offset int64) error {
	s.mu.Lock()
	sealed, slots, inFile, err := s.sealed, s.slots, s.inFile, s.err
	if err == nil {
		s.using.Add(1)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	defer s.using.Done()
	for _, buffer := range sealed {
		if offset < int64(len(buffer)) && len(p) > 0 {
			n := copy(p, buffer[offset:])
			p, offset = p[n:], offset+int64(n)
		}
		offset -= int64(len(buffer))
	}
	if len(p) == 0 {
		return nil
	}
	n, err := s.disk.read(slots, inFile, offset, p)
	if err == nil && n < len(p) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
