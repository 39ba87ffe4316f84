package destination

import (
	"net/url"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// fault is what is wrong with a database, and what a load of {"id":1,"v":"a"} into its table orders then says.
type fault struct {
	keyed     bool
	mode      sidecar.Mode
	query     string   // of the URL
	before    []string // by the superuser; the load is by the role guest
	permanent bool
	away      bool
	says      []string
}

const open = `grant all on schema public to guest; grant create on database "$DB" to guest; `

// faults are of the kinds that people meet.
func faults() map[string]fault {
	return map[string]fault{
		"no right to make the schema of the positions": {before: []string{`grant all on schema public to guest`}, permanent: true,
			says: []string{"permission denied for database", `GRANT CREATE ON DATABASE "$DB" TO "guest"`,
				`CREATE SCHEMA "sync_sidecar" AUTHORIZATION "guest"`}},
		"no right to make a table": {before: []string{open, `revoke create on schema public from guest, public`}, permanent: true,
			says: []string{"permission denied for schema public", `GRANT USAGE, CREATE ON SCHEMA "public" TO "guest"`}},
		"somebody else's table lacks a column": {before: []string{open, `create table orders (id bigint); grant all on orders to guest`}, permanent: true,
			says: []string{"must be owner of table orders", `ALTER TABLE public.orders OWNER TO "guest"`}},
		"no right to insert": {before: []string{open, `create table orders (id bigint, v text)`}, permanent: true,
			says: []string{`GRANT INSERT ON public.orders TO "guest"`}},
		"no right to delete": {mode: sidecar.ReplaceWhole, permanent: true,
			before: []string{open, `create table orders (id bigint, v text); grant insert on orders to guest`},
			says:   []string{`GRANT DELETE, SELECT ON public.orders TO "guest"`}},
		"no temporary tables": {keyed: true, before: []string{open, `revoke temporary on database "$DB" from public;
			create table orders (id bigint primary key, v text); grant all on orders to guest`}, permanent: true,
			says: []string{"permission denied to create temporary tables", "GRANT TEMPORARY"}},
		"a view": {before: []string{open, `create view orders as select 1 as id`}, permanent: true, says: []string{"public.orders is a view: rename"}},
		"a materialized view": {before: []string{open, `create materialized view orders as select 1 as id`}, permanent: true,
			says: []string{"public.orders is a materialized view"}},
		"a sequence": {before: []string{open, `create sequence orders`}, permanent: true, says: []string{"public.orders is no table"}},
		"row-level security": {before: []string{open, `create table orders (id bigint, v text); grant all on orders to guest;
			alter table orders enable row level security`}, permanent: true, says: []string{"row-level security", "BYPASSRLS"}},
		"a table that is locked": {before: []string{open, `create table orders (id bigint); alter table orders owner to guest`, lockOrders},
			says: []string{"canceling statement due to lock timeout", "holds a lock"}},
		"a statement timeout of the URL": {query: "&statement_timeout=300", before: []string{open, `create table orders (id bigint, v text);
			grant all on orders to guest; create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(2); return new; end';
			create trigger slow before insert on orders for each row execute function slow()`},
			says: []string{"statement timeout", "raise or remove the statement_timeout"}},
		"a read-only database": {before: []string{open, `alter database "$DB" set default_transaction_read_only = on`}, away: true,
			says: []string{"read-only", "target_session_attrs"}},
		"a column that must not be null": {before: []string{open, `create table orders (id bigint, v text, boss text not null);
			grant all on orders to guest`}, permanent: true, says: []string{`null value in column "boss"`, "give it a default"}},
		"another unique index": {before: []string{open, `create table orders (id bigint, v text unique); grant all on orders to guest;
			insert into orders values (7, 'a')`}, permanent: true, says: []string{`duplicate key value violates unique constraint "orders_v_key"`, "drop it"}},
		"a constraint over two columns": {before: []string{open, `create table orders (id bigint, v text, constraint mine check (id > 5 or v > 'x'));
			grant all on orders to guest`}, permanent: true, says: []string{`violates check constraint "mine"`, "drop it, or correct the source"}},
		"a deferrable key": {keyed: true, before: []string{open, `create table orders (id bigint primary key deferrable, v text);
			grant all on orders to guest`}, permanent: true, says: []string{"deferrable"}},
		"rows that contradict the key": {keyed: true, before: []string{open, `create table orders (id bigint, v text); alter table orders owner to guest;
			insert into orders values (1, 'a'), (1, 'b')`}, permanent: true,
			says: []string{`do not let ("id") be its primary key`, "could not create unique index"}},
		"a wrong password": {query: "guest:wrong@", away: true, permanent: true,
			says: []string{"password authentication failed", "check user and password of DESTINATION_URL"}},
		"no database": {query: "/nowhere?", away: true, permanent: true,
			says: []string{`database "nowhere" does not exist`, "correct its name in DESTINATION_URL"}},
		"no server": {query: ":1/", away: true, says: []string{"connection refused", "is the server up"}},
	}
}

// lockOrders stands for a lock that somebody holds on the table.
const lockOrders = "lock"

// TestFaults says what is wrong, whether it can pass, and what to do.
func TestFaults(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	postgrestest.Exec(t, server.DSN(), `create role guest login password 'guest-pw'`)
	for name, f := range faults() {
		database := "db" + strings.ReplaceAll(strings.ReplaceAll(name, " ", ""), "'", "")
		postgrestest.Exec(t, server.DSN(), `create database `+quote(database))
		t.Run(name, func(t *testing.T) { f.show(t, server, database) })
	}
}

func (f fault) show(t *testing.T, server *postgrestest.Server, database string) {
	t.Helper()
	t.Parallel()
	super := strings.Replace(server.DSN(), "/postgres?", "/"+database+"?", 1)
	for _, sql := range f.before {
		if sql == lockOrders {
			defer hold(t, super, "lock table orders")()
			continue
		}
		for statement := range strings.SplitSeq(strings.ReplaceAll(sql, "$DB", database), ";\n") {
			postgrestest.Exec(t, super, statement)
		}
	}
	err := f.load(t, f.url(t, super))
	refusal := sidecar.AsLoadError(err)
	if refusal == nil || refusal.Permanent != f.permanent || refusal.Environment != f.away {
		t.Fatalf("%v is no such error: %+v", err, refusal)
	}
	for _, words := range f.says {
		if words = strings.ReplaceAll(words, "$DB", database); !strings.Contains(err.Error(), words) {
			t.Errorf("%v does not say %q", err, words)
		}
	}
	if strings.Contains(err.Error(), "guest-pw") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q shows the password, or has several lines", err)
	}
}

// url is that of the guest.
func (f fault) url(t *testing.T, super string) string {
	t.Helper()
	parsed, err := url.Parse(super)
	must(t, err)
	parsed.User = url.UserPassword("guest", "guest-pw")
	switch {
	case strings.HasPrefix(f.query, "guest:"):
		parsed.User = url.UserPassword("guest", "wrong")
	case strings.HasPrefix(f.query, "/"):
		parsed.Path = "/nowhere"
	case strings.HasPrefix(f.query, ":"):
		parsed.Host = "127.0.0.1:1"
	default:
		parsed.RawQuery += f.query
	}
	return parsed.String()
}

// load is a run up to its load.
func (f fault) load(t *testing.T, address string) error {
	t.Helper()
	orders := table("orders", properties(idAndV))
	if f.keyed {
		orders = table("orders", properties(idAndV), "id")
	}
	r := &run{t: t, Client: openAt(t, address, nil), url: address, tables: []sidecar.Table{orders}}
	_, err := r.Place(r.tables)
	must(t, err)
	if err := r.Ready(within(t)); err != nil {
		return err
	}
	if _, err := r.Resume(within(t), r.catalog(), nil); err != nil {
		return err
	}
	return r.load(0, f.mode, `{"id":1,"v":"a"}`)
}
