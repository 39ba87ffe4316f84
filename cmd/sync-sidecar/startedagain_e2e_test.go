package main

import (
	"os"
	"testing"

	"sync-sidecar/sidecar/verdictfile"
)

// A native sidecar whose container is started again after the verdict, and before exec has seen it, gives the same one and touches nothing.
func TestSidecarIsStartedAgainAfterTheVerdict(t *testing.T) {
	t.Parallel()
	p := newExecPod(t, "read", `{}`).set("CATALOG_FILE", "/nowhere")
	sidecar := p.startSidecar()
	eventually(t, func() bool { return p.verdict().Final() }, sidecar.stderr.String)
	sidecar.kill()
	before := p.file("task.json")
	again := p.startSidecar()
	again.stderr.await(t, "started again, after the verdict: read FAILED")
	exec := p.startSource()
	if code := exec.wait(); code != exitUsage {
		t.Errorf("exec: exit code %d: %s", code, exec.stderr)
	}
	if code := again.wait(); code != exitUsage {
		t.Errorf("sidecar: exit code %d: %s", code, again.stderr)
	}
	if after := p.file("task.json"); after != before {
		t.Errorf("the task was %s and is %s", before, after)
	}
}

// The kubelet may see the end of a native sidecar before that of exec, and start it again: the sync is over, whatever signal comes then.
func TestSidecarIsStartedAgainAfterTheEnd(t *testing.T) {
	t.Parallel()
	p := newExecPod(t, "read", `{`+demoCounts+`}`)
	exec, sidecar := p.startSource(), p.startSidecar()
	if code := exec.wait(); code != exitOK {
		t.Errorf("exec: exit code %d: %s", code, exec.stderr)
	}
	outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, exitOK, "read SUCCESS")
	before := p.file("task.json")
	for range 2 {
		again := p.startSidecar()
		outcome{again.wait(), again.stderr.String()}.want(t, exitOK, "started again, after the verdict: read SUCCESS")
	}
	if after := p.file("task.json"); after != before {
		t.Errorf("the task was %s and is %s", before, after)
	}
}

// Both containers are started again in place, as Compose does: the verdict of the run before is nobody's any more.
func TestBothAreStartedAgain(t *testing.T) {
	t.Parallel()
	p := newExecPod(t, "read", `{`+demoCounts+`,"faults":{"exit_code":{"code":3}}}`).set("PREPARE", "true")
	for run, want := range []int{3, exitOK} {
		exec, sidecar := p.startSource(), p.startSidecar()
		if code := exec.wait(); code != want {
			t.Errorf("run %d: exec: exit code %d: %s", run, code, exec.stderr)
		}
		sidecar.wait()
		put(t, p.path("config/config.json"), `{`+demoCounts+`}`)
	}
	if task := p.task(); task.Status != "SUCCESS" {
		t.Errorf("task %+v", task)
	}
}

// init beside a connector that still runs would let another sidecar read on in the middle: it changes nothing, and says what to do.
func TestInitBesideARunningConnector(t *testing.T) {
	t.Parallel()
	p := newExecPod(t, "read", `{`+demoCounts+`,"rate":100}`)
	sidecar, exec := p.startSidecar(), p.startSource()
	eventually(t, func() bool { return verdictfile.ConnectorStarted(p.path("verdict.json")) }, func() string { return exec.stderr.String() })
	before, err := os.ReadFile(p.path("verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	second := p.spawn(p.environ(), p.sidecar, "init", "--place", p.path("bin"))
	if code := second.wait(); code != exitEnvironment {
		t.Errorf("init: exit code %d: %s", code, second.stderr)
	}
	mustContain(t, "init", second.stderr.String(), "still runs", "stop its container")
	if after, err := os.ReadFile(p.path("verdict.json")); err != nil || string(after) != string(before) {
		t.Errorf("the verdict file was %s and is %s (%v)", before, after, err)
	}
	if code := exec.wait(); code != exitOK {
		t.Errorf("exec: exit code %d: %s", code, exec.stderr)
	}
	outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, exitOK, "read SUCCESS")
	third := p.spawn(p.environ(), p.sidecar, "init", "--place", p.path("bin"))
	if code := third.wait(); code != exitOK {
		t.Errorf("init after the end: exit code %d: %s", code, third.stderr)
	}
}
