package destination

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

const idAndV = `"id":{"type":"integer"},"v":{"type":"string"}`

// generations are the tables that hold generations.
func generations(t *testing.T, url string) []string {
	t.Helper()
	return postgrestest.Query(t, url, `select relname from pg_class where relkind = 'r' and relname ~ '_sidecar_[0-9a-f]{16}$'`)
}

// A read that started over was killed before it committed a state, or its journal never heard of one: what the connector goes on from is where the
// table is.
func TestResumeFromBeforeAReadThatStartedOver(t *testing.T) {
	t.Parallel()
	for name, reached := range map[string][]sidecar.SavedState{"no state": nil, "a state": {{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			orders := table("orders", properties(idAndV))
			r := begin(t, url, nil, nil, orders)
			full := r.state(0, 1, `{"at":1}`)
			must(t, r.commit(0, sidecar.ReplaceFirst, full, `{"id":1,"v":"a"}`))

			r = begin(t, url, nil, nil, orders) // FULL_SYNC
			if len(reached) > 0 {
				must(t, r.commit(0, sidecar.ReplaceFirst, r.state(0, 1, `{"at":0}`), `{"id":1,"v":"b"}`))
			} else {
				must(t, r.load(0, sidecar.ReplaceFirst, `{"id":1,"v":"b"}`))
			}
			if got := generations(t, url); len(got) != 1 {
				t.Fatalf("generations are %q", got)
			}

			r = begin(t, url, nil, []sidecar.SavedState{full}, orders)
			must(t, r.commit(0, sidecar.Append, r.state(0, 1, `{"at":2}`), `{"id":2,"v":"a"}`))
			equalLines(t, "rows", rowsOf(t, url, "orders"), `{"v": "a", "id": 1}`, `{"v": "a", "id": 2}`)
			equalLines(t, "generations", generations(t, url))
			must(t, r.Finish(within(t), r.streams()))
			equalLines(t, "rows at the end", rowsOf(t, url, "orders"), `{"v": "a", "id": 1}`, `{"v": "a", "id": 2}`)
		})
	}
}

// A GLOBAL state covers streams of which no row came yet: the next run goes on at their beginning, and what they hold goes.
func TestResumeWithAStreamThatStartedOverWithoutRows(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	tables := []sidecar.Table{table("orders", properties(idAndV)), table("users", properties(idAndV)), table("none", properties(idAndV))}
	global := func(text string, sequence int64) []sidecar.SavedState {
		return []sidecar.SavedState{{Key: sidecar.GlobalStateKey, State: []byte(text), Sequence: sequence}}
	}
	r := begin(t, url, nil, nil, tables...)
	for i := range tables {
		must(t, r.load(i, sidecar.ReplaceFirst, `{"id":1,"v":"old"}`))
	}
	must(t, r.LoadTogether(within(t), nil, global(`{"shared_state":1}`, 1)))
	must(t, r.Finish(within(t), r.streams()))

	r = begin(t, url, nil, nil, tables...)
	must(t, r.load(0, sidecar.ReplaceFirst, `{"id":1,"v":"new"}`))
	must(t, r.LoadTogether(within(t), nil, global(`{"shared_state":2}`, 1)))

	r = begin(t, url, nil, global(`{"shared_state": 2}`, 0), tables...)
	must(t, r.load(0, sidecar.Append, `{"id":2,"v":"new"}`))
	must(t, r.load(1, sidecar.Append, `{"id":2,"v":"new"}`))
	for _, name := range []string{"orders", "users", "none"} {
		equalLines(t, name, rowsOf(t, url, name), `{"v": "old", "id": 1}`)
	}
	must(t, r.Finish(within(t), r.streams()))
	equalLines(t, "orders", rowsOf(t, url, "orders"), `{"v": "new", "id": 1}`, `{"v": "new", "id": 2}`)
	equalLines(t, "users", rowsOf(t, url, "users"), `{"v": "new", "id": 2}`)
	equalLines(t, "none", rowsOf(t, url, "none"))
	equalLines(t, "generations", generations(t, url))
}

// What killed runs left is dropped, and what is somebody else's is not.
func TestLeftoversAreDropped(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	orders := table("orders", properties(idAndV))
	r := begin(t, url, nil, nil, orders)
	must(t, r.load(0, sidecar.ReplaceFirst, `{"id":1,"v":"a"}`))
	must(t, r.load(0, sidecar.ReplaceFirst, `{"id":1,"v":"b"}`)) // a generation that a position refers to
	kept := generations(t, url)
	for _, sql := range []string{
		`create table orders_tmp1700000000000123 (id bigint)`, // Bulker's
		`create table orders_sidecar_0123456789abcdef (id bigint)`,
		`create table orders_sidecar_0000000000000001 (id bigint)`,
		`create table mine (id bigint)`,
		`create view orders_sidecar_0000000000000002 as select 1`,
	} {
		postgrestest.Exec(t, url, sql)
	}
	comment := literal(r.generationComment(orders.Stream))
	postgrestest.Exec(t, url, `comment on table orders_sidecar_0000000000000001 is `+comment)
	postgrestest.Exec(t, url, `comment on table mine is `+comment)
	begin(t, url, nil, []sidecar.SavedState{r.state(0, 0, `1`)}, table("other", ""))
	left := postgrestest.Query(t, url, `select relname from pg_class where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace
		order by relname collate "C"`)
	equalLines(t, "tables", left, "mine", "orders", "orders_sidecar_0000000000000002", "orders_sidecar_0123456789abcdef", kept[0],
		"orders_tmp1700000000000123")
}

// TestStatesKeepTheirOrder: a transaction that began earlier, and ends later, leaves the newer state alone.
func TestStatesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	r := begin(t, url, nil, nil, table("orders", properties(idAndV)))
	must(t, r.commit(0, sidecar.Append, r.state(0, 5, `5`), `{"id":1,"v":"a"}`))
	late := func(states ...sidecar.SavedState) {
		r.mu.Lock()
		clear(r.committed) // as it was when the earlier one began
		r.mu.Unlock()
		must(t, r.commitStates(within(t), states))
	}
	const statesSQL = `select key, state from sync_sidecar.destination_state`
	late(r.state(0, 4, `4`))
	equalLines(t, "states", postgrestest.Query(t, url, statesSQL), "orders|5")
	late(r.state(0, 4, `null`))
	equalLines(t, "states after a reset", postgrestest.Query(t, url, statesSQL), "orders|5")
	late(sidecar.SavedState{Key: sidecar.GlobalStateKey, State: []byte(`{"shared_state":3}`), Sequence: 3})
	equalLines(t, "states beside a GLOBAL one", postgrestest.Query(t, url, statesSQL+` order by key desc`), "orders|5",
		`_GLOBAL_STATE|{"shared_state":3}`)
	late(r.state(0, 6, `null`))
	equalLines(t, "states after a later reset", postgrestest.Query(t, url, statesSQL), `_GLOBAL_STATE|{"shared_state":3}`)
	r = begin(t, url, nil, nil, table("orders", properties(idAndV)))
	late(r.state(0, 1, `1`))
	equalLines(t, "states of another run", postgrestest.Query(t, url, statesSQL+` where key = 'orders'`), "orders|1")
}
