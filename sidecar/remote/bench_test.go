package remote

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// BenchmarkLoad is the speed of loads of 8 MiB over a Unix socket.
func BenchmarkLoad(b *testing.B) {
	folder := newRig(b, b.TempDir(), sidecar.Identity{SyncID: "sync"}, nil).open()
	_, err := folder.Resume(b.Context(), users(), nil)
	must(b, err)
	rows := sidecartest.NewRows(batch(0, 8<<10)...)
	b.SetBytes(rows.Size())
	for range b.N {
		must(b, folder.Load(b.Context(), sidecar.Load{Table: usersTable(), Rows: rows}))
	}
}

// BenchmarkCall is the time of a call with nothing to do.
func BenchmarkCall(b *testing.B) {
	folder := newRig(b, b.TempDir(), sidecar.Identity{SyncID: "sync"}, nil).open()
	for range b.N {
		must(b, folder.Lock(b.Context()))
	}
}
