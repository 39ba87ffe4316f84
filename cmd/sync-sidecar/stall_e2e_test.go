package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// unread starts a program whose stdout and stderr are pipes that nobody reads, as a terminal after Ctrl-S or a log driver that hangs.
func unread(t *testing.T, dir string, environ []string, program string, args ...string) *exec.Cmd {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	command := exec.Command(program, args...)
	command.Dir, command.Env, command.Stdout, command.Stderr = dir, environ, writer, writer
	if err := errors.Join(command.Start(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	return command
}

// endsWithin waits for the end of a program and returns its exit code.
func endsWithin(t *testing.T, command *exec.Cmd, limit time.Duration) int {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return codeOf(t, err)
	case <-time.After(limit):
		t.Fatalf("it is alive after %v", limit)
		return 0
	}
}

// A log that nobody reads stops neither a sync nor its end: deadlines, the signal and the verdict go on.
func TestSidecarWhoseLogNobodyReads(t *testing.T) {
	t.Parallel()
	const flood = `{"counts":{"orders":10000000},"rate":20000,"records_per_state":5,"faults":{"stderr_flood":{"every":1,"bytes":5000}}}`
	p := newPod(t, "read", flood).set("SHUTDOWN_GRACE", "3s",
		"LOG_FORMAT", "json", "LOG_LEVEL", "DEBUG")
	p.startSource()
	sidecar := unread(t, p.dir, p.environ(), p.sidecar, "sidecar")
	awaitFile(t, p.path("data/sync-1/task.json"))
	if err := sidecar.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := endsWithin(t, sidecar, 4*time.Second); code != exitSignal+15 {
		t.Errorf("exit code %d", code)
	}
	if task := p.task(); task.Status != "CANCELLED" {
		t.Errorf("task %+v", task)
	}
}

// Two SIGINTs end `run --verbose` on a terminal that is stopped.
func TestRunWhoseTerminalIsStopped(t *testing.T) {
	t.Parallel()
	programs := built(t)
	dir := t.TempDir()
	run := unread(t, dir, os.Environ(), programs.Sidecar, "run", "read", "--verbose", "--exec", programs.Demo, "--local-dir", dir, "--sync-id", "s",
		"--config", `{"counts":{"orders":10000000},"rate":20000,"records_per_state":5}`)
	awaitFile(t, dir+"/s/task.json")
	for range 2 {
		if err := run.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	if code := endsWithin(t, run, 15*time.Second); code != exitSignal+2 {
		t.Errorf("exit code %d", code)
	}
}

// awaitFile waits until a file is there.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("%s is not made", path)
}
