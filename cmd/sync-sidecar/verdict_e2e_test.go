package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/verdictfile"
)

// newExecPod is a pod of ours: init makes the pipes and places the binary, exec runs the connector. last is the file for each container's last words.
func newExecPod(t *testing.T, command, config string) *pod {
	t.Helper()
	p := newPod(t, command, config)
	p.withShim = true
	put(t, p.path("termination"), "")
	p.set("TERMINATION_MESSAGE_PATH", p.path("termination"))
	init := p.spawn(p.environ(), p.sidecar, "init", "--place", p.path("bin"))
	if code := init.wait(); code != exitOK {
		t.Fatalf("init: exit code %d: %s", code, init.stderr)
	}
	return p
}

// verdict is what the verdict file says.
func (p *pod) verdict() verdictfile.Note {
	p.t.Helper()
	note, found, err := verdictfile.Read(p.path("verdict.json"))
	if err != nil || !found {
		p.t.Fatalf("verdict file: %t, %v", found, err)
	}
	return note
}

// wantLastWords checks a termination message.
func (p *pod) wantLastWords(words ...string) {
	p.t.Helper()
	content, err := os.ReadFile(p.path("termination"))
	if err != nil || len(content) > maxTerminationBytes {
		p.t.Fatalf("termination message of %d bytes, %v", len(content), err)
	}
	mustContain(p.t, "the termination message", string(content), words...)
}

// refusedRow is the configuration of a connector that ends well, and one of whose rows is refused with NON_FINITE_NUMBERS=fail.
const refusedRow = `{` + demoCounts + `,"faults":{"non_finite":{"stream":"orders","after_row":10}}}`

// The container of the connector ends as the sync did.
func TestExecEndsAsTheSync(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config  string
		spoil   func(p *pod)
		exec    int
		sidecar int
		words   []string
	}{
		"success": {`{` + demoCounts + `}`, nil, exitOK, exitOK, []string{"read SUCCESS", "300 of 300 rows"}},
		"rows are refused, the connector is well": {refusedRow, func(p *pod) { p.set("NON_FINITE_NUMBERS", "fail") }, exitPartial, exitPartial,
			[]string{"read PARTIAL"}},
		"the connector fails": {`{` + demoCounts + `,"faults":{"exit_code":{"code":3}}}`, nil, 3, exitFailed,
			[]string{"the connector exited with code 3", "read FAILED"}},
		"the connector fails in the middle": {`{` + demoCounts + `,"faults":{"kill_self":{"stream":"orders","after_row":150}}}`, nil, exitSignal + 9,
			exitPartial, []string{"SIGKILL", "read PARTIAL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newExecPod(t, "read", test.config)
			if test.spoil != nil {
				test.spoil(p)
			}
			sidecar, exec := p.startSidecar(), p.startSource()
			if code := exec.wait(); code != test.exec {
				t.Errorf("exec: exit code %d, want %d: %s", code, test.exec, exec.stderr)
			}
			if code := sidecar.wait(); code != test.sidecar {
				t.Errorf("sidecar: exit code %d, want %d: %s", code, test.sidecar, sidecar.stderr)
			}
			if note := p.verdict(); note.ExitCode != test.sidecar || !note.Final() {
				t.Errorf("the verdict file says %+v", note)
			}
			p.wantLastWords(test.words...)
		})
	}
}

