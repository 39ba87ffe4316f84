package destination

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// repeated is one row, many times, which takes no memory.
type repeated struct {
	row   []byte // with its line feed
	count int64
}

func (r *repeated) Open(context.Context) (io.ReadCloser, error) {
	return &repeatedReader{rows: r}, nil
}
func (r *repeated) Count() int64   { return r.count }
func (r *repeated) Size() int64    { return r.count * int64(len(r.row)) }
func (r *repeated) Complete() bool { return true }

type repeatedReader struct {
	rows *repeated
	at   int64
}

func (r *repeatedReader) Read(p []byte) (int, error) {
	if r.at == r.rows.Size() {
		return 0, io.EOF
	}
	n := copy(p, r.rows.row[r.at%int64(len(r.rows.row)):])
	r.at += int64(n)
	return n, nil
}

func (r *repeatedReader) Close() error { return nil }

// TestMemory: what a load takes does not grow with its rows, and a long row costs little more than itself twice: as JSON, and as a line of the COPY.
func TestMemory(t *testing.T) { //nolint:paralleltest // it measures the process
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `create table orders (id bigint, v text); create view seen as select count(*) as n, max(length(v)) as longest from orders`)
	const mib = 1 << 20
	r := begin(t, url, nil, nil, table("orders", properties(idAndV)))
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"warm"}`))
	for name, c := range map[string]struct {
		length, count int
		total, peak   uint64 // bytes that are allocated; bytes that are in use at once
	}{
		"many rows": {length: 200, count: 300_000, total: 8 * mib, peak: 32 * mib},
		"long rows": {length: 50 * mib, count: 2, total: 560 * mib, peak: 240 * mib},
	} {
		row := append([]byte(`{"id":7,"v":"`), bytes.Repeat([]byte("x"), c.length)...)
		rows := &repeated{row: append(row, "\"}\n"...), count: int64(c.count)}
		defer debug.SetGCPercent(debug.SetGCPercent(10)) // so that the heap is what is in use
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		load := sidecar.Load{Table: r.tables[0], Mode: sidecar.ReplaceWhole, Rows: rows}
		peak := watchHeap(t.Context(), func() { must(t, r.Load(within(t), load)) })
		runtime.ReadMemStats(&after)
		if total := after.TotalAlloc - before.TotalAlloc; total > c.total || peak-before.HeapInuse > c.peak {
			t.Errorf("%s: %d MiB were allocated, at most %d MiB at once", name, total/mib, (peak-before.HeapInuse)/mib)
		}
	}
}

// watchHeap is the most that the heap had in use while do ran.
func watchHeap(ctx context.Context, do func()) (peak uint64) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	do()
	cancel()
	watching.Wait()
	return peak
}
