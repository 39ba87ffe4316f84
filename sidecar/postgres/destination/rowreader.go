package destination

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

const (
	inBuffer = 256 << 10
	// outFull is when encoded rows are handed over; pgx takes 64 KiB at a time.
	outFull = 64 << 10
	// kept is how large buffers may stay, once a long row is through.
	kept = 1 << 20
)

// lines reads the rows of a load one by one, and checks at the end that they are all.
type lines struct {
	rows   sidecar.Rows
	source io.ReadCloser
	buffer []byte
	next   int // of the first byte in buffer that was not returned
	count  int64
	size   int64
	ended  bool
}

// openLines opens the rows of a load.
func openLines(ctx context.Context, load sidecar.Load) (*lines, error) {
	source, err := load.Rows.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("rows of table %s: %w", load.Table.Name, err)
	}
	size := inBuffer
	if load.Rows.Complete() { // of the small loads of many streams, each is to cost no more than it holds
		size = min(size, int(load.Rows.Size())+1)
	}
	return &lines{rows: load.Rows, source: source, buffer: make([]byte, 0, size)}, nil
}

// waits says that the next row is not in memory, and reading it may take as long as the connector does.
func (l *lines) waits() bool { return bytes.IndexByte(l.buffer[l.next:], '\n') < 0 }

// line is the next row without its line feed, valid until the next call; io.EOF follows the last one.
func (l *lines) line() ([]byte, error) {
	for seen := l.next; ; {
		if end := bytes.IndexByte(l.buffer[seen:], '\n'); end >= 0 {
			row := l.buffer[l.next : seen+end]
			l.next = seen + end + 1
			l.count++
			l.size += int64(len(row)) + 1
			return row, nil
		}
		if l.ended {
			return nil, l.check()
		}
		seen = len(l.buffer) - l.next
		l.makeRoom()
		n, err := l.source.Read(l.buffer[len(l.buffer):cap(l.buffer)])
		l.buffer = l.buffer[:len(l.buffer)+n]
		switch {
		case errors.Is(err, io.EOF):
			l.ended = true
		case err != nil:
			return nil, err
		}
	}
}

// makeRoom moves what was not returned yet to the front of the buffer, which grows while it holds one long row.
func (l *lines) makeRoom() {
	rest := l.buffer[l.next:]
	size := cap(l.buffer)
	switch {
	case len(rest) == size:
		size = l.larger(size)
	case size > kept && len(rest) < inBuffer:
		size = inBuffer
	}
	if size != cap(l.buffer) {
		rest = append(make([]byte, 0, size), rest...)
	} else {
		rest = l.buffer[:copy(l.buffer[:cap(l.buffer)], rest)]
	}
	l.buffer, l.next = rest, 0
}

// larger is the size of a buffer for a row that does not fit into one of this size; no larger than all that is still to come.
func (l *lines) larger(size int) int {
	twice := 2 * size
	if !l.rows.Complete() {
		return twice
	}
	return max(min(twice, int(l.rows.Size()-l.size)), size+1)
}

// check is io.EOF when the rows were all there.
func (l *lines) check() error {
	torn := len(l.buffer) - l.next
	if torn > 0 || l.count != l.rows.Count() || l.size != l.rows.Size() {
		return fmt.Errorf("%d rows of %d bytes were read, %d of %d were to come", l.count, l.size+int64(torn), l.rows.Count(), l.rows.Size())
	}
	return io.EOF
}

// close lets the rows go. There may be many loads of one transaction: what they do not need any more they do not keep.
func (l *lines) close() error {
	source := l.source
	l.buffer, l.next, l.source = nil, 0, nil
	return source.Close()
}

// copyText is the text of a COPY: the rows as the encoder writes them. It is an io.Reader that may be called by one goroutine and closed by another.
type copyText struct {
	lines   *lines
	encoder *layout.Encoder
	watch   *watch
	cancel  context.CancelCauseFunc // of the rows
	turn    chan struct{}           // held by Read, and for ever once closed
	out     []byte
	at      int
	err     error // of the rows, once they end
}

// openCopy opens the rows of a load for a COPY.
func openCopy(ctx context.Context, load sidecar.Load, encoder *layout.Encoder, w *watch) (*copyText, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	rows, err := openLines(ctx, load)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	return &copyText{lines: rows, encoder: encoder, watch: w, cancel: cancel, turn: make(chan struct{}, 1)}, nil
}

// fill encodes rows until there are enough of them, or until the next one may take long.
func (t *copyText) fill() {
	if t.at < len(t.out) || t.err != nil {
		return
	}
	if cap(t.out) > kept {
		t.out = nil
	}
	t.out, t.at = t.out[:0], 0
	for len(t.out) < outFull && (len(t.out) == 0 || !t.lines.waits()) {
		row, err := t.lines.line()
		if len(row) > rowBytes {
			err = &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("row %d has %d bytes, more than the %d that a table takes", t.lines.count,
				len(row), rowBytes)}
		}
		if len(row) > outFull { // once, and not in steps that each copy it
			t.out = slices.Grow(t.out, len(row)+len(row)/8)
		}
		if err == nil {
			t.out, err = t.encoder.Append(t.out, row)
		}
		if err != nil {
			t.err = err
			return
		}
	}
}

// Read implements io.Reader.
func (t *copyText) Read(p []byte) (int, error) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	t.watch.rest()
	if t.fill(); t.at == len(t.out) {
		t.watch.end()
		return 0, t.err
	}
	t.watch.rows()
	n := copy(p, t.out[t.at:])
	t.at += n
	return n, nil
}

// peek encodes the first rows, so that what they lack is known before a transaction begins. It waits for the first one.
func (t *copyText) peek() error {
	if t.fill(); errors.Is(t.err, io.EOF) {
		return nil
	}
	return t.err
}

// none says, after peek, that there is no row.
func (t *copyText) none() bool { return len(t.out) == 0 && errors.Is(t.err, io.EOF) }

// close ends a Read that is under way, whose goroutine does not use the encoder afterwards, and lets the rows go.
func (t *copyText) close() error {
	t.cancel(errCopyEnded)
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.err == nil {
		t.err = errCopyEnded
	}
	t.out, t.at = nil, 0
	t.encoder.Release()
	return t.lines.close()
}

// failure is why the rows did not come to their end, after close; nil when they did, or when it was the COPY that ended before.
func (t *copyText) failure() error {
	if errors.Is(t.err, io.EOF) || errors.Is(t.err, errCopyEnded) || sqlState(t.err) != "" {
		return nil
	}
	return t.err
}

// errCopyEnded is what a late reader gets.
var errCopyEnded = errors.New("the COPY has ended")