// A sidecar that cannot begin says so, lets exec end at once, and only then ends itself: a native one would be started again.
func TestExecEndsWhenTheSidecarCannotBegin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set   []string
		code  int
		words []string
		task  string
	}{
		"bad setting": {[]string{"BATCH_ROWS", "0", "SHUTDOWN_GRACE", "never"}, exitUsage, []string{"BATCH_ROWS", "SHUTDOWN_GRACE"}, "FAILED|t"},
		"bad catalog": {[]string{"CATALOG_FILE", "/nowhere"}, exitUsage, []string{"CATALOG_FILE", "/nowhere"}, "FAILED|t"},
		"no Bulker":   {[]string{"BULKER_URL", "http://127.0.0.1:1"}, exitEnvironment, []string{"STARTUP_TIMEOUT", "127.0.0.1:1"}, "FAILED|t"},
		"no Postgres": {[]string{"DATABASE_URL", "postgres://me:sesame@127.0.0.1:1/d"}, exitEnvironment, []string{"127.0.0.1:1", "no journal"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newExecPod(t, "read", `{}`)
			database := p.usePostgres()
			p.set(append([]string{"STARTUP_TIMEOUT", "1s"}, test.set...)...)
			sidecar := p.startSidecar()
			eventually(t, func() bool { return p.verdict().Final() }, sidecar.stderr.String)
			select {
			case <-sidecar.done:
				t.Errorf("it ended before exec came: %s", sidecar.stderr)
			case <-time.After(300 * time.Millisecond):
			}
			p.wantLastWords(test.words...)
			exec := p.startSource()
			if code := exec.wait(); code != test.code {
				t.Errorf("exec: exit code %d, want %d: %s", code, test.code, exec.stderr)
			}
			mustContain(t, "exec", exec.stderr.String(), test.words...)
			if code := sidecar.wait(); code != test.code {
				t.Errorf("sidecar: exit code %d, want %d: %s", code, test.code, sidecar.stderr)
			}
			if test.task != "" {
				wantLines(t, "task", postgrestest.Query(t, database, `select status, error like '%`+test.words[0]+`%' from source_task`), test.task)
			}
		})
	}
}

