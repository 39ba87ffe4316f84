package loader

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/spool"
)

// smallDisk takes so many bytes. What others free makes room on it.
type smallDisk struct {
	*os.File
	left *atomic.Int64
}

// WriteAt implements spool.File.
func (d smallDisk) WriteAt(p []byte, offset int64) (int, error) {
	if d.left.Add(-int64(len(p))) < 0 {
		d.left.Add(int64(len(p)))
		return 0, &os.PathError{Op: "write", Path: "spool", Err: syscall.ENOSPC}
	}
	return d.File.WriteAt(p, offset)
}

// Punch implements spool.File.
func (d smallDisk) Punch(int64, int64) error { return errors.ErrUnsupported }

// TestFullDiskIsWaitedFor fills a disk while a batch of another stream is being loaded: the connector waits until that makes room. A full disk that
// nothing will free fails the stream as the environment's fault.
func TestFullDiskIsWaitedFor(t *testing.T) {
	row := `{"id":1,"text":"` + strings.Repeat("x", 1000) + `"}`
	for name, draining := range map[string]bool{"a load is under way": true, "nothing is under way": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left := &atomic.Int64{}
				left.Store(300_000)
				s := newStage(t, func(c *Config) {
					c.Batch.Rows, c.Spool.Memory = 1600, 0
					c.Spool.OpenFile = func(dir string) (spool.File, error) {
						file, err := os.CreateTemp(dir, "spool")
						return smallDisk{file, left}, err
					}
				}, sidecar.StreamConfig{}, sidecar.StreamConfig{})
				s.answer = func(_ sidecar.Load, _ int, rows io.Reader) error {
					time.Sleep(time.Minute)
					_, err := io.Copy(io.Discard, rows)
					left.Add(200_000) // what it held
					return err
				}
				if draining {
					for range 200 { // an eighth of a batch
						s.row(0, row)
					}
				} else {
					left.Add(-200_000)
				}
				began := time.Now()
				for range 150 {
					s.row(1, row)
				}
				waited := time.Since(began)
				s.finish()
				err := s.failure(1)
				if draining && (err != nil || waited < time.Minute) {
					t.Errorf("after %v: %v", waited, err)
				}
				if refusal := sidecar.AsLoadError(err); !draining && (refusal == nil || !refusal.Environment || !errors.Is(err, syscall.ENOSPC)) {
					t.Errorf("%v", err)
				}
				if s.failure(0) != nil {
					t.Error(s.failure(0))
				}
			})
		})
	}
}

// TestLoaderWaitsForTheDisk has a slow destination and a spool that holds less than the batches may: the connector waits, no stream fails.
func TestLoaderWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Spool.Memory, c.Spool.Limit = 0, 12<<18 }, make([]sidecar.StreamConfig, 3)...)
		s.answer = func(sidecar.Load, int, io.Reader) error {
			time.Sleep(time.Minute)
			return nil
		}
		for range 12_000 { // 36,000 rows are 5 times the limit
			for stream := range 3 {
				s.row(stream, `{"id":1,"text":"`+strings.Repeat("x", 100)+`"}`)
			}
		}
		s.finish()
		for stream := range 3 {
			if err := s.failure(stream); err != nil {
				t.Fatal(err)
			}
		}
	})
}
