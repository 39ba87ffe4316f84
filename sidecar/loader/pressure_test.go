package loader

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/sidecar"
)

// TestLoaderPrefersMemory shows that rows stay off the disk while the destination keeps up, and that a slow one costs the connector next to nothing.
func TestLoaderPrefersMemory(t *testing.T) {
	for name, c := range map[string]struct {
		load time.Duration
		disk bool          // rows go there
		most time.Duration // that the connector may wait
	}{
		"fast": {load: 20 * time.Millisecond, most: 10 * time.Second},
		"slow": {load: time.Minute, disk: true, most: memoryPatience},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(c *Config) { c.Spool.Memory = 2 * pressedBytes }, sidecar.StreamConfig{})
				spooled := false
				s.answer = func(load sidecar.Load, _ int, _ io.Reader) error {
					time.Sleep(c.load)
					s.mu.Lock()
					defer s.mu.Unlock()
					spooled = spooled || s.onDisk(load)
					return nil
				}
				row := `{"text":"` + strings.Repeat("x", 10_000) + `"}`
				began := time.Now()
				for range 3000 { // 30 MB
					s.row(0, row)
				}
				if took := time.Since(began); took > c.most {
					t.Errorf("the connector waited %v", took)
				}
				s.finish()
				if spooled != c.disk {
					t.Errorf("rows went to the disk: %t", spooled)
				}
			})
		})
	}
}
