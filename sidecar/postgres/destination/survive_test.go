package destination

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// hung are things that people hang on a table.
func hung() []string {
	return []string{
		`create role reporter`, `create role analyst`,
		`create view totals as select count(*) as n from orders`,
		`create view names as select id, v from orders where id > 0`,
		`create materialized view snapshot as select * from orders`,
		`grant select on orders, totals to reporter`, `grant select (id) on orders to analyst`,
		`alter table orders enable row level security`, `create policy part on orders for select to reporter using (id < 100)`,
		`create index by_v on orders (v)`, `create index upper_v on orders (upper(v)) where id > 1`,
		`comment on table orders is 'what we sold'`, `comment on column orders.v is 'a value'`,
		`create publication feed for table orders`, `alter table orders replica identity full`,
		`alter table orders add constraint positive check (id >= 0)`, `create statistics pairs on id, v from orders`,
		`create function noted() returns trigger language plpgsql as 'begin return null; end'`,
		`create trigger watcher after insert on orders for each statement execute function noted()`,
		`alter table orders set (fillfactor = 90)`, `alter table orders cluster on by_v`, `alter table orders alter column v set statistics 500`,
	}
}

// describedSQL is everything about the table that must stay.
const describedSQL = `
select 'oid ' || 'orders'::regclass::oid union all
select 'owner ' || relowner::regrole || ' ' || coalesce(relacl::text, '') || relrowsecurity || coalesce(reloptions::text, '')
    from pg_class where oid = 'orders'::regclass
union all select 'column ' || attname || atttypid::regtype || attnotnull || attnum || coalesce(attacl::text, '') || coalesce(attstattarget::text, '')
    from pg_attribute where attrelid = 'orders'::regclass and attnum > 0
union all select 'view ' || pg_get_viewdef(oid) from pg_class where relname in ('totals', 'names', 'snapshot')
union all select 'policy ' || polname from pg_policy where polrelid = 'orders'::regclass
union all select 'index ' || pg_get_indexdef(indexrelid) || indisclustered from pg_index where indrelid = 'orders'::regclass
union all select 'constraint ' || conname || pg_get_constraintdef(oid)
    from pg_constraint where conrelid = 'orders'::regclass or confrelid = 'orders'::regclass
union all select 'comment ' || objsubid || description from pg_description where objoid = 'orders'::regclass
union all select 'publication ' || pubname from pg_publication_tables where tablename = 'orders'
union all select 'trigger ' || tgname from pg_trigger where tgrelid = 'orders'::regclass
union all select 'statistics ' || stxname from pg_statistic_ext where stxrelid = 'orders'::regclass
order by 1`

// TestWhatHangsOnATableSurvives compares everything about a table before and after it was replaced, at once and by a stream that starts over.
func TestWhatHangsOnATableSurvives(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t) // roles are the server's
	for _, key := range [][]string{nil, {"id"}} {
		for _, referenced := range []bool{false, true} {
			name := fmt.Sprintf("db%d%v", len(key), referenced)
			if referenced && key == nil {
				continue // nothing can refer to it
			}
			postgrestest.Exec(t, server.DSN(), `create database `+quote(name))
			url := strings.Replace(server.DSN(), "/postgres?", "/"+name+"?", 1)
			orders := table("orders", properties(idAndV), key...)
			r := begin(t, url, nil, nil, orders)
			must(t, r.load(0, sidecar.ReplaceWhole, `{"id":1,"v":"old"}`, `{"id":2,"v":"old"}`, `{"id":3,"v":"old"}`))
			for _, sql := range hung() {
				postgrestest.Exec(t, url, strings.Replace(sql, "create role", "-- create role", min(1, len(key))))
			}
			if referenced {
				postgrestest.Exec(t, url, `create table items (order_id bigint references orders on delete cascade)`)
				postgrestest.Exec(t, url, `insert into items values (1), (2)`)
			}
			before := postgrestest.Query(t, url, describedSQL)
			must(t, r.load(0, sidecar.ReplaceWhole, `{"id":2,"v":"new"}`, `{"id":4,"v":"new"}`, `{"id":4,"v":"newer"}`))
			rows := postgrestest.Query(t, url, `select v from names where id < 4 union all select max(v) from names where id = 4`)
			equalLines(t, "rows", rows, "new", "newer")
			equalLines(t, "after full refresh", postgrestest.Query(t, url, describedSQL), before...)
			must(t, r.load(0, sidecar.ReplaceFirst, `{"id":2,"v":"over"}`))
			must(t, r.load(0, sidecar.Append, `{"id":5,"v":"over"}`))
			must(t, finish(r))
			equalLines(t, "rows after starting over", postgrestest.Query(t, url, `select id, v from names order by id`), "2|over", "5|over")
			equalLines(t, "after starting over", postgrestest.Query(t, url, describedSQL), before...)
			if referenced { // of a row that stayed; that of a row that went went with it, as its foreign key says
				equalLines(t, "items", postgrestest.Query(t, url, `select order_id from items`), "2")
			}
		}
	}
}

