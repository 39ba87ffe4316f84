package pipe_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar/pipe"
)

func TestExitStatusComesBack(t *testing.T) {
	tests := map[string]pipe.ExitStatus{
		"0\n":                         {Code: 0},
		"1\n":                         {Code: 1},
		"137 SIGKILL\n":               {Code: 137, Signal: "SIGKILL"},
		"137 SIGKILL out-of-memory\n": {Code: 137, Signal: "SIGKILL", OutOfMemory: true},
		"1 - out-of-memory\n":         {Code: 1, OutOfMemory: true},
		"0 stopped-by-SIGTERM\n":      {Code: 0, Stopped: "SIGTERM"},
		"137 SIGKILL out-of-memory stopped-by-SIGINT\n": {Code: 137, Signal: "SIGKILL", OutOfMemory: true, Stopped: "SIGINT"},
	}
	for text, status := range tests {
		path := filepath.Join(t.TempDir(), "exit-status")
		if err := pipe.WriteRunning(path); err != nil {
			t.Fatal(err)
		}
		if got, err := pipe.ReadExitStatus(path); err != nil || got != (pipe.Status{Phase: pipe.Running}) {
			t.Errorf("while it runs: %+v, %v", got, err)
		}
		if err := pipe.WriteExitStatus(path, status); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%+v was written as %q (%v), want %q", status, got, err, text)
		}
		if got, err := pipe.ReadExitStatus(path); err != nil || got != (pipe.Status{Phase: pipe.Finished, ExitStatus: status}) {
			t.Errorf("%+v came back as %+v, %v", status, got, err)
		}
	}
}

func TestExitStatusOfOthers(t *testing.T) {
	long := strings.Repeat("1", 300) + "\n"
	for _, text := range []string{"", "0", "running", "x\n", "-1\n", "256\n", "1 SIGKILL more\n", "1 - out-of-memory x\n", "stopped-by-SIGTERM\n",
		"running x\n", "running stopped-by-\n", "0 stopped-by-\n", long} {
		path := filepath.Join(t.TempDir(), "exit-status")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := pipe.ReadExitStatus(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q was read as %+v, %v, want an error that names the file", text, got, err)
		}
	}
	path := newPipe(t)
	if got, err := pipe.ReadExitStatus(path); err == nil || !strings.Contains(err.Error(), "named pipe") {
		t.Errorf("a pipe was read as %+v, %v", got, err)
	}
}

// Whoever asks the shim to end is known at once, and stays known.
func TestExitStatusStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exit-status")
	want := func(want pipe.Status) {
		t.Helper()
		if got, err := pipe.ReadExitStatus(path); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	stop := func(signal string) {
		t.Helper()
		if err := pipe.MarkStopped(path, signal); err != nil {
			t.Fatal(err)
		}
	}
	stop("SIGTERM")
	want(pipe.Status{Phase: pipe.Absent})
	if err := pipe.WriteRunning(path); err != nil {
		t.Fatal(err)
	}
	stop("SIGTERM")
	stop("SIGINT")
	want(pipe.Status{Phase: pipe.Running, ExitStatus: pipe.ExitStatus{Stopped: "SIGTERM"}})
	if err := pipe.WriteExitStatus(path, pipe.ExitStatus{Code: 3}); err != nil {
		t.Fatal(err)
	}
	stop("SIGINT")
	want(pipe.Status{Phase: pipe.Finished, ExitStatus: pipe.ExitStatus{Code: 3, Stopped: "SIGINT"}})
}

func TestExitStatusAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exit-status")
	if got, err := pipe.ReadExitStatus(path); err != nil || got.Phase != pipe.Absent {
		t.Errorf("read %+v, %v, want absent", got, err)
	}
	if err := pipe.RemoveExitStatus(path); err != nil {
		t.Errorf("remove of nothing: %v", err)
	}
	if err := pipe.WriteRunning(path); err != nil {
		t.Fatal(err)
	}
	if err := pipe.RemoveExitStatus(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestExitStatusBetweenUsers(t *testing.T) {
	needRoot(t)
	path := filepath.Join(sharedFolder(t, 0o777), "exit-status")
	if output, err := asUser(t, 1000, "running", path); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if output, err := asUser(t, 65532, "finished", path); err != nil {
		t.Fatalf("a later shim of another user: %v: %s", err, output)
	}
	if got := modeOf(t, path).Perm(); got != 0o644 {
		t.Errorf("mode %v, want 0644 whatever the umask", got)
	}
	closed := filepath.Join(sharedFolder(t, 0o755), "exit-status")
	output, err := asUser(t, 1000, "running", closed)
	if err == nil || !strings.Contains(output, closed) || !strings.Contains(output, "permission denied") {
		t.Errorf("in a folder of root: %v: %s", err, output)
	}
}

// A reader sees the old text or the new one, never a part, and no temporary files stay.
func TestExitStatusIsWholeAtAnyMoment(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "exit-status")
	if err := pipe.WriteRunning(path); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for code := range 200 {
			if err := pipe.WriteExitStatus(path, pipe.ExitStatus{Code: code, Signal: "SIGTERM"}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2000 {
		if _, err := pipe.ReadExitStatus(path); err != nil {
			t.Error(err)
			break
		}
	}
	group.Wait()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want the file alone", entries, err)
	}
}