// A sidecar that is killed while it reads and started again must not go on in the middle: the run ends, and the next one delivers every row.
func TestKilledSidecarDoesNotGoOn(t *testing.T) {
	t.Parallel()
	p := newExecPod(t, "read", `{"counts":{"orders":3000},"records_per_state":10,"rate":1000}`).set("STATE_AGE", "10ms")
	p.configure(configured{name: "orders", mode: "incremental", destination: "append"})
	database := p.usePostgres()
	server := p.useBulker(bulkertest.Options{})
	first, exec := p.startSidecar(), p.startSource()
	eventually(t, func() bool { return len(server.Commits()) > 1 }, first.stderr.String)
	first.kill()
	second := p.startSidecar()
	if code := exec.wait(); code == exitOK { // the connector's own, when the broken pipe ended it first
		t.Errorf("exec: exit code %d: %s", code, exec.stderr)
	}
	got := outcome{second.wait(), second.stderr.String()}
	got.want(t, exitEnvironment, "the sidecar was killed while it read the connector")
	wantLines(t, "task", postgrestest.Query(t, database, `select status, error like '%killed while it read%' from source_task`), "FAILED|t")
	p.wantLastWords("the sidecar was killed")

	p.set("TASK_ID", "task-2")
	p.loadState()
	p.run().want(t, exitOK, "read SUCCESS")
	if rows, err := server.Count("orders"); err != nil || rows != 3000 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// A sidecar that is gone for good: exec does not let the connector run on for nobody, and the next run finds the task.
func TestSidecarIsGone(t *testing.T) {
	t.Parallel()
	for _, journal := range []string{"Postgres", "the folder"} {
		t.Run(journal, func(t *testing.T) {
			t.Parallel()
			p := newExecPod(t, "read", `{"counts":{"orders":300},"records_per_state":10,
				"faults":{"silence":{"stream":"orders","after_row":100,"seconds":600}}}`)
			p.configure(configured{name: "orders", mode: "incremental", destination: "append"})
			database := ""
			if journal == "Postgres" {
				database = p.usePostgres()
			}
			sidecar, exec := p.startSidecar(), p.startSource()
			sidecar.stderr.await(t, "Marking stream orders as STARTED")
			sidecar.kill()
			if code := exec.wait(); code != exitEnvironment {
				t.Errorf("exec: exit code %d: %s", code, exec.stderr)
			}
			p.wantLastWords("ended without a verdict")
			put(t, p.path("config/config.json"), `{"counts":{"orders":300}}`)
			p.set("TASK_ID", "task-2", "STARTED_AT", "2026-05-04T04:02:01Z")
			p.loadState()
			p.run().want(t, exitOK, `earlier run "task-1" of this sync ended without a verdict`, "read SUCCESS")
			if database != "" {
				wantLines(t, "tasks", postgrestest.Query(t, database, `select task_id, status, error like 'interrupted%' from source_task order by 1`),
					"task-1|FAILED|t", "task-2|SUCCESS|-")
			}
			if rows := p.rows("orders"); len(rows) != 300 {
				t.Errorf("%d rows", len(rows))
			}
		})
	}
}

// The kubelet tells the connector's container first, and a native sidecar only when that has ended: exec hands it on.
func TestStopReachesTheSidecarThroughExec(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"a connector that obeys": `{"counts":{"orders":100000},"records_per_state":10,"rate":500}`,
		"a connector that does not": `{"counts":{"orders":100000},"records_per_state":10,
			"faults":{"silence":{"stream":"orders","after_row":200,"seconds":600},"ignore_sigterm":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newExecPod(t, "read", config).set("SHUTDOWN_GRACE", "6s", "STATE_AGE", "10ms")
			p.configure(configured{name: "orders", mode: "incremental", destination: "append"})
			sidecar, exec := p.startSidecar(), p.startSource()
			eventually(t, func() bool { return len(p.rows("orders")) > 50 }, sidecar.stderr.String)
			began := time.Now()
			exec.signal(syscall.SIGTERM)
			if code := exec.wait(); code != exitSignal+15 && code != exitSignal+9 {
				t.Errorf("exec: exit code %d: %s", code, exec.stderr)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if code := sidecar.wait(); code != exitSignal+15 {
				t.Errorf("sidecar: exit code %d: %s", code, sidecar.stderr)
			}
			if task := p.task(); task.Status != "CANCELLED" {
				t.Errorf("task %+v", task)
			}
			p.wantLastWords("CANCELLED")
		})
	}
}

// Whoever wants the connector's exit code and nothing else gets it.
func TestExecDoesNotWait(t *testing.T) {
	t.Parallel()
	p := newExecPod(t, "read", refusedRow).set("NON_FINITE_NUMBERS", "fail")
	sidecar := p.startSidecar()
	exec := p.spawn([]string{"PATH=" + os.Getenv("PATH"), "AIRBYTE_ENTRYPOINT=" + p.source, "NO_WAIT_VERDICT=true"},
		filepath.Join(p.dir, "bin", "sync-sidecar"), "exec", "--stdout-pipe", p.path("stdout"), "--stderr-pipe", p.path("stderr"),
		"--", "read", "--config", p.env["CONFIG_FILE"], "--catalog", p.env["CATALOG_FILE"])
	if code := exec.wait(); code != exitOK {
		t.Errorf("exec: exit code %d: %s", code, exec.stderr)
	}
	if code := sidecar.wait(); code != exitPartial {
		t.Errorf("sidecar: exit code %d: %s", code, sidecar.stderr)
	}
}

// A sidecar that hangs gives no sign of life: exec says so in time.
func TestVerdictTimeout(t *testing.T) {
	t.Parallel()
	p := newExecPod(t, "read", `{"counts":{"orders":300},"rate":200}`)
	sidecar := p.startSidecar()
	exec := p.spawn([]string{"PATH=" + os.Getenv("PATH"), "AIRBYTE_ENTRYPOINT=" + p.source, "VERDICT_TIMEOUT=2s"}, p.sidecar,
		"exec", "--stdout-pipe", p.path("stdout"), "--stderr-pipe", p.path("stderr"), "--", "read", "--config", p.env["CONFIG_FILE"],
		"--catalog", p.env["CATALOG_FILE"])
	sidecar.stderr.await(t, "Marking stream")
	sidecar.signal(syscall.SIGSTOP)
	if code := exec.wait(); code != exitEnvironment || !strings.Contains(exec.stderr.String(), "VERDICT_TIMEOUT") {
		t.Errorf("exec: exit code %d: %s", code, exec.stderr)
	}
}
