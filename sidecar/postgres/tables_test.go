package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// consoleTables are the tables as Prisma makes them of Jitsu's webapps/console/prisma/schema.prisma: constraint names of its own, ids without a
// default.
const consoleTables = `
CREATE TABLE @"source_spec" ("package" TEXT NOT NULL, "version" TEXT NOT NULL, "specs" JSONB,
    "timestamp" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "error" TEXT, CONSTRAINT "spec_id" PRIMARY KEY ("package","version"));
CREATE TABLE @"source_check" ("package" TEXT NOT NULL, "version" TEXT NOT NULL, "key" TEXT NOT NULL, "status" TEXT NOT NULL, "description" TEXT,
    "timestamp" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, CONSTRAINT "check_id" PRIMARY KEY ("key"));
CREATE TABLE @"source_catalog" ("package" TEXT NOT NULL, "version" TEXT NOT NULL, "key" TEXT NOT NULL, "catalog" JSONB,
    "timestamp" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "status" TEXT NOT NULL, "description" TEXT,
    CONSTRAINT "catalog_id" PRIMARY KEY ("package","version","key"));
CREATE TABLE @"source_state" ("sync_id" TEXT NOT NULL, "stream" TEXT NOT NULL, "state" JSONB NOT NULL,
    "timestamp" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, CONSTRAINT "state_id" PRIMARY KEY ("sync_id","stream"));
CREATE TABLE @"source_task" ("sync_id" TEXT NOT NULL, "task_id" TEXT NOT NULL, "package" TEXT NOT NULL, "version" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_by" JSONB, "status" TEXT NOT NULL, "description" TEXT, "metrics" JSONB, "error" TEXT, CONSTRAINT "task_id" PRIMARY KEY ("task_id"));
CREATE TABLE @"task_log" ("id" UUID NOT NULL, "level" TEXT NOT NULL, "logger" TEXT NOT NULL, "message" TEXT NOT NULL, "sync_id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL, "timestamp" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, CONSTRAINT "log_id" PRIMARY KEY ("id"));
CREATE INDEX "source_task_sync_id_idx" ON @"source_task"("sync_id");`

const tablesSQL = "select table_schema || '.' || table_name from information_schema.tables where table_name ~ '^(source|task)_' order by table_name"

func allTables(schema string) []string {
	var names []string
	for _, name := range []string{"source_catalog", "source_check", "source_spec", "source_state", "source_task", "task_log"} {
		names = append(names, schema+"."+name)
	}
	return names
}

// useAll calls every method that writes or reads tables.
func useAll(t *testing.T, j *Journal) {
	t.Helper()
	ctx := within(t)
	must(t, j.Lock(ctx))
	must(t, j.SaveResult(ctx, sidecar.Result{Command: sidecar.CommandSpec, Status: sidecar.StatusSuccess, Payload: []byte(`{"s":1}`)}))
	must(t, j.SaveResult(ctx, sidecar.Result{Command: sidecar.CommandCheck, Status: sidecar.StatusSuccess}))
	must(t, j.SaveResult(ctx, sidecar.Result{Command: sidecar.CommandDiscover, Status: sidecar.StatusSuccess, Payload: []byte(`{"c":1}`)}))
	must(t, j.SaveStates(ctx, []sidecar.SavedState{state("users", `{"n":1}`)}))
	must(t, j.SaveTask(ctx, sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: `{}`}))
	must(t, j.SaveTask(ctx, sidecar.TaskRecord{Status: sidecar.StatusFailed, Error: "it broke"}))
	must(t, j.AppendLogs(ctx, []sidecar.LogRecord{{Level: "INFO", Message: "one"}, {Level: "WARN", Logger: "source", Message: "two"}}))
	states, err := j.LoadStates(ctx)
	must(t, err)
	if len(states) != 1 || string(states[0].State) != `{"n": 1}` {
		t.Errorf("loaded %+v", states)
	}
}

const everyRowSQL = `select
	(select count(*) from %[1]ssource_spec), (select count(*) from %[1]ssource_check), (select count(*) from %[1]ssource_catalog),
	(select count(*) from %[1]ssource_state), (select count(*) from %[1]ssource_task), (select count(*) from %[1]stask_log)`

func TestOpenMakesTheTables(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	equalLines(t, "tables", postgrestest.Query(t, url, tablesSQL), allTables("public")...)
	useAll(t, j)
	equalLines(t, "rows", postgrestest.Query(t, url, fmt.Sprintf(everyRowSQL, "")), "1|1|1|1|1|2")
	open(t, url)
	equalLines(t, "rows after another open", postgrestest.Query(t, url, fmt.Sprintf(everyRowSQL, "")), "1|1|1|1|1|2")
}

