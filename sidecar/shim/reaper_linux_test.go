package shim_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"sync-sidecar/sidecar/pipe"
)

// becomeReaper makes orphans come to us, as they come to the first process of a container.
func becomeReaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

func TestOrphansAreCollected(t *testing.T) {
	f := newFixture(t, "orphan")
	f.ReapOrphans = true
	r, code := f.run(t)
	if code != 0 || r.out != "collected\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q, log %q", code, r.out, r.err, f.output.String())
	}
}

// The shim's own collecting must not take the connector's exit status.
func TestReapingKeepsTheExitStatus(t *testing.T) {
	for range 10 {
		f := newFixture(t, "leave")
		f.ReapOrphans = true
		r, code := f.run(t)
		if code != 4 || r.status != (finished(4, "")) {
			t.Fatalf("exit code %d, status %+v, want 4; log %q", code, r.status, f.output.String())
		}
	}
}

// An escaped process (setsid) is out of reach: the shim does not wait for it, and says how the connector ended all the same.
func TestEscapedGrandchildIsNotWaitedFor(t *testing.T) {
	f := newFixture(t, "escape")
	f.start(t)
	r := f.open(t)
	var pid int
	if _, err := scanReady(readLine(t, r.stdout), &pid); err != nil {
		t.Fatal(err)
	}
	code := f.wait(t)
	status, err := pipe.ReadExitStatus(f.ExitStatusFile)
	if err != nil || code != 4 || status != finished(4, "") {
		t.Errorf("exit code %d, status %+v, %v, want 4", code, status, err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Errorf("the escaped process should live: %v", err)
	}
	f.drain(t, r)
}

// The shim is the connector's only witness: when it is killed, the connector must not live on and hold the pipes open.
func TestKilledShimTakesTheConnectorWithIt(t *testing.T) {
	f := newFixture(t, "silent")
	f.start(t)
	r := f.open(t)
	if line := readLine(t, r.stdout); line[:5] != "ready" {
		t.Fatal(line)
	}
	if err := f.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f.drain(t, r) // ends only when the connector is gone
	if r.status.Phase != pipe.Running {
		t.Errorf("status %+v, want running: nobody knows how the connector ended", r.status)
	}
	f.wait(t)
}
