package destination

import (
	"context"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

// keyOfOrders are the columns of its primary key.
const keyOfOrders = `select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
	where i.indrelid = to_regclass('orders') and i.indisprimary`

// A new table shows itself with its first rows and its key, not before.
func TestNewTableComesWithItsRows(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	r := begin(t, url, nil, nil, table("orders", properties(idAndV), "id"))
	given := sidecartest.LiveRows(idRows(0, 3000, "a")...)
	ended := make(chan error, 1)
	go func() { ended <- r.Load(within(t), sidecar.Load{Table: r.tables[0], Rows: given}) }()
	if !given.AwaitHunger(within(t)) {
		t.Fatal("nobody reads the rows")
	}
	equalLines(t, "tables while rows come", postgrestest.Query(t, url, `select coalesce(to_regclass('orders')::text, 'none')`), "none")
	given.Add(`{"id":3000,"v":"b"}`)
	given.Finish()
	must(t, <-ended)
	equalLines(t, "rows", postgrestest.Query(t, url, `select count(*) from orders`), "3001")
	equalLines(t, "the key", postgrestest.Query(t, url, keyOfOrders), "id")
	must(t, r.load(0, sidecar.Append, `{"id":3000,"v":"c"}`))
	equalLines(t, "rows", postgrestest.Query(t, url, `select count(*) from orders where v = 'c'`), "1")
}

// Somebody else makes the same table in the same moment: the rows go into theirs.
func TestNewTableOfTwo(t *testing.T) {
	t.Parallel()
	for name, theirs := range map[string]string{
		"with the key":      `create table orders (id bigint primary key, v text); insert into orders values (1, 'theirs'), (2, 'theirs')`,
		"without a key":     `create table orders (id bigint, v text); insert into orders values (1, 'theirs'), (2, 'theirs')`,
		"with another type": `create table orders (id text primary key, v text); insert into orders values ('1', 'theirs'), ('2', 'theirs')`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			r := begin(t, url, nil, nil, table("orders", properties(idAndV), "id"))
			commit := meanwhile(t, url, theirs)
			ended := make(chan error, 1)
			go func() { ended <- r.load(0, sidecar.Append, `{"id":1,"v":"ours"}`, `{"id":3,"v":"ours"}`) }()
			awaitBlocked(t, url, "create table%")
			commit()
			must(t, <-ended)
			equalLines(t, "rows", postgrestest.Query(t, url, `select id, v from orders order by id`), "1|ours", "2|theirs", "3|ours")
			equalLines(t, "the key", postgrestest.Query(t, url, keyOfOrders), "id")
		})
	}
}

// meanwhile runs statements in a transaction, and returns what commits it.
func meanwhile(t *testing.T, url, statements string) (commit func()) {
	t.Helper()
	conn := connect(t, url)
	_, err := conn.Exec(within(t), "begin; "+statements)
	must(t, err)
	return func() {
		t.Helper()
		_, err := conn.Exec(within(t), "commit")
		must(t, err)
		must(t, conn.Close(context.Background()))
	}
}

// awaitBlocked waits until a statement waits for another session.
func awaitBlocked(t *testing.T, url, like string) {
	t.Helper()
	const blocked = `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1`
	for deadline := time.Now().Add(20 * time.Second); postgrestest.Query(t, url, blocked, like)[0] == "0"; {
		if time.Now().After(deadline) {
			t.Fatalf("no %s waits for another session", like)
		}
	}
}
