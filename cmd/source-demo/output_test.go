package main

import (
	"math"
	"testing"
	"time"
)

// TestPieces: small writes change nothing but their size.
func TestPieces(t *testing.T) {
	catalog := catalogFile(t, incremental, "id", "")
	whole := mustRead(t, "read", "--config", file(t, `{"count":50}`), "--catalog", catalog)
	sizes := &sizedWriter{}
	code := execute([]string{"read", "--config", file(t, `{"count":50,"write_bytes":7}`), "--catalog", catalog},
		world{stdout: sizes, stderr: sizes, now: func() time.Time { return time.UnixMicro(1_735_850_275_276_246) }})
	if code != 0 || sizes.String() != whole || sizes.largest != 7 {
		t.Errorf("exit code %d, same: %t, largest write %d", code, sizes.String() == whole, sizes.largest)
	}
}

type sizedWriter struct {
	buffer
	largest int
}

func (w *sizedWriter) Write(b []byte) (int, error) {
	w.largest = max(w.largest, len(b))
	return w.buffer.Write(b)
}

// TestRate: so many rows per second, and no row waits in the buffer.
func TestRate(t *testing.T) {
	started := time.Now()
	got := runProcess(t, "read", "--config", file(t, `{"counts":{"orders":60},"rate":200}`),
		"--catalog", catalogFile(t, incremental, "id", "", "orders"))
	if took := time.Since(started).Seconds(); got.code != 0 || math.Round(took*100) < 29 {
		t.Errorf("exit code %d, 60 rows at 200 a second took %.3f s", got.code, took)
	}
}
