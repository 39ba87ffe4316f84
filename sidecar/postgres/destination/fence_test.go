package destination

import (
	"errors"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// shard makes a client one of the shards of a task.
func shard(task string, index, count int) func(*Options) {
	return func(o *Options) { o.Identity.Shard = sidecar.Shard{Task: task, Index: index, Count: count} }
}

// Shards of a read commit side by side; whoever takes the sync, or the shard, over later ends those before.
func TestShardsCommitUntilTheyAreTakenOver(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	orders, users := table("orders", properties(idAndV)), table("users", properties(idAndV))
	whole := begin(t, url, nil, nil, orders, users)
	must(t, whole.load(0, sidecar.Append, `{"id":1,"v":"a"}`))
	first, second := begin(t, url, shard("a", 0, 2), nil, orders), begin(t, url, shard("a", 1, 2), nil, users)
	refused := func(what string, r *run) {
		t.Helper()
		if err := r.load(0, sidecar.Append, `{"id":9,"v":"late"}`); !errors.Is(err, sidecar.ErrLocked) {
			t.Errorf("%s: %v, want that it was taken over", what, err)
		}
	}
	refused("a run of the whole sync", whole)
	must(t, first.commit(0, sidecar.Append, first.state(0, 1, `{"n":1}`), `{"id":2,"v":"b"}`))
	must(t, second.commit(0, sidecar.Append, second.state(0, 1, `{"n":2}`), `{"id":3,"v":"c"}`))
	again := begin(t, url, shard("a", 1, 2), []sidecar.SavedState{second.state(0, 0, `{"n":2}`)}, users)
	refused("the Pod before", second)
	must(t, again.load(0, sidecar.Append, `{"id":4,"v":"d"}`))
	must(t, first.load(0, sidecar.Append, `{"id":5,"v":"e"}`))
	other := begin(t, url, shard("b", 0, 3), nil, orders)
	refused("a shard of an earlier read", first)
	refused("another shard of it", again)
	must(t, other.load(0, sidecar.Append, `{"id":6,"v":"f"}`))
	begin(t, url, nil, nil, orders, users)
	refused("a shard", other)
	equalLines(t, "states", postgrestest.Query(t, url, "select key, state from sync_sidecar.destination_state order by key"),
		`orders|{"n":1}`, `users|{"n":2}`)
	equalLines(t, "users", rowsOf(t, url, "users"), `{"v": "c", "id": 3}`, `{"v": "d", "id": 4}`)
}

// A shard that begins leaves the tables alone which another one has just made for a stream that starts over.
func TestShardsLeaveGenerationsOfOthers(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	for _, sql := range []string{`create table orders_sidecar_0000000000000001 (id bigint)`, `create table users_sidecar_0000000000000002 (id bigint)`} {
		postgrestest.Exec(t, url, sql)
	}
	orders, users := table("orders", ""), table("users", "")
	c := openAt(t, url, nil)
	postgrestest.Exec(t, url, `comment on table orders_sidecar_0000000000000001 is `+literal(c.generationComment(orders.Stream)))
	postgrestest.Exec(t, url, `comment on table users_sidecar_0000000000000002 is `+literal(c.generationComment(users.Stream)))
	begin(t, url, shard("a", 0, 2), nil, orders)
	equalLines(t, "left", generations(t, url), "users_sidecar_0000000000000002")
	begin(t, url, nil, nil, orders)
	equalLines(t, "left", generations(t, url))
}
