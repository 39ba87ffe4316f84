package destination

import (
	"fmt"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// TestThroughAPooler: PgBouncer gives each transaction whatever connection is free. Several streams do everything at once, by more connections than
// it has.
func TestThroughAPooler(t *testing.T) {
	t.Parallel()
	direct := postgrestest.Database(t)
	pooled := postgrestest.Pooler(t, direct) + "&search_path=shop,public"
	var tables []sidecar.Table
	for i := range 8 {
		if i%2 == 0 {
			tables = append(tables, table(fmt.Sprint("t", i), properties(idAndV), "id"))
		} else {
			tables = append(tables, table(fmt.Sprint("t", i), properties(idAndV)))
		}
	}
	for round := range 2 {
		r := begin(t, pooled, nil, nil, tables...)
		var group sync.WaitGroup
		for i := range tables {
			group.Go(func() {
				sequence := int64(0)
				for _, mode := range []sidecar.Mode{sidecar.ReplaceFirst, sidecar.Append, sidecar.Append} {
					sequence++
					rows := idRows(int(sequence)*100, int(sequence)*100+100, fmt.Sprint(round))
					if err := r.commit(i, mode, r.state(i, sequence, fmt.Sprint(sequence)), rows...); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		must(t, finish(r))
		for i := range tables {
			equalLines(t, tables[i].Name, postgrestest.Query(t, direct, fmt.Sprintf(`select count(*), min(v), max(v) from shop.t%d`, i)),
				fmt.Sprintf("300|%d|%[1]d", round))
		}
		must(t, r.load(0, sidecar.ReplaceWhole, `{"id":1,"v":"whole"}`))
		equalLines(t, "replaced", postgrestest.Query(t, direct, `select * from shop.t0`), "1|whole")
	}
	equalLines(t, "states", postgrestest.Query(t, direct, `select count(*), min(state), max(state) from sync_sidecar.destination_state`), "8|3|3")
}

// TestVanishedClient: a connection that broke without the server hearing of it keeps its locks. The next attempt ends its transaction.
func TestVanishedClient(t *testing.T) {
	t.Parallel()
	line := newLine(t, postgrestest.Database(t))
	r := begin(t, line.url, nil, nil, table("orders", properties(idAndV), "id"))
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"old"}`))
	load := again(0, sidecar.ReplaceWhole, 1, `{"id":1,"v":"new"}`)
	line.vanishInCopy()
	if err := load(r); err == nil {
		t.Fatal("nothing vanished")
	}
	held := postgrestest.Query(t, line.direct, `select count(*) from pg_locks l join pg_class c on c.oid = l.relation
		where c.relname = 'orders' and l.mode = 'RowExclusiveLock'`)
	equalLines(t, "locks that are still held", held, "1")
	must(t, load(r))
	equalLines(t, "rows", postgrestest.Query(t, line.direct, `select id, v from orders`), "1|new")
}
