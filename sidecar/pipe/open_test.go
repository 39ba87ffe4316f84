package pipe_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar/pipe"
)

// patience bounds what must happen at once; a loaded machine gets its time.
const patience = 20 * time.Second

func newPipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdout")
	if err := pipe.Make(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// openBoth opens both ends, reader and writer at once.
func openBoth(t *testing.T, path string) (reader, writer *os.File) {
	t.Helper()
	ctx := patient(t)
	var writeErr error
	var group sync.WaitGroup
	group.Go(func() { writer, writeErr = pipe.OpenWriter(ctx, path) })
	reader, err := pipe.OpenReader(ctx, path)
	group.Wait()
	if err = errors.Join(err, writeErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = reader.Close() // may be closed already
		_ = writer.Close()
	})
	return reader, writer
}

func TestOpenPassesBytesToTheEnd(t *testing.T) {
	reader, writer := openBoth(t, newPipe(t))
	sent := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB: more than the pipe holds
	var writeErr error
	var group sync.WaitGroup
	group.Go(func() {
		_, writeErr = writer.WriteString(sent)
		writeErr = errors.Join(writeErr, writer.Close())
	})
	got, err := io.ReadAll(reader)
	group.Wait()
	if err = errors.Join(err, writeErr); err != nil {
		t.Fatal(err)
	}
	if string(got) != sent {
		t.Errorf("%d bytes arrived, want the %d that were sent", len(got), len(sent))
	}
}

// A connector that fails at once may have gone before the sidecar's open returns.
func TestOpenReaderSeesAWriterThatHasGone(t *testing.T) {
	path := newPipe(t)
	ctx := patient(t)
	for round := range 300 {
		text := []string{"", "last words\n"}[round%2]
		var writeErr error
		var group sync.WaitGroup
		group.Go(func() { writeErr = writeAndGo(ctx, path, text) })
		reader, err := pipe.OpenReader(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(reader)
		group.Wait()
		if err = errors.Join(err, writeErr, reader.Close()); err != nil {
			t.Fatal(err)
		}
		if string(got) != text {
			t.Fatalf("round %d: read %q, want %q", round, got, text)
		}
	}
}

func writeAndGo(ctx context.Context, path, text string) error {
	writer, err := pipe.OpenWriter(ctx, path)
	if err != nil {
		return err
	}
	_, err = writer.WriteString(text)
	return errors.Join(err, writer.Close())
}

func TestOpenEnds(t *testing.T) {
	opens := map[string]func(context.Context, string) (*os.File, error){"reader": pipe.OpenReader, "writer": pipe.OpenWriter}
	for name, open := range opens {
		t.Run(name+" by deadline", func(t *testing.T) {
			reason := errors.New("nobody came")
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, reason)
			defer cancel()
			path := newPipe(t)
			if _, err := open(ctx, path); !errors.Is(err, reason) || !strings.Contains(err.Error(), path) {
				t.Errorf("open gave %v, want the cause of the deadline and the path", err)
			}
		})
		t.Run(name+" by cancel before", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := open(ctx, newPipe(t)); !errors.Is(err, context.Canceled) {
				t.Errorf("open gave %v, want %v", err, context.Canceled)
			}
		})
		t.Run(name+" though the pipe is removed", func(t *testing.T) {
			if runtime.GOOS != "linux" {
				t.Skip("only Linux can hold on to a pipe without opening it")
			}
			path := newPipe(t)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, func() {
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
				cancel()
			})
			if _, err := open(ctx, path); !errors.Is(err, context.Canceled) {
				t.Errorf("open gave %v, want %v", err, context.Canceled)
			}
		})
		t.Run(name+" without a pipe", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stdout")
			_, err := open(patient(t), path)
			if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "no pipe at "+path) || !strings.Contains(err.Error(), "init") {
				t.Errorf("open gave %v, want an error that names the path and init", err)
			}
		})
		t.Run(name+" on a file", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stdout")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := open(patient(t), path); !errors.Is(err, pipe.ErrNotPipe) {
				t.Errorf("open gave %v, want %v", err, pipe.ErrNotPipe)
			}
		})
	}
}

// Each cancelled open must give back its goroutine, its thread's wait and its descriptors, whenever the cancel comes.
func TestCancelledOpensLeaveNothing(t *testing.T) {
	path := newPipe(t)
	before := descriptors(t)
	for round := range 400 {
		open := pipe.OpenReader
		if round%2 == 1 {
			open = pipe.OpenWriter
		}
		// From "before open(2) was reached" to "long in it".
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round%20)*100*time.Microsecond)
		file, err := open(ctx, path)
		cancel()
		if err == nil {
			t.Fatalf("round %d: opened %s without a peer", round, file.Name())
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, before it were %d", after, before)
	}
	// And the pipe is as good as new.
	reader, writer := openBoth(t, path)
	if _, err := writer.WriteString("x"); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(reader, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestReadOfASilentWriterEnds(t *testing.T) {
	t.Run("by deadline", func(t *testing.T) {
		reader, _ := openBoth(t, newPipe(t))
		if err := reader.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read gave %v, want %v", err, os.ErrDeadlineExceeded)
		}
	})
	t.Run("by close", func(t *testing.T) {
		reader, _ := openBoth(t, newPipe(t))
		time.AfterFunc(10*time.Millisecond, func() {
			if err := reader.Close(); err != nil {
				t.Error(err)
			}
		})
		if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read gave %v, want %v", err, os.ErrClosed)
		}
	})
}

func TestWriteToAFullPipeEnds(t *testing.T) {
	_, writer := openBoth(t, newPipe(t))
	if err := writer.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write gave %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

func TestOpenWriterNow(t *testing.T) {
	path := newPipe(t)
	if _, err := pipe.OpenWriterNow(path); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("without a reader: %v, want %v", err, syscall.ENXIO)
	}
	openBoth(t, path)
	file, err := pipe.OpenWriterNow(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}
