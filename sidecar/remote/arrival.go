package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// load loads the rows that a call brings. Loads of one table come one after the other, but one that was cancelled may still be taken back here.
func (h *Host) load(ctx context.Context, r *http.Request) error {
	const buffer = 64 << 10
	body := bufio.NewReaderSize(r.Body, buffer)
	line, err := body.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("receive a load: %w", err)
	}
	var given loading
	if err := decode(line, &given); err != nil {
		return err
	}
	stream := given.Stream.unpack()
	table := h.table(stream)
	table.Lock()
	defer table.Unlock()
	return h.folder.Load(ctx, sidecar.Load{
		Table: sidecar.Table{Stream: stream, Name: stream.Name, Namespace: stream.Namespace, PrimaryKey: given.PrimaryKey},
		Mode:  sidecar.Mode(given.Mode), Rows: &arrival{body: body, trailer: func() http.Header { return r.Trailer }},
	})
}

// table is the lock of a stream's table.
func (h *Host) table(stream airbyte.StreamDescriptor) *sync.Mutex {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tables[stream] == nil {
		h.tables[stream] = &sync.Mutex{}
	}
	return h.tables[stream]
}

// arrival are rows that arrive. They can be read once.
type arrival struct {
	body    io.Reader
	trailer func() http.Header // known at the end
	opened  bool

	read, rows, bytes int64
	complete          bool
}

var _ sidecar.Rows = (*arrival)(nil)

// Open implements sidecar.Rows. The end of ctx ends the call, and with it the body.
func (a *arrival) Open(context.Context) (io.ReadCloser, error) {
	if a.opened {
		return nil, errors.New("rows that arrive can be read once")
	}
	a.opened = true
	return io.NopCloser(a), nil
}

// Read reads rows. At their end it looks whether all of them came.
func (a *arrival) Read(into []byte) (int, error) {
	n, err := a.body.Read(into)
	a.read += int64(n)
	if errors.Is(err, io.EOF) {
		err = a.end()
	}
	return n, err
}

// end reads what the sender says of the rows: a body that was cut has no trailers.
func (a *arrival) end() error {
	trailer := a.trailer()
	rows, rowsErr := strconv.ParseInt(trailer.Get(trailerRows), 10, 64)
	bytes, bytesErr := strconv.ParseInt(trailer.Get(trailerBytes), 10, 64)
	if rowsErr != nil || bytesErr != nil {
		return fmt.Errorf("rows were cut off after %d bytes: %w", a.read, io.ErrUnexpectedEOF)
	}
	a.rows, a.bytes, a.complete = rows, bytes, true
	return io.EOF
}

// Count implements sidecar.Rows.
func (a *arrival) Count() int64 { return a.rows }

// Size implements sidecar.Rows.
func (a *arrival) Size() int64 { return a.bytes }

// Complete implements sidecar.Rows.
func (a *arrival) Complete() bool { return a.complete }
