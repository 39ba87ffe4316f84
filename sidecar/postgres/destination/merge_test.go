package destination

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// mergeCase is a table, loads into it, and what is there afterwards. Rows whose keys come after all of the table's take a shorter way than others.
type mergeCase struct {
	create string
	key    []string
	loads  [][]string
	want   []string
	ways   []string // of the loads after the first: how often the statement was one that updates rows, too
}

func mergeCases() map[string]mergeCase {
	return map[string]mergeCase{
		"all after": {key: []string{"id"}, loads: [][]string{{`{"id":1,"v":"a"}`}, {`{"id":3,"v":"b"}`, `{"id":2,"v":"c"}`}},
			want: []string{"1|a", "2|c", "3|b"}, ways: []string{"0"}},
		"all after, one twice": {key: []string{"id"}, loads: [][]string{{`{"id":1,"v":"a"}`}, {`{"id":2,"v":"b"}`, `{"id":3,"v":"c"}`, `{"id":2,"v":"d"}`}},
			want: []string{"1|a", "2|d", "3|c"}, ways: []string{"1"}},
		"the last one again": {key: []string{"id"}, loads: [][]string{{`{"id":1,"v":"a"}`}, {`{"id":1,"v":"b"}`, `{"id":2,"v":"c"}`}},
			want: []string{"1|b", "2|c"}, ways: []string{"1"}},
		"one between": {key: []string{"id"}, loads: [][]string{{`{"id":1,"v":"a"}`, `{"id":5,"v":"b"}`}, {`{"id":3,"v":"c"}`, `{"id":9,"v":"d"}`}},
			want: []string{"1|a", "3|c", "5|b", "9|d"}, ways: []string{"1"}},
		"two columns": {key: []string{"v", "id"},
			loads: [][]string{{`{"id":7,"v":"a"}`}, {`{"id":8,"v":"a"}`, `{"id":1,"v":"b"}`}, {`{"id":1,"v":"b"}`, `{"id":2,"v":"b"}`}},
			want:  []string{"1|b", "2|b", "7|a", "8|a"}, ways: []string{"0", "0"}},
		"another order of letters": {create: `create table orders (id bigint, v text collate "en-x-icu" primary key)`, key: []string{"v"},
			loads: [][]string{{`{"id":1,"v":"b"}`}, {`{"id":2,"v":"C"}`, `{"id":3,"v":"d"}`}, {`{"id":4,"v":"B"}`, `{"id":5,"v":"d"}`}},
			want:  []string{"1|b", "2|C", "4|B", "5|d"}, ways: []string{"0", "1"}},
		"another unique column": {create: `create table orders (id bigint primary key, v text unique)`, key: []string{"id"},
			loads: [][]string{{`{"id":1,"v":"a"}`, `{"id":2,"v":"b"}`}, {`{"id":2,"v":"c"}`, `{"id":3,"v":"d"}`}},
			want:  []string{"1|a", "2|c", "3|d"}, ways: []string{"1"}},
		"children": {create: `create table orders (id bigint primary key, v text); create table child () inherits (orders);
			insert into child values (9, 'z')`,
			key: []string{"id"}, loads: [][]string{{`{"id":1,"v":"a"}`}, {`{"id":1,"v":"b"}`, `{"id":2,"v":"c"}`}},
			want: []string{"1|b", "2|c", "9|z"}, ways: []string{"1"}},
	}
}

// countUpdates counts the statements that may update rows: INSERT … ON CONFLICT DO UPDATE is one, whatever it meets.
const countUpdates = `create sequence updates; create function count_update() returns trigger language plpgsql as
	$$ begin perform nextval('updates'); return null; end $$;
	create trigger count_updates before update on orders for each statement execute function count_update()`

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, c := range mergeCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			if c.create != "" {
				postgrestest.Exec(t, url, c.create)
			}
			r := begin(t, url, nil, nil, table("orders", properties(idAndV), c.key...))
			var ways []string
			for i, rows := range c.loads {
				must(t, r.load(0, sidecar.Append, rows...))
				if i > 0 {
					ways = append(ways, postgrestest.Query(t, url, `select setval('updates', 1, false) * case when is_called then last_value else 0 end
						from updates`)...)
					continue
				}
				meanwhile(t, url, countUpdates)()
			}
			equalLines(t, "ways", ways, c.ways...)
			equalLines(t, "rows", postgrestest.Query(t, url, `select id, v from orders order by id, v`), c.want...)
		})
	}
}

// Somebody else commits a key between the look at the last one and the rows: theirs is updated.
func TestMergeBesideAnotherWriter(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	r := begin(t, url, nil, nil, table("orders", properties(idAndV), "id"))
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"a"}`))
	commit := meanwhile(t, url, `insert into orders values (2, 'theirs')`)
	ended := make(chan error, 1)
	go func() { ended <- r.load(0, sidecar.Append, `{"id":2,"v":"ours"}`, `{"id":3,"v":"ours"}`) }()
	awaitBlocked(t, url, "insert%")
	commit()
	must(t, <-ended)
	equalLines(t, "rows", postgrestest.Query(t, url, `select id, v from orders order by id`), "1|a", "2|ours", "3|ours")
}
