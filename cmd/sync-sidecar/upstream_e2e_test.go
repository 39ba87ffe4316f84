package main

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

const demoCounts = `"counts":{"customers":30,"products":20,"orders":250},"records_per_state":100`

// A read in upstream's form: rows at Bulker, log lines at Bulker and in Postgres, states and the verdict in Postgres, and nothing in any folder.
func TestUpstreamPodReads(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`)
	database := p.usePostgres()
	server := p.useBulker(bulkertest.Options{Token: "T-secret", Destinations: []string{"sync-1", "logs-1"}})
	p.set("LOGS_CONNECTION_ID", "logs-1", "STARTED_BY", `{"trigger":"manual"}`, "LOCAL_DIR", p.path("unused"))
	p.run().want(t, exitOK, "read SUCCESS", "300 of 300 rows delivered")

	wantCounts(t, tableCounts(t, server), map[string]int64{"customers": 30, "products": 20, "orders": 250})
	for _, commit := range server.Commits() {
		if commit.Destination != "sync-1" || commit.TaskID != "task-1" || strings.Join(commit.PrimaryKey, ",") != "id" {
			t.Errorf("load %+v", commit.Load)
		}
	}
	posts, err := server.Posts()
	if err != nil {
		t.Fatal(err)
	}
	if len(posts) == 0 || posts[0].Destination != "logs-1" || posts[0].Table != "task_log" {
		t.Errorf("no log lines at Bulker: %d, %+v", len(posts), posts)
	}
	query := func(sql string) []string { return postgrestest.Query(t, database, sql) }
	wantLines(t, "states", query(`select sync_id, stream from source_state order by stream`), "sync-1|customers", "sync-1|orders", "sync-1|products")
	wantLines(t, "task", query(`select sync_id, task_id, package, version, started_by->>'trigger', status, error from source_task`),
		"sync-1|task-1|sync-sidecar/source-demo|1.0.0|manual|SUCCESS|-")
	wantLines(t, "start", query(`select to_char(started_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS') from source_task`), "2026-05-04 03:02:01")
	wantLines(t, "streams", query(`select key, value->>'events', value->>'status' from source_task, jsonb_each(description::jsonb) order by key`),
		"customers|30|SUCCESS", "orders|250|SUCCESS", "products|20|SUCCESS")
	wantLines(t, "the source's log", query(`select distinct logger, sync_id, task_id from task_log where message like '%Finished syncing%'`),
		"sync-sidecar/source-demo|sync-1|task-1")
	wantLines(t, "folder", []string{p.file("task.json")}, "")
	if got := globNames(t, p.path("unused")); len(got) > 0 {
		t.Errorf("a local folder was made although nothing needs it: %v", got)
	}
}

func TestUpstreamPodAnswers(t *testing.T) {
	t.Parallel()
	for command, test := range map[string]struct{ sql, want string }{
		"spec":  {`select package, version, error, specs->>'protocol_version' from source_spec`, "sync-sidecar/source-demo|1.0.0|-|0.18.0"},
		"check": {`select package, version, key, status from source_check`, "sync-sidecar/source-demo|1.0.0|key-1|SUCCESS"},
		"discover": {`select package, version, key, status, jsonb_array_length(catalog->'streams') from source_catalog`,
			"sync-sidecar/source-demo|1.0.0|key-1|SUCCESS|3"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, command, `{}`)
			database := p.usePostgres()
			p.run().want(t, exitOK, command+" SUCCESS")
			wantLines(t, command, postgrestest.Query(t, database, test.sql), test.want)
			if strings.Contains(p.file("rows"), "x") || len(globNames(t, p.path("data/*/task.json"))) > 0 {
				t.Error("an answer is no task")
			}
		})
	}
}

// What the shell says of an entrypoint that is not there is the only trace of it; the verdict names the variable.
func TestUpstreamPodWithoutEntrypoint(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"spec", "check", "discover", "read"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, command, `{}`)
			p.source = ""
			p.run().want(t, exitFailed, command+" FAILED", "AIRBYTE_ENTRYPOINT", "/bin/sh: ")
			if command == "read" {
				if task := p.task(); task.Status != "FAILED" || !strings.Contains(task.Error, "AIRBYTE_ENTRYPOINT") {
					t.Errorf("task %+v", task)
				}
			}
		})
	}
}

// Without an exit status the statuses of the streams tell that a source died.
func TestUpstreamPodWhoseSourceDies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config string
		code   int
		status string
		orders string
		cause  string
	}{
		"in the last stream": {`{` + demoCounts + `,"faults":{"kill_self":{"stream":"orders","after_row":150}}}`, exitPartial, "PARTIAL", "PARTIAL",
			"the connector ended before this stream was complete"},
		"at once": {`{` + demoCounts + `,"faults":{"exit_code":{"code":3}}}`, exitFailed, "FAILED", "FAILED",
			"the connector ended before this stream was complete"},
		"half a line": {`{` + demoCounts + `,"faults":{"cut_last_line":{"stream":"orders","after_row":150}}}`, exitPartial, "PARTIAL", "PARTIAL",
			"line 218 of the connector's stdout was lost (cut_line)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", test.config)
			p.run().want(t, test.code, "read "+test.status, test.cause)
			if task := p.task(); task.Status != test.status || task.Streams["orders"].Status != test.orders || task.Error == "" {
				t.Errorf("task %+v", task)
			}
		})
	}
}