// TestFullRefreshKeepsWhatAForeignKeyNeeds, or fails with the server's words, and the old rows stay.
func TestFullRefreshKeepsWhatAForeignKeyNeeds(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	orders := table("orders", properties(idAndV), "id")
	r := begin(t, url, nil, nil, orders)
	must(t, r.load(0, sidecar.ReplaceWhole, `{"id":1,"v":"old"}`, `{"id":2,"v":"old"}`))
	postgrestest.Exec(t, url, `create table items (order_id bigint references orders)`)
	postgrestest.Exec(t, url, `insert into items values (1)`)
	must(t, r.load(0, sidecar.ReplaceWhole, `{"id":1,"v":"new"}`, `{"id":3,"v":"new"}`))
	equalLines(t, "rows", postgrestest.Query(t, url, `select id, v from orders order by id`), "1|new", "3|new")

	for name, mode := range map[string]sidecar.Mode{"at once": sidecar.ReplaceWhole, "starting over": sidecar.ReplaceFirst} {
		err := r.load(0, mode, `{"id":4,"v":"newer"}`)
		if mode == sidecar.ReplaceFirst {
			must(t, err)
			err = finish(r)
		}
		refusal := sidecar.AsLoadError(err)
		if refusal == nil || !refusal.Permanent ||
			!strings.Contains(err.Error(), `violates foreign key constraint "items_order_id_fkey" on table "items"`) ||
			!strings.Contains(err.Error(), "Key (id)=(1) is still referenced") {
			t.Errorf("%s: %v", name, err)
		}
		equalLines(t, "rows "+name, postgrestest.Query(t, url, `select id, v from orders order by id`), "1|new", "3|new")
	}
	if err := r.load(0, sidecar.ReplaceWhole); err == nil {
		t.Error("a table that is referred to was emptied")
	}
}

// TestReadersAreNotBlocked reads a table all the time while it is replaced, and looks who waits for a lock.
func TestReadersAreNotBlocked(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	orders := table("orders", properties(idAndV), "id")
	r := begin(t, url, nil, nil, orders)
	const old, replaced = 20_000, 50_000
	must(t, r.load(0, sidecar.ReplaceWhole, idRows(0, old, "old")...))
	ctx, stop := context.WithCancel(within(t))
	var readers sync.WaitGroup
	var mu sync.Mutex
	seen, slowest := map[string]int{}, time.Duration(0)
	for range 2 {
		readers.Go(func() {
			conn, err := pgx.Connect(ctx, url)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
			for ctx.Err() == nil {
				var what string
				began := time.Now()
				err := conn.QueryRow(ctx, `select count(*) || coalesce(min(v), '') || coalesce(max(v), '') from orders`).Scan(&what)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[what]++
				slowest = max(slowest, time.Since(began))
				mu.Unlock()
			}
		})
	}
	waiting := 0
	readers.Go(func() {
		for ctx.Err() == nil {
			waiting += len(postgrestest.Query(t, url, `select pid from pg_stat_activity
				where wait_event_type = 'Lock' and query like 'select count%' and now() - query_start > interval '1 second'`))
		}
	})
	must(t, r.load(0, sidecar.ReplaceWhole, idRows(0, replaced, "new")...))
	must(t, r.load(0, sidecar.ReplaceFirst, idRows(0, old, "over")...))
	must(t, r.load(0, sidecar.Append, idRows(old, replaced, "over")...))
	must(t, finish(r))
	stop()
	readers.Wait()
	for what := range seen {
		if what != fmt.Sprintf("%doldold", old) && what != fmt.Sprintf("%dnewnew", replaced) && what != fmt.Sprintf("%doverover", replaced) {
			t.Errorf("a reader saw %s", what)
		}
	}
	if waiting > 0 || slowest > 5*time.Second { // a count of all rows takes some time itself, on a machine that does other things
		t.Errorf("readers waited for locks (%d times), the slowest %v", waiting, slowest)
	}
	t.Logf("readers saw %v, the slowest in %v", seen, slowest)
}

// idRows are rows from..to-1.
func idRows(from, to int, v string) []string {
	rows := make([]string, 0, to-from)
	for id := from; id < to; id++ {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"v":%q}`, id, v))
	}
	return rows
}
