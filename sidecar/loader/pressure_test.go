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

// TestOtherStreamsGrowOldMeanwhile: while the appender waits for room of a stream whose table hangs, the open batch of another one is delivered at
// its age.
func TestOtherStreamsGrowOldMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, sidecar.StreamConfig{}, sidecar.StreamConfig{})
		s.loader.config.Batch.Rows = 80 // ten rows close a batch of an idle stream
		s.answer = func(load sidecar.Load, _ int, _ io.Reader) error {
			if load.Table.Name == "a" {
				time.Sleep(time.Hour)
			}
			return nil
		}
		s.rows(1, 3)
		began := time.Now()
		go s.rows(0, 500) // waits for room after two batches
		time.Sleep(s.loader.config.Batch.Age + time.Minute)
		if got := s.loader.Progress()[1].Acked.Rows; got != 3 {
			t.Errorf("%d rows of the other stream are delivered after %v", got, time.Since(began))
		}
		s.loader.Stop(ErrCut)
		synctest.Wait()
		s.finish()
	})
}

// TestOldBatchesWaitForRoom: while a table hangs, age closes no more batches of its stream than may wait.
func TestOldBatchesWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, sidecar.StreamConfig{})
		s.answer = func(sidecar.Load, int, io.Reader) error {
			time.Sleep(time.Hour)
			return nil
		}
		for range 20 {
			s.rows(0, 1)
			time.Sleep(s.config.Batch.Age)
			s.tick()
		}
		s.finish()
		s.expectLoads("a 0 1", "a 0 1", "a 0 18")
	})
}

// TestHurryEndsTheWait: a session that is ending does not wait for a table that hangs, neither for room in its queue nor for what it holds on the
// disk.
func TestHurryEndsTheWait(t *testing.T) {
	row := `{"text":"` + strings.Repeat("x", 10_000) + `"}`
	for name, change := range map[string]func(*Config){
		"the queue": func(c *Config) { c.Batch.Rows = 8 },
		"the disk":  func(c *Config) { c.Spool.Memory, c.Spool.Limit, c.Batch.Bytes = 0, 2<<20, 1<<20 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, change, sidecar.StreamConfig{})
				s.answer = func(sidecar.Load, int, io.Reader) error {
					time.Sleep(time.Hour)
					return nil
				}
				began, handed := time.Now(), make(chan time.Time)
				go func() {
					for range 300 {
						s.row(0, row)
					}
					handed <- time.Now()
				}()
				time.Sleep(time.Minute)
				s.loader.Hurry()
				if waited := (<-handed).Sub(began); waited != time.Minute {
					t.Errorf("it waited %v", waited)
				}
				s.loader.Stop(ErrCut)
				s.finish()
			})
		})
	}
}
