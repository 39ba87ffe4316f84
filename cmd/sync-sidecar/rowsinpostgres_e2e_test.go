package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// useTables makes a database that takes the rows, and everything else that has no place of its own.
func (p *pod) useTables() string {
	p.t.Helper()
	database := postgrestest.Database(p.t)
	p.set("DESTINATION_URL", database)
	return database
}

// demoTables is how many rows the tables of the demo connector hold.
const demoTables = `select (select count(*) from customers), (select count(*) from products), (select count(*) from orders)`

// Rows go straight into tables; results, state and status beside them, and the next read goes on from there.
func TestRowsInPostgres(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"counts":{"customers":30,"products":20,"orders":50}}`)
	database := p.useTables()
	got := p.run()
	got.want(t, exitOK, "read SUCCESS", "100 rows")
	p.wantSecret(got, "", password(t, database))
	wantLines(t, "tables", postgrestest.Query(t, database, demoTables), "30|20|50")
	wantLines(t, "task", postgrestest.Query(t, database, `select sync_id, status from sync_sidecar.source_task`), "sync-1|SUCCESS")
	wantLines(t, "states", postgrestest.Query(t, database, `select count(*) from sync_sidecar.source_state`), "3")
	wantLines(t, "key", postgrestest.Query(t, database, `select count(*) from pg_constraint where conrelid = 'orders'::regclass and contype = 'p'`), "1")
	if rows := p.rows("orders"); len(rows) > 0 {
		t.Errorf("the local folder holds %d rows", len(rows))
	}
	p.set("TASK_ID", "task-2")
	p.initialise(t, "--load-state")
	p.run().want(t, exitOK, "read SUCCESS")
	wantLines(t, "tables", postgrestest.Query(t, database, demoTables), "30|20|50")
}

// password is the one in a database URL.
func password(t *testing.T, database string) string {
	t.Helper()
	parsed, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := parsed.User.Password()
	return secret
}

// initialise runs init in the pod's environment.
func (p *pod) initialise(t *testing.T, args ...string) {
	t.Helper()
	init := p.spawn(p.environ(), p.sidecar, append([]string{"init"}, args...)...)
	if code := init.wait(); code != 0 {
		t.Fatalf("init exited with %d: %s", code, init.stderr.String())
	}
}

// controllersDestination is destinationConfig.json as Jitsu's sync-controller writes it for a Postgres.
func controllersDestination(t *testing.T, database string) string {
	t.Helper()
	parsed, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := parsed.User.Password()
	text, err := json.Marshal(map[string]any{"destinationType": "postgres", "host": parsed.Hostname(), "port": json.Number(parsed.Port()),
		"database": strings.TrimPrefix(parsed.Path, "/"), "username": parsed.User.Username(), "password": secret, "defaultSchema": "lake",
		"sslMode": "disable", "parameters": map[string]string{"application_name": "jitsu"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The file that Jitsu's sync-controller puts beside the connector's configuration says where rows go; the journal stays where DATABASE_URL says.
func TestDestinationConfig(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"counts":{"customers":30,"products":20,"orders":50}}`)
	journal, database := p.usePostgres(), postgrestest.Database(t)
	put(t, p.path("config/destinationConfig.json"), controllersDestination(t, database))
	p.set("DESTINATION_CONFIG_FILE", p.path("config/destinationConfig.json"))
	got := p.run()
	got.want(t, exitOK, "read SUCCESS", "100 rows")
	p.wantSecret(got, journal, password(t, database))
	wantLines(t, "tables", postgrestest.Query(t, database, `select count(*) from lake.orders`), "50")
	wantLines(t, "task", postgrestest.Query(t, journal, `select status from source_task`), "SUCCESS")
}

// Another destination than Postgres is refused before the connector is listened to, and the task says why.
func TestDestinationConfigOfAnotherType(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config string
		words  []string
	}{
		"another type": {`{"destinationType":"clickhouse","password":"sesame-pw"}`, []string{`"clickhouse"`, "BULKER_URL", "DESTINATION_CONFIG_FILE"}},
		"no type":      {`{"host":"db","password":"sesame-pw"}`, []string{"destinationType"}},
		"a wrong type": {`{"destinationType":"postgres","host":7,"password":"sesame-pw"}`, []string{`"host"`}},
		"no JSON":      {`{"password":"sesame-pw"`, []string{"DESTINATION_CONFIG_FILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`)
			journal := p.usePostgres()
			put(t, p.path("config/destinationConfig.json"), test.config)
			p.set("DESTINATION_CONFIG_FILE", p.path("config/destinationConfig.json"))
			sidecar := p.startSidecar()
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, exitUsage, test.words...)
			p.wantSecret(got, journal, "sesame-pw")
			task := strings.Join(postgrestest.Query(t, journal, `select status, error from source_task`), "\n")
			mustContain(t, "the task", task, append(test.words, "FAILED")...)
		})
	}
}

// What is wrong with where rows go is said before anything starts.
func TestWrongDestinations(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set   []string
		code  int
		words []string
	}{
		"two": {[]string{"DESTINATION_URL", "postgres://db/x", "BULKER_URL", "http://bulker:3042"}, exitUsage,
			[]string{"DESTINATION_URL", "BULKER_URL"}},
		"no sync":     {[]string{"DESTINATION_URL", "postgres://db/x", "SYNC_ID", ""}, exitUsage, []string{"SYNC_ID", "DESTINATION_URL"}},
		"not escaped": {[]string{"DESTINATION_URL", "postgres://u:p@ss@db/x"}, exitUsage, []string{"DESTINATION_URL", "%40"}},
		"away":        {[]string{"DESTINATION_URL", "postgres://u:pw@127.0.0.1:1/x"}, exitEnvironment, []string{"DESTINATION_URL", "127.0.0.1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`).set(test.set...)
			sidecar := p.startSidecar()
			outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, test.code, test.words...)
		})
	}
}

// A database user who may not make tables: the error says which right is missing and how to give it.
func TestTablesWithoutRights(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	postgrestest.Exec(t, database, `create role stranger login password 'sesame-pw'; revoke create on schema public from public`)
	t.Cleanup(func() { postgrestest.Exec(t, database, `drop role stranger`) })
	parsed, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	parsed.User = url.UserPassword("stranger", "sesame-pw")
	p := newPod(t, "read", `{}`).set("DESTINATION_URL", parsed.String())
	sidecar := p.startSidecar()
	got := outcome{sidecar.wait(), sidecar.stderr.String()}
	got.want(t, exitEnvironment, "DESTINATION_URL", "permission denied")
	mustContain(t, "stderr", strings.ToLower(got.stderr), "grant")
	p.wantSecret(got, "", "sesame")
}
