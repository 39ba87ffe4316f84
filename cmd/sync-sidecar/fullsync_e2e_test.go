package main

import (
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// positions is how many states the journal and the position of the rows hold.
const positions = `select (select count(*) from sync_sidecar.source_state), (select count(*) from sync_sidecar.destination_state)`

// A full sync whose connector sends no states leaves none of an earlier run: the next read starts over, and no row is there twice.
func TestFullSyncWithoutStates(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"counts":{"customers":30,"products":20,"orders":50}}`)
	database := p.useTables()
	put(t, p.path("config/catalog.json"), `{"streams":[{"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["updated_at"],
		"stream":{"name":"orders","supported_sync_modes":["full_refresh","incremental"],
		"json_schema":{"type":"object","properties":{"id":{"type":"integer"}}}}}]}`)
	p.run().want(t, exitOK, "read SUCCESS")
	wantLines(t, "states", postgrestest.Query(t, database, positions), "1|1")

	put(t, p.path("config/config.json"), `{"counts":{"customers":30,"products":20,"orders":50},"grow":10,"no_states":true}`)
	p.set("TASK_ID", "task-2", "FULL_SYNC", "true")
	p.run().want(t, exitOK, "read SUCCESS", "forgotten")
	whole := postgrestest.Query(t, database, `select count(*), count(distinct id) from orders`)
	wantLines(t, "states", postgrestest.Query(t, database, positions), "0|0")

	put(t, p.path("config/config.json"), `{"counts":{"customers":30,"products":20,"orders":50},"grow":10}`)
	p.set("TASK_ID", "task-3", "FULL_SYNC", "")
	p.initialise(t, "--load-state")
	p.run().want(t, exitOK, "read SUCCESS")
	wantLines(t, "rows", postgrestest.Query(t, database, `select count(*), count(distinct id) from orders`), whole...)
	wantLines(t, "states", postgrestest.Query(t, database, positions), "1|1")
}

// A full sync of a source with GLOBAL states ends with one of its own, from which the next read goes on; cut off in the middle it leaves none that
// tells of rows which are gone.
func TestFullSyncOfAGlobalState(t *testing.T) {
	t.Parallel()
	const config = `{"counts":{"customers":30,"products":0,"orders":50},"state_type":"GLOBAL"`
	p := newPod(t, "read", config+`}`)
	database := p.useTables()
	stream := func(name string) string {
		return `{"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["updated_at"],"stream":{"name":"` + name + `",
			"supported_sync_modes":["full_refresh","incremental"],"json_schema":{"type":"object","properties":{"id":{"type":"integer"}}}}}`
	}
	put(t, p.path("config/catalog.json"), `{"streams":[`+stream("customers")+`,`+stream("orders")+`]}`)
	const rows = `select (select count(*) from customers), (select count(*) from orders)`
	read := func(task, full, config string, code int, loadState bool) {
		t.Helper()
		put(t, p.path("config/config.json"), config)
		p.set("TASK_ID", task, "FULL_SYNC", full)
		if loadState {
			p.initialise(t, "--load-state")
		}
		p.run().want(t, code)
	}
	read("task-1", "", config+`}`, exitOK, false)
	wantLines(t, "states", postgrestest.Query(t, database, positions), "1|1")
	read("task-2", "true", config+`}`, exitOK, true)
	wantLines(t, "states after a full sync", postgrestest.Query(t, database, positions), "1|1")
	read("task-3", "", config+`}`, exitOK, true)
	wantLines(t, "rows", postgrestest.Query(t, database, rows), "30|50")

	read("task-4", "true", config+`,"faults":{"exit_code":{"code":9,"stream":"orders","after_row":5}}}`, exitPartial, true)
	wantLines(t, "states after a part", postgrestest.Query(t, database, positions), "1|1") // of this run: orders begins anew
	read("task-5", "", config+`}`, exitOK, true)
	wantLines(t, "rows in the end", postgrestest.Query(t, database, rows), "30|50")
}
