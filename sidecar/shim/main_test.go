//go:build linux

package shim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/shim"
)

// The test binary is also the shim, as a process of its own, and the connector that it runs.
const (
	shimVariable      = "SHIM_TEST_SPEC"      // the Spec as JSON
	connectorVariable = "SHIM_TEST_CONNECTOR" // what the connector does: see connectors
)

// raceOptions keep the race detector from sleeping for a second at the end of each process.
const raceOptions = "GORACE=atexit_sleep_ms=0"

// patience bounds what must happen soon; a loaded machine gets its time.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if spec := os.Getenv(shimVariable); spec != "" {
		os.Exit(runShim(spec))
	}
	if does := os.Getenv(connectorVariable); does != "" {
		os.Exit(runConnector(does))
	}
	goleak.VerifyTestMain(m)
}

// runShim does what the exec mode does.
func runShim(text string) int {
	var spec shim.Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	if spec.ReapOrphans {
		signal.Notify(signals, syscall.SIGCHLD)
		if err := becomeReaper(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 99
		}
	}
	spec.Signals = signals
	code, err := shim.Run(context.Background(), spec)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// fixture is a volume with pipes, and the shim on it.
type fixture struct {
	shim.Spec
	user    uint32 // that the shim runs as; 0 is the test's own
	process *exec.Cmd
	output  bytes.Buffer // of the shim itself: the container's log
}

func newFixture(t *testing.T, does string, args ...string) *fixture {
	t.Helper()
	folder, err := os.MkdirTemp("", "shim-test-") //nolint:usetesting // Other users cannot reach what lies in t.TempDir.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o777); err != nil { // as init makes it
		t.Fatal(err)
	}
	f := &fixture{Spec: shim.Spec{
		Args:           append([]string{filepath.Join(folder, "connector")}, args...),
		Env:            append(os.Environ(), connectorVariable+"="+does, raceOptions),
		StdoutPipe:     filepath.Join(folder, "stdout"),
		StderrPipe:     filepath.Join(folder, "stderr"),
		ExitStatusFile: filepath.Join(folder, "exit-status"),
		MemoryEvents:   []string{filepath.Join(folder, "none"), filepath.Join(folder, "memory.events")},
		OpenTimeout:    patience,
	}}
	for _, path := range []string{f.StdoutPipe, f.StderrPipe} {
		if err := pipe.Make(path); err != nil {
			t.Fatal(err)
		}
	}
	placeBinary(t, f.Args[0])
	return f
}

// placeBinary puts the test binary where any user can run it.
func placeBinary(t *testing.T, path string) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// start starts the shim as a process.
func (f *fixture) start(t *testing.T) {
	t.Helper()
	// A channel has no JSON: the field of the same name hides it.
	text, err := json.Marshal(struct {
		shim.Spec
		Signals *int `json:",omitempty"`
	}{Spec: f.Spec})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	f.process = exec.CommandContext(ctx, filepath.Join(filepath.Dir(f.StdoutPipe), "connector"))
	f.process.Env = append(os.Environ(), shimVariable+"="+string(text), raceOptions)
	f.process.Stdout, f.process.Stderr = &f.output, &f.output
	f.process.WaitDelay = time.Second
	if f.user != 0 {
		f.process.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: f.user, Gid: f.user}}
	}
	if err := f.process.Start(); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the shim and returns its exit code, -1 when a signal ended it.
func (f *fixture) wait(t *testing.T) int {
	t.Helper()
	err := f.process.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return f.process.ProcessState.ExitCode()
}

// reading is what the sidecar sees of a connector.
type reading struct {
	stdout, stderr *os.File
	group          sync.WaitGroup
	out, err       string
	status         pipe.Status // as read at the moment of EOF on both pipes
}

// open opens both pipes for reading, one after the other in the given order: the worst case for whoever opens the other ends in order.
func (f *fixture) open(t *testing.T, order ...string) *reading {
	t.Helper()
	if order == nil {
		order = []string{f.StderrPipe, f.StdoutPipe} // as upstream's sidecar does
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := &reading{}
	for _, path := range order {
		file, err := pipe.OpenReader(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() }) // may be closed already
		if err := file.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if path == f.StdoutPipe {
			r.stdout = file
		} else {
			r.stderr = file
		}
	}
	return r
}

// drain reads both pipes to their end.
func (f *fixture) drain(t *testing.T, r *reading) *reading {
	t.Helper()
	read := func(file *os.File, text *string) {
		all, err := io.ReadAll(file)
		if err != nil {
			t.Error(err)
		}
		*text += string(all)
	}
	r.group.Go(func() { read(r.stdout, &r.out) })
	r.group.Go(func() { read(r.stderr, &r.err) })
	r.group.Wait()
	status, err := pipe.ReadExitStatus(f.ExitStatusFile)
	if err != nil {
		t.Error(err)
	}
	r.status = status
	return r
}

// readLine reads one line byte by byte, so that nothing behind it is taken.
func readLine(t *testing.T, file *os.File) string {
	t.Helper()
	var line strings.Builder
	for one := make([]byte, 1); ; {
		if _, err := file.Read(one); err != nil {
			t.Fatalf("after %q: %v", line.String(), err)
		}
		if one[0] == '\n' {
			return line.String()
		}
		line.WriteByte(one[0])
	}
}

// run starts the shim, reads everything and waits for the end.
func (f *fixture) run(t *testing.T) (*reading, int) {
	t.Helper()
	f.start(t)
	r := f.drain(t, f.open(t))
	return r, f.wait(t)
}

func finished(code int, name string) pipe.Status {
	return pipe.Status{Phase: pipe.Finished, ExitStatus: pipe.ExitStatus{Code: code, Signal: name}}
}
