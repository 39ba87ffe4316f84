package main

import (
	"os"
	"strings"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// When a step before the sidecar fails, the kubelet starts no sidecar: the step records that itself (I2).
func TestFailedInitIsRecorded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		spoil func(p *pod)
		code  int
		want  string // of the task's error
	}{
		"no catalog":    {[]string{"--load-state"}, func(p *pod) { remove(p.t, p.path("config/catalog.json")) }, exitUsage, "CATALOG_FILE"},
		"wrong setting": {[]string{"--load-state"}, func(p *pod) { p.set("BATCH_ROWS", "0") }, exitUsage, "BATCH_ROWS"},
		"no volume":     {[]string{"--place", "/proc/none"}, nil, exitEnvironment, "/proc/none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`)
			database := p.usePostgres()
			if test.spoil != nil {
				test.spoil(p)
			}
			step := p.spawn(p.environ(), p.sidecar, append([]string{"init"}, test.args...)...)
			if code := step.wait(); code != test.code {
				t.Errorf("exit code %d: %s", code, step.stderr)
			}
			wantLines(t, "task", postgrestest.Query(t, database, `select status, task_id, position($1 in error) > 0 from source_task`, test.want),
				"FAILED|task-1|t")
		})
	}
}

// Without a task's name there is none to record, and a run that goes on keeps its own.
func TestFailedInitOfNoTask(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{}`).set("TASK_ID", "")
	database := p.usePostgres()
	step := p.spawn(p.environ(), p.sidecar, "init", "--place", "/proc/none")
	if code := step.wait(); code != exitEnvironment {
		t.Errorf("exit code %d: %s", code, step.stderr)
	}
	wantLines(t, "table", postgrestest.Query(t, database, `select to_regclass('source_task') is null`), "t")
}

// The connector's container cannot write to the database: it leaves the failure of discover for the next step or the sidecar, which end as it did.
func TestFailedDiscoverIsRecorded(t *testing.T) {
	t.Parallel()
	for name, next := range map[string][]string{"by init": {"init", "--load-state"}, "by the sidecar": {"sidecar"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"api_key":"very-secret","faults":{"stderr_text":{"command":"discover","text":"key is very-secret"},
				"exit_code":{"command":"discover","code":7}}}`)
			database := p.usePostgres()
			remove(t, p.path("config/catalog.json"))
			discover := p.spawn(append(p.environ(), "AIRBYTE_ENTRYPOINT="+p.source), p.sidecar, "catalog", "--leave-failure")
			if code := discover.wait(); code != exitOK {
				t.Errorf("discover: exit code %d", code)
			}
			mustContain(t, "discover", discover.stderr.String(), "discover failed", "exited with code 7")
			after := p.spawn(p.environ(), p.sidecar, next...)
			if code := after.wait(); code != exitFailed {
				t.Errorf("%s: exit code %d: %s", next[0], code, after.stderr)
			}
			mustContain(t, next[0], after.stderr.String(), "discover failed", "exited with code 7")
			if said := after.stderr.String() + discover.stderr.String(); strings.Contains(said, "very-secret") {
				t.Errorf("a secret is shown: %s", said)
			}
			wantLines(t, "task", postgrestest.Query(t, database, `select status, task_id, error like '%discover failed%' from source_task`), "FAILED|task-1|t")
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
