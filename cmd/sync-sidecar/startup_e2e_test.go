package main

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// A Postgres that restarts while the sidecar starts is waited for, and that is said.
func TestPostgresComesUpLater(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`).set("STARTUP_TIMEOUT", "1m")
	server := postgrestest.Start(t)
	p.set("DATABASE_URL", server.DSN())
	server.Stop(t)
	sidecar := p.startSidecar()
	sidecar.stderr.await(t, "waiting up to 1m0s (STARTUP_TIMEOUT)")
	server.Restart(t)
	p.startSource()
	got := outcome{sidecar.wait(), sidecar.stderr.String()}
	got.want(t, exitOK, "read SUCCESS")
	wantLines(t, "task", postgrestest.Query(t, server.DSN(), `select status from source_task`), "SUCCESS")
}

// Bulker says that it is not ready while Kafka is away; loads work all the same. That is waited for, and is no verdict.
func TestBulkerSaysThatItIsNotReady(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`).set("STARTUP_TIMEOUT", "1s")
	server := p.useBulker(bulkertest.Options{NotReady: true})
	got := p.run()
	got.want(t, exitOK, "going on all the same", "read SUCCESS")
	if strings.Count(got.stderr, " WRN ") != 2 {
		t.Errorf("said once while it waits, and once when it goes on: %s", got.stderr)
	}
	if counts := tableCounts(t, server); counts["orders"] == 0 {
		t.Errorf("tables %v", counts)
	}
}
