package bulker_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
)

// blockRows hand over the same block again and again, as the session's spool hands over its blocks (64 KiB, io.WriterTo).
type blockRows struct {
	block  []byte
	blocks int64
	live   bool
	wrote  int64 // bytes that its reader wrote itself, over all loads
}

func newBlockRows(live bool) *blockRows {
	row := []byte(`{"id":1,"text":"` + string(bytes.Repeat([]byte("x"), 300)) + `"}` + "\n")
	return &blockRows{block: bytes.Repeat(row, (64<<10)/len(row)), blocks: 4096, live: live}
}

func (r *blockRows) Count() int64   { return r.blocks * int64(bytes.Count(r.block, []byte("\n"))) }
func (r *blockRows) Size() int64    { return r.blocks * int64(len(r.block)) }
func (r *blockRows) Complete() bool { return !r.live }

func (r *blockRows) Open(context.Context) (io.ReadCloser, error) { return &blockReader{rows: r}, nil }

type blockReader struct {
	rows *blockRows
	at   int64
}

func (r *blockReader) Close() error { return nil }

func (r *blockReader) Read(p []byte) (int, error) {
	if r.at == r.rows.Size() {
		return 0, io.EOF
	}
	n := copy(p, r.rows.block[r.at%int64(len(r.rows.block)):])
	r.at += int64(n)
	return n, nil
}

func (r *blockReader) WriteTo(w io.Writer) (int64, error) {
	begun := r.at
	for r.at < r.rows.Size() {
		n, err := w.Write(r.rows.block[r.at%int64(len(r.rows.block)):])
		r.at += int64(n)
		r.rows.wrote += int64(n)
		if err != nil {
			return r.at - begun, err
		}
	}
	return r.at - begun, nil
}

// BenchmarkLoad sends 256 MiB of rows to a server process that counts them.
func BenchmarkLoad(b *testing.B) {
	server := run(b, build(b), "-discard")
	c, err := bulker.New(bulker.Options{URL: server.url, DestinationID: "d"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for name, live := range map[string]bool{"live": true, "complete": false} {
		b.Run(name, func(b *testing.B) {
			rows := newBlockRows(live)
			b.SetBytes(rows.Size())
			before := cpu(b)
			for b.Loop() {
				if err := c.Load(b.Context(), load(sidecar.Append, rows)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpu(b)-before)/(float64(rows.Size())*float64(b.N)/1e9), "cpu-s/GB")
		})
	}
}
