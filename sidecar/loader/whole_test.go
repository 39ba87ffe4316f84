package loader

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/sidecar"
)

func TestWholeStreamIsOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.Batch.Rows = 8 }, sidecar.StreamConfig{Mode: sidecar.ReplaceWhole})
		s.rows(0, 100)
		s.state(0)
		time.Sleep(time.Hour)
		s.tick()
		synctest.Wait()
		if s.attempts("a") != 1 || len(s.saved) != 0 {
			t.Fatalf("%d attempts, saved %v: the load must be live and its state must wait", s.attempts("a"), s.saved)
		}
		s.finish()
		s.expectLoads("a 2 100")
		if len(s.saved) != 1 {
			t.Fatalf("saved %v", s.saved)
		}
	})
}

func TestWholeStreamThatFailsIsNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil, sidecar.StreamConfig{Mode: sidecar.ReplaceWhole})
		s.rows(0, 10)
		s.state(0)
		s.end(0, false)
		s.loader.Wait()
		s.expectLoads()
		if s.failure(0) != nil || len(s.saved) != 0 {
			t.Fatalf("error %v, saved %v", s.failure(0), s.saved)
		}
	})
}

// TestWholeStreamOutlivesTheServersLimit is a connector slower than the server keeps a request open: the rows come from the spool in the end.
func TestWholeStreamOutlivesTheServersLimit(t *testing.T) {
	for _, limit := range []struct {
		name    string
		liveFor time.Duration // ours
		cut     time.Duration // the server's
		most    int           // attempts
	}{{"ours", 25 * time.Minute, time.Hour, 2}, {"the server's", 0, 5 * time.Minute, liveAttempts + 1}} {
		t.Run(limit.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, nil, sidecar.StreamConfig{Mode: sidecar.ReplaceWhole})
				s.relaunch(sidecar.Capabilities{LiveFor: limit.liveFor})
				s.answer = func(load sidecar.Load, _ int, rows io.Reader) error {
					if load.Rows.Complete() {
						return nil
					}
					ctx, cancel := context.WithTimeoutCause(t.Context(), limit.cut, &sidecar.LoadError{Message: "scanner error: i/o timeout"})
					defer cancel()
					return blockUntil(ctx, rows)
				}
				for range 3 * 60 {
					s.rows(0, 10)
					time.Sleep(time.Minute)
				}
				s.finish()
				s.expectLoads("a 2 1800")
				if s.failure(0) != nil {
					t.Fatal(s.failure(0))
				}
				if s.attempts("a") > limit.most {
					t.Fatalf("%d attempts", s.attempts("a"))
				}
			})
		})
	}
}

// blockUntil reads rows until ctx ends, and returns its cause; or the reader's own error.
func blockUntil(ctx context.Context, rows io.Reader) error {
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, rows)
		read <- err
	}()
	select {
	case err := <-read:
		return err
	case <-ctx.Done():
		if closer, ok := rows.(io.Closer); ok {
			return errors.Join(context.Cause(ctx), closer.Close())
		}
		return context.Cause(ctx)
	}
}

// TestWholeStreamsShareLivePlaces reads more full refreshes at once than may be live: none blocks another, nor a batch.
func TestWholeStreamsShareLivePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := sidecar.StreamConfig{Mode: sidecar.ReplaceWhole}
		s := newStage(t, func(c *Config) { c.Concurrency, c.Batch.Rows = 1, 8 }, whole, whole, sidecar.StreamConfig{})
		for range 10 {
			s.rows(0, 1)
			s.rows(1, 1)
			s.rows(2, 1)
			synctest.Wait()
		}
		if len(s.loads()) != 10 {
			t.Fatalf("batches are held up: %v", s.loads())
		}
		s.end(1, true)
		synctest.Wait()
		if s.loads()[len(s.loads())-1] != "b 2 10" {
			t.Fatalf("a complete full refresh waits for one that is not: %v", s.loads())
		}
		s.finish()
	})
}
