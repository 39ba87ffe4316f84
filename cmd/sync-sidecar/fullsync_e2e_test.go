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
