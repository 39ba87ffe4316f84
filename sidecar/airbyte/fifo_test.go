package airbyte

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests send transcripts through real named pipes: the sizes of a source's writes must not change what the reader returns.

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// writers are ways to write the bytes to the pipe.
func writers() map[string]func(path string, content []byte) error {
	return map[string]func(string, []byte) error{
		"whole": func(path string, content []byte) error { return writePieces(path, content, len(content)) },
		// 4 KiB is the buffer of Python's and Java's stdout.
		"4KiB pieces":  func(path string, content []byte) error { return writePieces(path, content, 4<<10) },
		"single bytes": func(path string, content []byte) error { return writePieces(path, content, 1) },
		"pieces of 7":  func(path string, content []byte) error { return writePieces(path, content, 7) },
	}
}

// writePieces writes the content in pieces. It lets the reader run after each, so that the reader often finds the pipe empty in the middle of a line.
func writePieces(path string, content []byte, size int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for len(content) > 0 && err == nil {
		n := min(size, len(content))
		_, err = f.Write(content[:n])
		content = content[n:]
		runtime.Gosched()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// fifo makes a named pipe.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdout")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// openReader opens the pipe for reading and sets a deadline. It waits until a writer opens the pipe.
func openReader(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOrFail(t, f) })
	if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return f
}

func closeOrFail(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// textLines splits descriptions of prose into lines, because how lines are grouped depends on when the output pauses.
func textLines(descriptions []string) string {
	var lines []string
	for _, d := range descriptions {
		rest, isText := strings.CutPrefix(d, "TEXT ")
		if !isText {
			lines = append(lines, d)
			continue
		}
		_, message, _ := strings.Cut(rest, " ")
		for line := range strings.SplitSeq(message, "\n") {
			lines = append(lines, "TEXT "+line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestTranscriptsThroughFIFO(t *testing.T) {
	for _, name := range transcripts(t) {
		input := readFile(t, "testdata/transcripts/"+name+".in")
		want := textLines(readAll(t, NewReader(bytes.NewReader(input), transcriptOptions(name))))
		for how, write := range writers() {
			t.Run(name+"/"+how, func(t *testing.T) {
				path := fifo(t)
				written := make(chan error, 1)
				go func() { written <- write(path, input) }()
				got := textLines(readAll(t, NewReader(openReader(t, path), transcriptOptions(name))))
				if err := <-written; err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

// A writer stops in the middle of a line: the reader returns all that came before the line, and nothing of the line until the rest has come.
func TestPauseInLine(t *testing.T) {
	path := fifo(t)
	pieces := make(chan string)
	written := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		for piece := range pieces {
			if err == nil {
				_, err = f.WriteString(piece)
			}
		}
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		written <- err
	}()
	r := NewReader(openReader(t, path), Options{})
	next := func() string {
		t.Helper()
		m, err := r.Next()
		if err != nil {
			return err.Error()
		}
		return describe(m)
	}
	expect := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	pieces <- `{"type":"RECORD","record":{"stream":"a","data":{"id":1}}}` + "\nTraceback (most recent call last):\n  File \"a\"\n" + `{"type":"REC`
	expect(next(), `RECORD "" "a" 0 {"id":1}`)
	if !r.Buffered() {
		t.Error("Buffered() = false before the prose")
	}
	expect(next(), "TEXT ERROR Traceback (most recent call last):\n  File \"a\"")
	if r.Buffered() {
		t.Error("Buffered() = true with half a line")
	}
	pieces <- `ORD","record":{"stream":"a","data":{"id":2}}}`
	pieces <- "\n\n \r\n"
	expect(next(), `RECORD "" "a" 0 {"id":2}`)
	pieces <- "ValueError: the rest of the trace\n"
	expect(next(), "TEXT ERROR ValueError: the rest of the trace")
	close(pieces)
	expect(next(), "EOF")
	expect(next(), "EOF")
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// A second writer opens the pipe before the reader has seen the end of the first one's output: the reader sees one output.
func TestReopenedWriter(t *testing.T) {
	path := fifo(t)
	record := func(id int) string {
		return fmt.Sprintf(`{"type":"RECORD","record":{"stream":"a","data":{"id":%d}}}`, id)
	}
	first := record(1) + "\n" + record(2)[:20]
	second := record(2)[20:] + "\n" + record(3) + "\n"
	opened := make(chan error, 1)
	go func() { opened <- writePieces(path, []byte(first), len(first)) }()
	f := openReader(t, path)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if err := writePieces(path, []byte(second), len(second)); err != nil { // meanwhile the pipe holds the first part, and no writer has it open
		t.Fatal(err)
	}
	got := readAll(t, NewReader(f, Options{}))
	want := []string{`RECORD "" "a" 0 {"id":1}`, `RECORD "" "a" 0 {"id":2}`, `RECORD "" "a" 0 {"id":3}`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A read deadline that passes loses nothing. The session uses deadlines to wake up.
func TestReadDeadline(t *testing.T) {
	path := fifo(t)
	opened := make(chan *os.File, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
		}
		opened <- f
	}()
	in := openReader(t, path)
	out := <-opened
	r := NewReader(in, Options{})
	if _, err := out.WriteString(`{"type":"RECORD","record":{"stream":"a",`); err != nil {
		t.Fatal(err)
	}
	if err := in.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Next(); !os.IsTimeout(err) {
		t.Fatalf("Next() = %v, %v, want a timeout", m, err)
	}
	if err := in.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteString(`"data":{"id":1}}}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := mustDescribe(t, r), `RECORD "" "a" 0 {"id":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	closeOrFail(t, out)
}

func mustDescribe(t *testing.T, r *Reader) string {
	t.Helper()
	m, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	return describe(m)
}
