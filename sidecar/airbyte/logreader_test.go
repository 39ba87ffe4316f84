package airbyte

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func readLogs(t *testing.T, r *LogReader) []string {
	t.Helper()
	var out []string
	for {
		log, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %s", log.Level, log.Message))
	}
}

func TestLogReader(t *testing.T) {
	for _, test := range []struct {
		name, input string
		want        []string
	}{
		{"empty", "", nil},
		{"blank lines", "\n\n  \n", nil},
		{"last line without line feed", "one\nKilled", []string{"INFO one", "ERROR Killed"}},
		{"indented lines", "WARN heading\n  a\n\tb\nnext\n", []string{"WARN WARN heading\n  a\n\tb", "INFO next"}},
		{"python", "Traceback (most recent call last):\n  File \"a\"\nValueError: x\nnext\n",
			[]string{"ERROR Traceback (most recent call last):\n  File \"a\"\nValueError: x", "INFO next"}},
		{"trace below its heading", "could not read\nTraceback (most recent call last):\n  File \"a\"\nValueError: x\n",
			[]string{"ERROR could not read\nTraceback (most recent call last):\n  File \"a\"\nValueError: x"}},
		{"warning with trace", "WARNING:root:retry\nTraceback (most recent call last):\n  File \"a\"\nValueError: x\n",
			[]string{"WARN WARNING:root:retry\nTraceback (most recent call last):\n  File \"a\"\nValueError: x"}},
		{"go", "2024/05/01 10:11:12 starting\npanic: boom\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/a.go:1\nmain.main()\n\t/a.go:2 +0x1\nexit status 2\n",
			[]string{"INFO 2024/05/01 10:11:12 starting",
				"FATAL panic: boom\ngoroutine 1 [running]:\nmain.f(...)\n\t/a.go:1\nmain.main()\n\t/a.go:2 +0x1\nexit status 2"}},
		{"two exceptions", "a.B: x\njava.lang.Error: 1\n\tat a\njava.lang.Error: 2\n\tat b\n",
			[]string{"INFO a.B: x", "ERROR java.lang.Error: 1\n\tat a", "ERROR java.lang.Error: 2\n\tat b"}},
		{"exceptions below one heading", "ERROR failed\njava.lang.Error: 1\n\tat a\njava.lang.Error: 2\n\tat b\n",
			[]string{"ERROR ERROR failed\njava.lang.Error: 1\n\tat a", "ERROR java.lang.Error: 2\n\tat b"}},
		{"rest of a trace after something else", "ERROR failed\n{\"level\":\"info\",\"msg\":\"x\"}\n\tat b\n",
			[]string{"ERROR ERROR failed", "INFO x", "INFO \tat b"}},
		{"airbyte log", `{"type":"LOG","log":{"level":"WARN","message":"on stderr"}}`, []string{"WARN on stderr"}},
		{"json logger", `{"level":"error","msg":"boom"}`, []string{"ERROR boom"}},
		{"json of another kind", `{"a":1}`, []string{`INFO {"a":1}`}},
		{"record", `{"type":"RECORD","record":{"stream":"a","data":{"secret":1}}}`,
			[]string{"WARN RECORD message on stderr ignored (61 bytes): the protocol is read from stdout"}},
		{"bytes that are not text", "a\xffb\x00c\n", []string{"INFO a\uFFFDb\x00c"}},
		{"percent signs", "50% done %s\n", []string{"INFO 50% done %s"}},
		{"long line", strings.Repeat("ä", 100) + "\nnext\n", []string{"INFO " + strings.Repeat("ä", 50) + " … (cut, 200 bytes in all)", "INFO next"}},
		{"long line cut in a character", "x" + strings.Repeat("ä", 100), []string{"INFO x" + strings.Repeat("ä", 49) + " … (cut, 201 bytes in all)"}},
		{"carriage returns", "one\r\ntwo\r\n", []string{"INFO one", "INFO two"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit := 0
			if strings.HasPrefix(test.name, "long line") {
				limit = 100
			}
			got := readLogs(t, NewLogReader(strings.NewReader(test.input), limit))
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The output pauses in a stack trace: the rest of the trace keeps its level.
func TestLogReaderTornTrace(t *testing.T) {
	input := "Traceback (most recent call last):\n  File \"a\"\n    f()\nValueError: x\n"
	got := readLogs(t, NewLogReader(iotest.OneByteReader(strings.NewReader(input)), 0))
	want := []string{"ERROR Traceback (most recent call last):", "ERROR   File \"a\"", "ERROR     f()", "ERROR ValueError: x"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A message has a bounded size however long a stack trace is. The rest of the trace follows in the next message.
func TestLogReaderBoundsGroups(t *testing.T) {
	const frames = 20_000
	input := "Traceback (most recent call last):\n" + strings.Repeat("  File \"recursion.py\", line 1\n", frames)
	r := NewLogReader(strings.NewReader(input), 0)
	var seen, longest int
	for {
		log, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen += strings.Count(log.Message, "recursion.py")
		longest = max(longest, len(log.Message))
		if log.Level != LevelError {
			t.Fatalf("level %s, want ERROR", log.Level)
		}
	}
	if seen != frames || longest > maxLog+100 {
		t.Errorf("%d frames in messages of up to %d bytes, want %d in up to %d", seen, longest, frames, maxLog)
	}
}

func TestLogReaderPassesErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	r := NewLogReader(io.MultiReader(strings.NewReader("one\ntw"), iotest.ErrReader(broken)), 0)
	if log, err := r.Next(); err != nil || log.Message != "one" {
		t.Errorf("Next() = %v, %v", log, err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("Next() = %v, want %v", err, broken)
	}
}

func FuzzLogReader(f *testing.F) {
	f.Add([]byte("Traceback (most recent call last):\n  File\nE: x\n"), 10)
	f.Add([]byte("{\"level\":\"info\",\"msg\":\"x\"}\n\x1b[31mERROR\x1b[0m\n\xff\n"), 0)
	f.Add([]byte("panic: x\n\ngoroutine 1 [running]:\nmain.main()\n"), 5)
	f.Fuzz(func(t *testing.T, input []byte, limit int) {
		r := NewLogReader(bytes.NewReader(input), limit)
		r.lines.chunk = 64
		for {
			log, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !utf8.ValidString(log.Message) || len(log.Message) > 3*maxLog {
				t.Fatalf("message of %d bytes, valid UTF-8: %v", len(log.Message), utf8.ValidString(log.Message))
			}
			if log.Level == "" {
				t.Fatalf("no level: %q", log.Message)
			}
		}
	})
}
