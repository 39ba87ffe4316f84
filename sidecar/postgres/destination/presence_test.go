package destination

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// Who changes the position of the rows sees runs that have their journal elsewhere, and such runs do not see each other: that is the journal's.
func TestRunsAreSeenWhereTheirRowsAre(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	run := func(task, sync string, announce bool) *Client {
		t.Helper()
		c := openAt(t, database, func(o *Options) {
			o.Identity = sidecar.Identity{SyncID: sync, TaskID: task}
			o.Announce, o.Ping = announce, 50*time.Millisecond
		})
		must(t, c.Ready(within(t)))
		must(t, c.Ready(within(t))) // asked for again while a server is away
		return c
	}
	first, second := run("first", "one", true), run("second", "one", true)
	run("quiet", "two", false)
	must(t, run("state", "two", false).Alone(within(t)))
	alone := func() error { return run("state", "one", false).Alone(within(t)) }
	err := alone()
	if !errors.Is(err, sidecar.ErrLocked) || !strings.Contains(err.Error(), `sync "one" is already running (sync-sidecar `) {
		t.Fatalf("two runs: %v", err)
	}
	closeClient(first)
	// Its connection breaks: it is made again.
	holders := func() []string {
		return postgrestest.Query(t, database, "select pid::text from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted "+
			"and database = (select oid from pg_database where datname = current_database())")
	}
	before := holders()
	postgrestest.Exec(t, database, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sync-sidecar second'")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) { // polling with a deadline
		if now := holders(); len(now) == 1 && !slices.Equal(now, before) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the lock is not taken again")
		}
	}
	if err := alone(); !errors.Is(err, sidecar.ErrLocked) {
		t.Fatalf("one run: %v", err)
	}
	closeClient(second)
	must(t, alone())
	left := postgrestest.Query(t, database, "select application_name from pg_stat_activity where application_name like 'sync-sidecar first%'")
	if len(left) > 0 {
		t.Errorf("connections of a run that ended: %q", left)
	}
}
