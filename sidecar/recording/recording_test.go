package recording_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/recording"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connector is a goroutine at the writing ends of real pipes.
type connector struct {
	t       *testing.T
	options recording.Options
	writing sync.WaitGroup
}

func newConnector(t *testing.T) *connector {
	t.Helper()
	dir := t.TempDir()
	c := &connector{t: t, options: recording.Options{
		StdoutPipe: filepath.Join(dir, "stdout"), StderrPipe: filepath.Join(dir, "stderr"), ExitStatusFile: filepath.Join(dir, "exit"),
		Dir: filepath.Join(dir, "recording"), MaxBytes: 1 << 20, OpenTimeout: time.Minute, Silence: time.Minute, Timeout: time.Minute, Grace: time.Minute,
		Enough: func() {},
	}}
	for _, path := range []string{c.options.StdoutPipe, c.options.StderrPipe} {
		if err := pipe.Make(path); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// record records what says writes; code is its exit code, negative when nobody knows it.
func (c *connector) record(ctx context.Context, code int, says func(stdout, stderr *os.File)) (recording.Recording, error) {
	c.t.Helper()
	c.writing.Go(func() {
		stdout, err := os.OpenFile(c.options.StdoutPipe, os.O_WRONLY, 0)
		if err != nil {
			c.t.Error(err)
			return
		}
		stderr, err := os.OpenFile(c.options.StderrPipe, os.O_WRONLY, 0)
		if err != nil {
			c.t.Error(err)
		}
		says(stdout, stderr)
		if code >= 0 {
			if err := errors.Join(pipe.WriteUsage(c.options.ExitStatusFile, pipe.Usage{MaxMemory: 7 << 20, CPU: time.Second}),
				pipe.WriteExitStatus(c.options.ExitStatusFile, pipe.ExitStatus{Code: code})); err != nil {
				c.t.Error(err)
			}
		}
		stdout.Close()
		stderr.Close()
	})
	recorded, err := recording.Record(ctx, c.options)
	c.writing.Wait()
	return recorded, err
}

func row(stream string, n int) string {
	return fmt.Sprintf(`{"type":"RECORD","record":{"stream":%q,"emitted_at":1700000000000,"data":{"id":%d}}}`, stream, n) + "\n"
}

func status(stream, word string) string {
	return fmt.Sprintf(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.0,"stream_status":`+
		`{"stream_descriptor":{"name":%q},"status":%q}}}`, stream, word) + "\n"
}

func TestWhatWasSaidIsKeptAndPlayed(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	said := row("a", 1) + "\xff not a message\r\n" + row("b", 2) + "a last line without its end"
	recorded, err := c.record(t.Context(), 3, func(stdout, stderr *os.File) {
		fmt.Fprint(stdout, said)
		fmt.Fprint(stderr, "a log line\n")
	})
	if err != nil || recorded.StdoutBytes != int64(len(said)) || recorded.Truncated || recorded.Open || recorded.Stop != nil {
		t.Fatalf("%+v, %v", recorded, err)
	}
	if want := (recording.Exit{Known: true, Code: 3, MaxMemory: 7 << 20, CPUSeconds: 1}); recorded.Exit != want {
		t.Errorf("exit %+v, want %+v", recorded.Exit, want)
	}
	var stdout, stderr bytes.Buffer
	code, err := recording.Play(t.Context(), c.options.Dir, &stdout, &stderr)
	if err != nil || code != 3 || stdout.String() != said || stderr.String() != "a log line\n" {
		t.Errorf("played %q, %q, exit code %d, %v", stdout.String(), stderr.String(), code, err)
	}
	if again, err := recording.Read(c.options.Dir); err != nil || again.StdoutBytes != recorded.StdoutBytes || again.Exit != recorded.Exit {
		t.Errorf("read %+v, %v", again, err)
	}
	if at := recorded.At(recorded.StdoutBytes); at < 0 || at > recorded.Seconds {
		t.Errorf("the last byte came at %v of %v", at, recorded.Seconds)
	}
}

func TestMoreThanMaxBytesIsCounted(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	c.options.MaxBytes = 100
	recorded, err := c.record(t.Context(), 0, func(stdout, _ *os.File) {
		for n := range 50_000 {
			fmt.Fprint(stdout, row("a", n))
		}
	})
	kept, readErr := os.ReadFile(filepath.Join(c.options.Dir, recording.StdoutFile))
	if err != nil || readErr != nil || !recorded.Truncated || len(kept) != 100 || recorded.StdoutBytes < 1_000_000 || len(recorded.Marks) > 400 {
		t.Errorf("%+v, kept %d, %v", recorded, len(kept), err)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	complete := func(names ...string) (text string) {
		for _, name := range names {
			text += status(name, "COMPLETE")
		}
		return text
	}
	rows := func(stream string, n int) string { return strings.Repeat(row(stream, 1), n) }
	for name, test := range map[string]struct {
		said   string
		enough bool
	}{
		"nothing":                      {"", false},
		"too little":                   {rows("a", 9) + rows("b", 9), false},
		"all have enough":              {rows("a", 10) + rows("b", 10), true},
		"interleaved":                  {strings.Repeat(row("a", 1)+row("b", 1), 10), true},
		"one ended, one has enough":    {rows("a", 3) + complete("a") + rows("b", 10), true},
		"enough, and then the other":   {rows("a", 12) + rows("b", 3) + complete("b"), true},
		"all ended by themselves":      {rows("a", 10) + complete("a") + rows("b", 3) + complete("b"), false},
		"one keeps the other waiting":  {rows("a", 200), true},
		"one may end a little later":   {rows("a", 190) + complete("a") + rows("b", 1) + complete("b"), false},
		"a stream that nobody expects": {rows("a", 10) + rows("a", 10), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConnector(t)
			c.options.Limit = recording.Limit{Rows: 10, Streams: 2}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.options.Enough = cancel
			recorded, err := c.record(ctx, 0, func(stdout, _ *os.File) { fmt.Fprint(stdout, test.said) })
			if err != nil || recorded.Enough != test.enough || (recorded.Stop != nil) != test.enough {
				t.Errorf("enough %v, stop %+v, %v; want %v", recorded.Enough, recorded.Stop, err, test.enough)
			}
		})
	}
}

// A connector whose rows would all fit into a pipe is still at work when it is told to stop.
func TestStopAtTheFirstRecord(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	c.options.Limit = recording.Limit{First: true}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	blocked := true
	c.options.Enough = cancel
	recorded, err := c.record(ctx, 143, func(stdout, _ *os.File) {
		block := []byte(strings.Repeat(row("a", 1), 1000))
		if _, err := stdout.Write(block); err != nil {
			t.Error(err)
		}
		blocked = ctx.Err() != nil
		fmt.Fprint(stdout, status("a", "INCOMPLETE"))
	})
	if err != nil || recorded.Stop == nil || !blocked || recorded.Stop.Bytes >= recorded.StdoutBytes || recorded.Held == 0 {
		t.Fatalf("%+v, blocked %v, %v", recorded, blocked, err)
	}
	stopping, stop := context.WithCancel(t.Context())
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var played bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() {
		first := make([]byte, 10)
		n, _ := reader.Read(first)
		played.Write(first[:n])
		stop() // in the middle, as it was
		_, err := played.ReadFrom(reader)
		if err != nil {
			t.Error(err)
		}
	})
	code, err := recording.Play(stopping, c.options.Dir, writer, &bytes.Buffer{})
	writer.Close()
	reading.Wait()
	if err != nil || code != 143 || int64(played.Len()) != recorded.StdoutBytes {
		t.Errorf("played %d bytes of %d, exit code %d, %v", played.Len(), recorded.StdoutBytes, code, err)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		shorten func(*recording.Options)
		want    error
	}{
		"silence": {func(o *recording.Options) { o.Silence = 300 * time.Millisecond }, recording.ErrSilent},
		"time":    {func(o *recording.Options) { o.Timeout = 300 * time.Millisecond }, recording.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConnector(t)
			test.shorten(&c.options)
			ended := make(chan struct{})
			var recorded recording.Recording
			var err error
			go func() {
				defer close(ended)
				recorded, err = recording.Record(t.Context(), c.options)
			}()
			stdout, openErr := os.OpenFile(c.options.StdoutPipe, os.O_WRONLY, 0)
			stderr, otherErr := os.OpenFile(c.options.StderrPipe, os.O_WRONLY, 0)
			if err := errors.Join(openErr, otherErr); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(stdout, row("a", 1))
			<-ended
			stdout.Close()
			stderr.Close()
			if !errors.Is(err, test.want) || !recorded.Open || recorded.StdoutBytes == 0 || recorded.Exit.Known {
				t.Errorf("%+v, %v", recorded, err)
			}
		})
	}
	c := newConnector(t)
	c.options.OpenTimeout = 50 * time.Millisecond
	if _, err := recording.Record(t.Context(), c.options); err == nil || !strings.Contains(err.Error(), "did not open its pipes within 50ms") {
		t.Errorf("nobody came: %v", err)
	}
}
