package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asSource makes the test binary be the source, so that the tests of processes need no build.
const asSource = "SOURCE_DEMO_TEST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(asSource) != "" {
		os.Exit(run(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// result is what a source left behind.
type result struct {
	stdout, stderr string
	code           int // 128+n after a signal
}

// process prepares a source as a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	source := exec.CommandContext(ctx, executable, args...)
	source.Env = append(os.Environ(), asSource+"=1")
	return source
}

// exitCode is how an ended source ended.
func exitCode(t *testing.T, source *exec.Cmd) int {
	t.Helper()
	status, ok := source.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		t.Fatalf("no wait status: %v", source.ProcessState)
	}
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// runProcess runs a source to its end.
func runProcess(t *testing.T, args ...string) result {
	t.Helper()
	source := process(t, args...)
	var stdout, stderr bytes.Buffer
	source.Stdout, source.Stderr = &stdout, &stderr
	if err := source.Run(); source.ProcessState == nil {
		t.Fatal(err)
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), code: exitCode(t, source)}
}

// buffer is an output of a source that runs inside the test.
type buffer struct{ bytes.Buffer }

func (b *buffer) Close() error { return nil }

// runInside runs a source inside the test, at a time that stands still.
func runInside(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr buffer
	code := execute(args, world{stdout: &stdout, stderr: &stderr, now: func() time.Time { return time.UnixMicro(1_735_850_275_276_246) }})
	return result{stdout: stdout.String(), stderr: stderr.String(), code: code}
}

// file writes a file for a source to read.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// catalogFile configures streams: the three known ones in one mode when none are named.
func catalogFile(t *testing.T, mode, cursor, namespace string, names ...string) string {
	t.Helper()
	if len(names) == 0 {
		names = []string{"customers", "products", "orders"}
	}
	var streams []map[string]any
	for _, name := range names {
		streams = append(streams, map[string]any{
			"stream":    map[string]any{"name": name, "namespace": namespace, "json_schema": map[string]any{}},
			"sync_mode": mode, "destination_sync_mode": "append", "cursor_field": []string{cursor}, "primary_key": [][]string{{"id"}},
		})
	}
	raw, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(raw))
}

// received is a message as a test looks at it.
type received struct {
	Type   string `json:"type"`
	Record *struct {
		Stream    string          `json:"stream"`
		Namespace string          `json:"namespace"`
		Data      json.RawMessage `json:"data"`
	} `json:"record"`
	State *struct {
		Type   string          `json:"type"`
		Stream json.RawMessage `json:"stream"`
		Global json.RawMessage `json:"global"`
		Data   json.RawMessage `json:"data"`
		Stats  *struct {
			RecordCount float64 `json:"recordCount"`
		} `json:"sourceStats"`
	} `json:"state"`
	Trace *trace      `json:"trace"`
	Log   *logMessage `json:"log"`
	raw   string
}

// messages parses lines, all of which must be messages.
func messages(t *testing.T, stdout string) []received {
	t.Helper()
	var all []received
	for line := range strings.Lines(stdout) {
		var m received
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		m.raw = line
		all = append(all, m)
	}
	return all
}

// rows is the data of all records, in order.
func rows(all []received) []string {
	var data []string
	for _, m := range all {
		if m.Record != nil {
			data = append(data, m.Record.Stream+" "+string(m.Record.Data))
		}
	}
	return data
}
