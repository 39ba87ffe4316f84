package destination

import (
	"fmt"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

// TestColumnsOfLiveRows: a row that needs a column, after others were copied already, makes the load begin again with what all its rows need.
func TestColumnsOfLiveRows(t *testing.T) {
	t.Parallel()
	for name, key := range map[string][]string{"without a key": nil, "with a key": {"id"}} {
		for _, mode := range []sidecar.Mode{sidecar.Append, sidecar.ReplaceFirst, sidecar.ReplaceWhole} {
			t.Run(fmt.Sprintf("%s, mode %d", name, mode), func(t *testing.T) {
				t.Parallel()
				url := postgrestest.Database(t)
				r := begin(t, url, nil, nil, table("orders", properties(idAndV), key...))
				must(t, r.load(0, sidecar.Append, `{"id":0,"v":"old"}`))
				given := sidecartest.LiveRows(idRows(1, 3000, "a")...)
				ended := make(chan error, 1)
				go func() { ended <- r.Load(within(t), sidecar.Load{Table: r.tables[0], Mode: mode, Rows: given}) }()
				if !given.AwaitHunger(within(t)) {
					t.Fatal("nobody reads the rows")
				}
				given.Add(`{"id":3000,"v":"a","extra":1}`, `{"id":3001,"v":"a","extra":1.5,"more":{"deep":true}}`, `{"id":3002,"v":7,"extra":"2"}`)
				given.Finish()
				must(t, <-ended)
				must(t, finish(r))
				got := postgrestest.Query(t, url, `select count(*), count(extra), count(more_deep), max(pg_typeof(extra)::text) from orders where id > 0`)
				equalLines(t, "rows", got, "3002|3|1|text")
			})
		}
	}
}

// TestDuplicatesOfLiveRows: a full refresh whose rows repeat a key, which shows in the middle, keeps the newest of each.
func TestDuplicatesOfLiveRows(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	r := begin(t, url, nil, nil, table("orders", properties(idAndV), "id"))
	for round := range 2 { // the second time it is expected
		must(t, r.load(0, sidecar.ReplaceWhole, append(idRows(0, 3000, fmt.Sprint("first ", round)), idRows(2000, 4000, fmt.Sprint("last ", round))...)...))
		got := postgrestest.Query(t, url, `select v, count(*) from orders group by v order by v`)
		equalLines(t, "rows", got, fmt.Sprintf("first %d|2000", round), fmt.Sprintf("last %d|2000", round))
	}
}

// TestDefaultSchema: where tables without a namespace go, and that one of another stream may be there.
func TestDefaultSchema(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"": "public", "&search_path=shop": "shop", `&search_path="My%20Shop",public`: "My Shop", `&search_path="$user",shop`: "shop",
		"&schema=prisma":          "prisma",
		"&search_path=pg_catalog": "", // nobody can make tables there
	} {
		url := postgrestest.Database(t)
		r := begin(t, url+query, nil, nil, table("orders", properties(idAndV)))
		err := r.load(0, sidecar.Append, `{"id":1,"v":"a"}`)
		if want == "" {
			if refusal := sidecar.AsLoadError(err); refusal == nil || !refusal.Permanent {
				t.Errorf("%s: %v", query, err)
			}
			continue
		}
		must(t, err)
		equalLines(t, query, postgrestest.Query(t, url, `select schemaname from pg_tables where tablename = 'orders'`), want)
	}
	same := table("orders", "")
	same.Namespace, same.Stream = "public", airbyte.StreamDescriptor{Namespace: "public", Name: "orders"}
	c := openAt(t, postgrestest.Database(t), nil)
	_, err := c.Place([]sidecar.Table{table("orders", ""), same})
	must(t, err) // nobody knows the default schema yet
	const want = `would share the table public.orders: set NAMESPACE to ${SOURCE_NAMESPACE}`
	if err := c.Ready(within(t)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// TestExactNames: a table is found by its very name, and not by a pattern that matches another's.
func TestExactNames(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	for _, sql := range []string{`create schema axb`, `create table axb."OrderS" (other text)`, `create schema "A_B"`,
		`create table "A_B".orders (other text)`} {
		postgrestest.Exec(t, url, sql)
	}
	orders := table("orders", properties(idAndV))
	orders.Namespace = "a_b"
	r := begin(t, url, nil, nil, orders)
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"a"}`))
	must(t, r.load(0, sidecar.Append, `{"id":2,"v":"b"}`))
	equalLines(t, "rows", postgrestest.Query(t, url, `select id from a_b.orders order by id`), "1", "2")
}
