package bulker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// columns is a list of n columns for CREATE TABLE, or of n values.
func columns(n int, format string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
	}
	return strings.Join(list, ", ")
}

// postgresError is SQL whose last statement fails, and what becomes of its error.
type postgresError struct {
	sql  []string
	want outlook
	says string
}

// postgresErrors are statements like those of Bulker.
func postgresErrors() map[string]postgresError {
	const visitor = `create role bulker_visitor; grant usage on schema public to bulker_visitor; revoke create on schema public from public`
	return map[string]postgresError{
		"key null":      {[]string{`create table t (id bigint not null)`, `insert into t values (null)`}, cannotPass, "DEDUPLICATE=false"},
		"nulls there":   {[]string{`create table t (id bigint)`, `insert into t values (null)`, `alter table t add primary key (id)`}, cannotPass, "key"},
		"doubles there": {[]string{`create table t (id bigint)`, `insert into t values (1), (1)`, `alter table t add primary key (id)`}, cannotPass, "key"},
		"no key column": {[]string{`create table t (a bigint)`, `alter table t add primary key (id)`}, soonOrNever, "key's column"},
		"no column":     {[]string{`create table t ()`, `insert into t() select  from t`}, cannotPass, "{}"},
		"columns":       {[]string{`create table t (` + columns(1601, "c# bigint") + `)`}, cannotPass, "1,600"},
		"row too big": {[]string{`create table t (` + columns(1600, "c# bigint") + `)`,
			`insert into t values (` + columns(1600, "#") + `)`}, cannotPass, "page"},
		"key too long": {[]string{`create table t (id text primary key)`,
			`insert into t select string_agg(md5(i::text), '') from generate_series(1, 400) i`}, cannotPass, "another key"},
		"foreign key": {[]string{`create table t (id bigint primary key)`, `create table u (t bigint references t)`,
			`truncate t`}, soonOrNever, "foreign key"},
		"text in JSON": {[]string{`create table t (j jsonb)`, `insert into t values ('plain')`}, cannotPass, "JSON"},
		"type changed": {[]string{`create table t (a bigint)`, `create table s (a text)`, `insert into t(a) select a from s`}, cannotPass, "full refresh"},
		"a view":       {[]string{`create view t as select 1 as a`, `create table t (a bigint)`}, soonOrNever, "view"},
		"in a view":    {[]string{`create view t as select 1 as a limit 1`, `insert into t values (1)`}, soonOrNever, "view"},
		"column twice": {[]string{`create table t (a bigint)`, `alter table t add column a bigint`}, soonOrNever, "63 bytes"},
		"too long":     {[]string{`create table t (a varchar(2))`, `insert into t values ('abc')`}, cannotPass, "wider"},
		"too large":    {[]string{`create table t (a int)`, `insert into t values (3000000000)`}, cannotPass, "larger type"},
		"a month 13":   {[]string{`create table t (a date)`, `insert into t values ('2024-13-01')`}, cannotPass, "does not fit"},
		"a check":      {[]string{`create table t (id bigint check (id > 5))`, `insert into t values (1)`}, cannotPass, "rule"},
		"two of a key": {[]string{`create table t (id bigint primary key)`,
			`insert into t values (1), (1) on conflict (id) do update set id = 1`}, cannotPass, "key"},
		"capitals": {[]string{`create table t (id bigint constraint "R6" primary key)`,
			`insert into t values (1) on conflict on constraint R6 do nothing`}, cannotPass, "renamed"},
		"no schema": {[]string{`create table nowhere.t (id bigint)`}, cannotPass, "CREATE SCHEMA"},
		"timeout":   {[]string{`set local statement_timeout = 5`, `select pg_sleep(60)`}, mayPass, "statement_timeout"},
		"a lock":    {[]string{`set local lock_timeout = 5`, `lock table locked in access exclusive mode`}, mayPass, "lock"},
		"a standby": {[]string{`set transaction read only`, `create table t (id bigint)`}, mayPass, "read-only"},
		"schema right": {[]string{visitor, `set local role bulker_visitor`, `create table t (id bigint)`}, cannotPass,
			`GRANT USAGE, CREATE ON SCHEMA "public" TO`},
		"table right": {[]string{visitor, `create table "Or ders" (id bigint)`, `set local role bulker_visitor`,
			`insert into "Or ders" values (1)`}, cannotPass, `GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON "Or ders" TO`},
		"owner": {[]string{visitor, `create table t (id bigint)`, `set local role bulker_visitor`,
			`alter table t add a int`}, cannotPass, `ALTER TABLE "t" OWNER`},
		"database": {[]string{visitor, `set local role bulker_visitor`, `create schema x`}, cannotPass, `GRANT CREATE ON DATABASE "test_`},
	}
}

// TestPostgresErrors classifies what a real Postgres says, through the driver that Bulker uses, to what Bulker does.
func TestPostgresErrors(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := postgrestest.Database(t)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for name, c := range postgresErrors() {
		if name == "a lock" {
			unlock := holdLock(ctx, t, url)
			defer unlock()
		}
		failure := "stream complete error: report.sql.x: failed to x {db_info: }, cause: " + lastError(ctx, t, conn, c.sql)
		got, advice := outlookOf(failure)
		if got != c.want || !strings.Contains(advice, c.says) {
			t.Errorf("%s: outlook %d, advice %q, want %d, %q: %s", name, got, advice, c.want, c.says, failure)
		}
	}
}

// lastError runs statements in a transaction that is undone; only the last may fail, and must.
func lastError(ctx context.Context, t *testing.T, conn *pgx.Conn, statements []string) string {
	t.Helper()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for i, statement := range statements {
		_, err := tx.Exec(ctx, statement)
		if (err != nil) != (i == len(statements)-1) {
			t.Fatalf("%.100s: %v", statement, err)
		}
		if err != nil {
			return err.Error()
		}
	}
	return ""
}

// holdLock keeps a table locked.
func holdLock(ctx context.Context, t *testing.T, url string) (unlock func()) {
	t.Helper()
	postgrestest.Exec(t, url, `create table if not exists locked (id bigint)`)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, `lock table locked`)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = conn.Close(context.WithoutCancel(ctx)) }
}
