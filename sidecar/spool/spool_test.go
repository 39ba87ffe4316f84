package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"sync-sidecar/sidecar"
)

func testSpool(t *testing.T, share int64, d *disk) *Spool {
	t.Helper()
	if d == nil {
		d = &disk{openFile: openUnlinked, dir: t.TempDir()}
	}
	s := (&Space{buffers: newBuffers(1<<30, 1), disk: d}).Spool(share)
	t.Cleanup(func() {
		if err := s.Release(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSpoolGivesBackWhatItTook reads while rows are added and again afterwards, through memory and file.
func TestSpoolGivesBackWhatItTook(t *testing.T) {
	t.Parallel()
	for _, share := range []int64{0, bufferSize, 3*bufferSize + 1, 1 << 30} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(share), 2))
			s := testSpool(t, share, nil)
			live := make(chan []byte, 2)
			var readers sync.WaitGroup
			for _, plain := range []bool{true, false} {
				readers.Go(func() { live <- readSpool(t, s, plain) })
			}
			var want bytes.Buffer
			for i := range 5000 {
				row := fmt.Appendf(nil, `{"id":%d,"text":%q}`, i, strings.Repeat("x", random.IntN(200)))
				if i%1000 == 7 {
					row = fmt.Appendf(nil, `{"id":%d,"text":%q}`, i, strings.Repeat("y", 3*bufferSize))
				}
				want.Write(row)
				want.WriteByte('\n')
				if _, err := s.Add(row, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Finish(); err != nil {
				t.Fatal(err)
			}
			readers.Wait()
			for _, got := range [][]byte{<-live, <-live, readSpool(t, s, true), readSpool(t, s, false)} {
				if !bytes.Equal(got, want.Bytes()) {
					t.Fatalf("got %d bytes, want %d", len(got), want.Len())
				}
			}
			if s.Count() != 5000 || s.Size() != int64(want.Len()) {
				t.Fatalf("count %d size %d", s.Count(), s.Size())
			}
		})
	}
}

// readSpool reads it all, by Read or by WriteTo.
func readSpool(t *testing.T, s *Spool, plain bool) []byte {
	t.Helper()
	reader, err := s.Open(t.Context())
	if err != nil {
		t.Error(err)
		return nil
	}
	var got bytes.Buffer
	if plain {
		_, err = io.Copy(&got, struct{ io.Reader }{reader})
	} else {
		_, err = reader.(io.WriterTo).WriteTo(&got)
	}
	if err != nil {
		t.Error(err)
	}
	return got.Bytes()
}

func TestSpoolAbortReachesReaders(t *testing.T) {
	t.Parallel()
	s := testSpool(t, 1<<20, nil)
	if _, err := s.Add([]byte(`{"id":1}`), nil); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		reader, err := s.Open(t.Context())
		if err == nil {
			_, err = io.Copy(io.Discard, reader)
		}
		failed <- err
	}()
	s.Abort(sidecar.ErrLoadAborted)
	if err := <-failed; !errors.Is(err, sidecar.ErrLoadAborted) {
		t.Fatalf("reader got %v", err)
	}
}

func TestSpoolReaderObeysItsContext(t *testing.T) {
	t.Parallel()
	s := testSpool(t, 1<<20, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	reader, err := s.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("enough")
	cancel(stop)
	if _, err := reader.Read(make([]byte, 10)); !errors.Is(err, stop) {
		t.Fatalf("reader got %v", err)
	}
}

// slowWriter is a destination that takes its time with the first block.
type slowWriter struct{ taken chan struct{} }

func (w slowWriter) Write(p []byte) (int, error) {
	<-w.taken
	return len(p), nil
}

// TestReleaseWaitsForReaders: a buffer that is being sent is not given to another spool.
func TestReleaseWaitsForReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := testSpool(t, 1<<20, nil)
		_, err := s.Add([]byte(`{"id":1}`), nil)
		if err = errors.Join(err, s.Finish()); err != nil {
			t.Fatal(err)
		}
		rows, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		writer, released := slowWriter{make(chan struct{})}, make(chan error, 1)
		go io.Copy(writer, rows)
		synctest.Wait()
		go func() { released <- s.Release() }()
		synctest.Wait()
		if len(released) > 0 {
			t.Error("it was released while it was read")
		}
		close(writer.taken)
		if err := <-released; err != nil {
			t.Error(err)
		}
	})
}