func TestOpenMakesTheSchema(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url+"&schema=new-jitsu&connection_limit=3&pgbouncer=true")
	equalLines(t, "tables", postgrestest.Query(t, url, tablesSQL), allTables("new-jitsu")...)
	useAll(t, j)
	equalLines(t, "rows", postgrestest.Query(t, url, fmt.Sprintf(everyRowSQL, `"new-jitsu".`)), "1|1|1|1|1|2")
	if !strings.HasSuffix(j.String(), " schema new-jitsu") || strings.Contains(j.String(), "@") {
		t.Errorf("the journal is called %q", j)
	}
	if got := j.pool.Config().MaxConns; got != 3 {
		t.Errorf("the pool has %d connections, want 3", got)
	}
}

func TestOpenMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	open(t, url)
	postgrestest.Exec(t, url, "drop table task_log, source_spec")
	useAll(t, open(t, url))
}

func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			j, err := Open(within(t), Options{URL: url + "&schema=fresh", Identity: testIdentity()})
			if err != nil {
				t.Error(err)
				return
			}
			if err := j.Close(within(t)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	equalLines(t, "tables", postgrestest.Query(t, url, tablesSQL), allTables("fresh")...)
}

func TestOpenOnTheConsolesTables(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]string{
		"today's":                 "",
		"without error":           `alter table @source_task drop column error`,
		"without started_by":      `alter table @source_task drop column started_by, drop column metrics`,
		"without any of them":     `alter table @source_task drop column error, drop column started_by, drop column metrics`,
		"with columns of its own": `alter table @source_state add column note text default 'x'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			schema := "newjitsu."
			postgrestest.Exec(t, url, "create schema newjitsu")
			postgrestest.Exec(t, url, strings.ReplaceAll(consoleTables, "@", schema))
			if alter != "" {
				postgrestest.Exec(t, url, strings.ReplaceAll(alter, "@", schema))
			}
			before := postgrestest.Query(t, url, "select count(*) from pg_class")
			j := open(t, url+"&schema=newjitsu")
			equalLines(t, "relations", postgrestest.Query(t, url, "select count(*) from pg_class"), before...)
			useAll(t, j)
			equalLines(t, "rows", postgrestest.Query(t, url, fmt.Sprintf(everyRowSQL, schema)), "1|1|1|1|1|2")
			want := "FAILED|-"
			if strings.Contains(alter, "drop column error") {
				want = "FAILED|it broke"
			}
			equalLines(t, "task", postgrestest.Query(t, url, "select status, description from newjitsu.source_task"), want)
		})
	}
}

// guest makes a user who may connect to the database and nothing else, and returns the URL with its name.
func guest(t *testing.T, url, grants string) string {
	t.Helper()
	name := "guest_" + strings.ToLower(strings.NewReplacer("/", "_", "#", "_").Replace(t.Name()))
	postgrestest.Exec(t, url, fmt.Sprintf("create user %s password 'guest-pw'; revoke create on schema public from public", name))
	if grants != "" {
		postgrestest.Exec(t, url, fmt.Sprintf(grants, name))
	}
	t.Cleanup(func() { postgrestest.Exec(t, url, fmt.Sprintf("drop owned by %[1]s; drop user %[1]s", name)) })
	_, rest, _ := strings.Cut(url, "@")
	return fmt.Sprintf("postgres://%s:guest-pw@%s", name, rest)
}

func TestOpenWithoutTheRightToMakeTables(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	open(t, url)
	useAll(t, open(t, guest(t, url, "grant select, insert, update, delete on all tables in schema public to %s")))
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	full := "grant select, insert, update, delete on all tables in schema public to %s"
	for _, test := range []struct {
		name, prepare, grants string
		guest                 bool
		want                  []string
	}{
		{"nothing there", "drop table task_log, source_task", full, true,
			[]string{"make the missing tables source_task, task_log", "permission denied", "grant the user"}},
		{"no rights", "", "", true, []string{"grant SELECT on source_state", "grant DELETE on source_state", "grant INSERT on task_log"}},
		{"read only", "", "grant select on all tables in schema public to %s", true, []string{"grant INSERT on source_check"}},
		{"old table", "alter table source_state drop column stream", "", false, []string{"source_state has no column stream", "migrate"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			open(t, url)
			if test.prepare != "" {
				postgrestest.Exec(t, url, test.prepare)
			}
			as := url
			if test.guest {
				as = guest(t, url, test.grants)
			}
			_, err := Open(within(t), Options{URL: as, Identity: testIdentity()})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, "postgres 127.0.0.1:", "/test_") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if IsUnavailable(err) || strings.Contains(err.Error(), "guest-pw") {
				t.Errorf("IsUnavailable is %v of %v", IsUnavailable(err), err)
			}
		})
	}
}

func TestOpenValidatesItsOptions(t *testing.T) {
	t.Parallel()
	id := testIdentity()
	id.StartedBy = "me"
	_, err := Open(within(t), Options{URL: "mysql://nobody@localhost/none", Identity: id})
	if text := fmt.Sprint(err); !strings.Contains(text, "STARTED_BY is not JSON") || !strings.Contains(text, "DATABASE_URL cannot be read") {
		t.Errorf("got %v", err)
	}
}
