package main

import (
	"os"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// What fails before a session begins is recorded too: nobody waits for its task (I2).
func TestUnstartedSessionIsRecorded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command, query, want string
		code                 int
		spoil                func(p *pod)
	}{
		"no Bulker": {"read", `select status, error like '%BULKER_URL%' from source_task`, "FAILED|t", exitEnvironment,
			func(p *pod) { p.set("BULKER_URL", "http://"+deadAddress(p.t)) }},
		"bad catalog": {"read", `select status, error like '%CATALOG_FILE%' from source_task`, "FAILED|t", exitUsage,
			func(p *pod) { put(p.t, p.path("config/catalog.json"), `{"streams":[`) }},
		"streams of one table": {"read", `select status, error like '%would both be written%' from source_task`, "FAILED|t", exitUsage,
			func(p *pod) { p.configure(configured{name: "a.b"}, configured{name: "a_b"}) }},
		"damaged folder": {"read", `select status, error like '%state.json%' from source_task`, "FAILED|t", exitEnvironment,
			func(p *pod) { p.set("BULKER_URL", ""); put(p.t, p.path("data/sync-1/state.json"), `{`) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, test.command, `{}`)
			database := p.usePostgres()
			p.useBulker(bulkertest.Options{})
			if err := os.Mkdir(p.path("data/sync-1"), 0o700); err != nil {
				t.Fatal(err)
			}
			test.spoil(p)
			sidecar := p.startSidecar()
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, test.code)
			wantLines(t, "task", postgrestest.Query(t, database, test.query), test.want)
		})
	}
}

// A second run that is refused says so in its own task, and leaves the first one's alone.
func TestRefusedRunIsRecorded(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"counts":{"orders":1000000},"rate":500,"records_per_state":10}`)
	p.configure(incrementalStreams("orders")...)
	database := p.usePostgres()
	p.useBulker(bulkertest.Options{})
	first := p.startSidecar()
	p.startSource()
	first.stderr.await(t, "Marking stream orders as STARTED")
	p.set("TASK_ID", "task-2")
	second := p.startSidecar()
	got := outcome{second.wait(), second.stderr.String()}
	got.want(t, exitEnvironment, "already running")
	wantLines(t, "tasks", postgrestest.Query(t, database, `select task_id, status, error like '%already running%' from source_task order by 1`),
		"task-1|RUNNING|-", "task-2|FAILED|t")
}
