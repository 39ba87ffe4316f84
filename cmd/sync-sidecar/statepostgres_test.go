package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// Where rows go straight to Postgres, what is committed there changes, too.
func TestStateInPostgres(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	database := postgrestest.Database(t)
	c.env = append(c.env, "DESTINATION_URL="+database)
	c.wants("nothing", c.state("show"), exitFailed, `"one"`, "postgres")
	wantLines(t, "schemas that a look made", postgrestest.Query(t, database, `select nspname from pg_namespace where nspname = 'sync_sidecar'`))
	c.read(`{"counts":{"customers":30,"products":20,"orders":50}}`)
	wantLines(t, "states", postgrestest.Query(t, database, positions), "3|3")
	c.wants("show", c.state("show"), exitOK, "customers  STREAM  20")
	c.wants("another", c.run("state", "show", "--sync-id", "two"), exitFailed, "there are those of one")
	c.file("state.json", c.state("export").stdout)
	c.read(`{"counts":{"customers":30,"products":20,"orders":50},"grow":10}`)
	c.wants("diff", c.state("diff", "state.json"), exitFailed, "orders")
	c.wants("import", c.state("import", "state.json"), exitOK, "position of the rows", "3 states", "twice")
	c.wants("the same", c.state("diff", "state.json"), exitOK)
	c.read(`{"counts":{"customers":30,"products":20,"orders":50},"grow":10}`)
	wantLines(t, "tables", postgrestest.Query(t, database, demoTables), "40|30|60") // merged by their keys
	c.wants("reset", c.state("reset", "--yes", "--streams", "orders"), exitOK, "1 state (orders)")
	wantLines(t, "states", postgrestest.Query(t, database, positions), "2|2")
	c.read(`{"counts":{"customers":30,"products":20,"orders":50}}`)
	wantLines(t, "tables", postgrestest.Query(t, database, demoTables), "40|30|50") // orders starts over
	journal, err := postgres.Open(t.Context(), postgres.Options{URL: database, Schema: "sync_sidecar",
		Identity: sidecar.Identity{SyncID: "one", TaskID: "nightly"}})
	if err == nil {
		err = journal.Lock(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	c.wants("while it runs", c.state("reset", "--yes"), exitEnvironment, "already running", "task nightly")
	c.wants("while it runs", c.state("show"), exitOK, "customers")
	if err := journal.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.file("refused.json", `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"n":1e200000}}}]`)
	c.wants("a state that Postgres cannot hold", c.state("import", "refused.json"), exitFailed, "refused")
	wantLines(t, "states", postgrestest.Query(t, database, positions), "3|3")
	c.wants("reset", c.state("reset", "--yes"), exitOK, "3 states")
	wantLines(t, "states", postgrestest.Query(t, database, positions), "0|0")
	c.wants("nothing", c.state("show"), exitFailed, "no state")
	if got := c.state("show"); strings.Contains(got.stderr, password(t, database)) {
		t.Errorf("the password is shown: %s", got.stderr)
	}
}

// A journal that is behind what is committed with the rows does not count, and that is said.
func TestStateOfAJournalThatIsBehind(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	database, journal := postgrestest.Database(t), postgrestest.Database(t)
	c.env = append(c.env, "DESTINATION_URL="+database, "DATABASE_URL="+journal)
	c.read(`{"count":20}`)
	postgrestest.Exec(t, journal, `update source_state set state = '{"updated_at":"1999-01-01"}' where stream = 'orders'`)
	got := c.state("show")
	c.wants("show", got, exitOK, "the latter count", "updated_at=20")
	if strings.Contains(got.stdout, "1999") {
		t.Errorf("the journal's state is shown: %s", got.stdout)
	}
	postgrestest.Exec(t, journal, `delete from source_state`) // it was lost
	c.wants("reset", c.state("reset", "-y", "--streams", "orders"), exitOK, "1 state (orders)")
	c.wants("show", c.state("show"), exitOK, "customers")
}

// A run that is under way is seen where its rows are, also by whoever does not know of its journal.
func TestStateOfARunWithAnotherJournal(t *testing.T) {
	t.Parallel()
	c, other := newCommandLine(t), newCommandLine(t)
	database, journal := postgrestest.Database(t), postgrestest.Database(t)
	c.env, other.env = append(c.env, "DESTINATION_URL="+database), append(other.env, "DESTINATION_URL="+database)
	c.env = append(c.env, "DATABASE_URL="+journal)
	c.read(`{"count":20}`)
	running, _, stderr := c.command("run", "read", "--exec", c.programs.Demo, "--sync-id", "one", "--config", `{"count":10000,"rate":50}`)
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	c.awaitRow(journal, "select from source_task where status = 'RUNNING'")
	other.wants("while it runs", other.state("reset", "--yes"), exitEnvironment, `sync "one" is already running (sync-sidecar 20`)
	other.wants("while it runs", other.state("show"), exitOK, "customers")
	if err := running.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := codeOf(t, running.Wait()); code != 130 || strings.Contains(stderr.String(), "another run") {
		t.Errorf("the run: %d %s", code, stderr)
	}
	other.wants("afterwards", other.state("reset", "--yes"), exitOK, "forgotten")
}

// awaitRow waits until a query finds something in tables that may not be there yet.
func (c *commandLine) awaitRow(database, query string) {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), database)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(c.t.Context())) }()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) { // polling with a deadline
		var there bool
		if conn.QueryRow(c.t.Context(), "select exists ("+query+")").Scan(&there) == nil && there {
			return
		}
	}
	c.t.Fatalf("%s: nothing within a minute", query)
}