// unreadable is a disk that takes rows and does not give them back.
type unreadable struct{ File }

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, syscall.EIO }

// TestUnreadableDisk: a reader hears of it, and the release does not wait for that reader.
func TestUnreadableDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := testSpool(t, 0, &disk{dir: t.TempDir(), openFile: func(dir string) (File, error) {
			file, err := openUnlinked(dir)
			return unreadable{file}, err
		}})
		_, err := s.Add([]byte(`{"id":1}`), nil)
		if err = errors.Join(err, s.Finish()); err != nil {
			t.Fatal(err)
		}
		rows, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, rows); !errors.Is(err, syscall.EIO) {
			t.Errorf("got %v", err)
		}
	})
}

// endlessWriter is a destination that takes everything; it cancels with the first block.
type endlessWriter struct{ cancel context.CancelFunc }

func (w endlessWriter) Write(p []byte) (int, error) {
	w.cancel()
	return len(p), nil
}

// TestSpoolCopyObeysItsContext cancels the copy of rows that are all there: it does not go on through gigabytes (I4).
func TestSpoolCopyObeysItsContext(t *testing.T) {
	t.Parallel()
	s := testSpool(t, 1<<30, nil)
	for range 100 {
		if _, err := s.Add(make([]byte, bufferSize), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := s.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(endlessWriter{cancel}, rows)
	if !errors.Is(err, context.Canceled) || n > 2*bufferSize {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

func TestSpoolLimit(t *testing.T) {
	t.Parallel()
	disk := &disk{openFile: openUnlinked, dir: t.TempDir(), limit: 4 * bufferSize}
	s := testSpool(t, 0, disk)
	row := []byte(`{"text":"` + strings.Repeat("x", bufferSize/2) + `"}`)
	var err error
	rows := 0
	for ; err == nil && rows < 100; rows++ {
		_, err = s.Add(row, nil)
	}
	if err == nil || !strings.Contains(err.Error(), "SPOOL_LIMIT") {
		t.Fatalf("after %d rows: %v", rows, err)
	}
	if _, again := s.Add(row, nil); !NoSpace(again) {
		t.Fatalf("a full spool took a row: %v", again)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if disk.used != 0 {
		t.Fatalf("%d bytes are still counted", disk.used)
	}
}

func TestSpoolMinFree(t *testing.T) {
	t.Parallel()
	s := testSpool(t, 0, &disk{openFile: openUnlinked, dir: t.TempDir(), minFree: 1 << 62})
	_, adding := s.Add([]byte(`{"id":1}`), nil)
	err := errors.Join(adding, s.Finish())
	if err == nil || !strings.Contains(err.Error(), "SPOOL_MIN_FREE") {
		t.Fatalf("got %v", err)
	}
}

func TestSpoolLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testSpool(t, 0, &disk{openFile: openUnlinked, dir: dir})
	for range 5 {
		if _, err := s.Add(bytes.Repeat([]byte("x"), bufferSize-1), nil); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 || !s.OnDisk() {
		t.Fatalf("files %v, err %v, spilled %v", entries, err, s.OnDisk())
	}
}

func TestAppendMembers(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`{}`:                `{"m":1}`,
		`{ }`:               `{"m":1}`,
		`{"a":1}`:           `{"a":1,"m":1}`,
		`{"a":{} }`:         `{"a":{},"m":1}`,
		`{"a":"}"}`:         `{"a":"}","m":1}`,
		"{\"a\":[{}]\t \r}": `{"a":[{}],"m":1}`,
	} {
		if got := string(appendMembers(nil, []byte(row), []byte(`"m":1`))); got != want {
			t.Errorf("%s became %s, want %s", row, got, want)
		}
	}
}
