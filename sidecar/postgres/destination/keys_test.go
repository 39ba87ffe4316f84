package destination

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// keyCase is a table that is there, a load, and what is there afterwards.
type keyCase struct {
	create []string
	key    []string // of the stream
	cursor string
	keep   bool // KeepDuplicates
	mode   sidecar.Mode
	rows   []string
	want   []string // id and v of the rows; none is a refusal
	says   string   // of the refusal
	keys   string   // the columns of the table's primary key afterwards
	index  bool     // the primary key stays the one that it was
}

const ours = `constraint jitsu_pk_0123456789abcdef0123456789abcdef primary key`

const (
	ofID   = `create table orders (id bigint, v text, ` + ours + ` (id))`
	ofBoth = `create table orders (id bigint, v text, ` + ours + ` (id, v))`
)

func keyCases() map[string]keyCase {
	one := []string{`{"id":1,"v":"a"}`, `{"id":2,"v":"b"}`, `{"id":1,"v":"c"}`}
	return map[string]keyCase{
		"a new table gets the key":   {key: []string{"id"}, rows: one, want: []string{"1|c", "2|b"}, keys: "id"},
		"a new table without":        {rows: one, want: []string{"1|a", "1|c", "2|b"}},
		"a new table keeps them all": {key: []string{"id"}, keep: true, rows: one, want: []string{"1|a", "1|c", "2|b"}},
		"a table without gets it": {create: []string{`create table orders (id bigint, v text)`, `insert into orders values (1, 'old')`},
			key: []string{"id"}, rows: one, want: []string{"1|c", "2|b"}, keys: "id"},
		"a unique index will do": {create: []string{`create table orders (id bigint, v text)`, `create unique index on orders (id)`},
			key: []string{"id"}, rows: one, want: []string{"1|c", "2|b"}},
		"ours becomes another": {create: []string{ofID, `insert into orders values (1, 'old')`},
			key: []string{"id", "v"}, rows: one, want: []string{"1|a", "1|c", "1|old", "2|b"}, keys: "id,v"},
		"ours in another order stays": {create: []string{`create table orders (id bigint, v text, ` + ours + ` (v, id))`}, key: []string{"id", "v"},
			rows: one, want: []string{"1|a", "1|c", "2|b"}, keys: "v,id", index: true},
		"ours stays for a stream without": {create: []string{ofID},
			rows: one, want: []string{"1|c", "2|b"}, keys: "id", index: true},
		"ours goes where every row is added": {create: []string{ofID, `insert into orders values (1, 'o')`},
			keep: true, key: []string{"id"}, rows: one, want: []string{"1|a", "1|c", "1|o", "2|b"}},
		"ours stays where something depends on it": {create: []string{ofID,
			`create table items (o bigint references orders)`}, keep: true, key: []string{"id"}, rows: one, says: "DEDUPLICATE=true", keys: "id", index: true},
		"a hand-made one stays": {create: []string{`create table orders (id bigint, v text, constraint "R6" primary key (v))`}, key: []string{"id"},
			rows: one, want: []string{"1|a", "1|c", "2|b"}, keys: "v", index: true},
		"a hand-made one that rows lack": {create: []string{`create table orders (n serial primary key, id bigint, v text)`}, key: []string{"id"},
			rows: one, says: `CREATE UNIQUE INDEX ON public.orders ("id")`, keys: "n", index: true},
		"a hand-made one beside a unique index": {create: []string{`create table orders (n serial primary key, id bigint unique, v text)`},
			key: []string{"id"}, rows: one, want: []string{"1|c", "2|b"}, keys: "n", index: true},
		"a serial one without a key": {create: []string{`create table orders (n serial primary key, id bigint, v text)`}, rows: one,
			want: []string{"1|a", "1|c", "2|b"}, keys: "n", index: true},
		"an identity without a key": {create: []string{`create table orders (n bigint generated always as identity primary key, id bigint, v text)`},
			rows: one, want: []string{"1|a", "1|c", "2|b"}, keys: "n", index: true},
		"a full refresh over rows that contradict the key": {create: []string{`create table orders (id bigint, v text)`,
			`insert into orders values (1, 'x'), (1, 'y'), (null, 'z')`}, key: []string{"id"}, mode: sidecar.ReplaceWhole, rows: one,
			want: []string{"1|c", "2|b"}, keys: "id"},
		"a full refresh with another key": {create: []string{ofBoth,
			`insert into orders values (1, 'x'), (1, 'y')`}, key: []string{"id"}, mode: sidecar.ReplaceWhole, rows: one,
			want: []string{"1|c", "2|b"}, keys: "id"},
		"starting over with another key": {create: []string{ofBoth,
			`insert into orders values (1, 'x'), (1, 'y')`}, key: []string{"id"}, mode: sidecar.ReplaceFirst, rows: one,
			want: []string{"1|c", "2|b"}, keys: "id"},
		"the newest by its cursor": {create: []string{`create table orders (id bigint primary key, v text, n bigint)`,
			`insert into orders values (1, 'newer', 10), (2, 'older', 1), (3, 'none', null)`}, key: []string{"id"}, cursor: "n",
			rows: []string{`{"id":1,"v":"a","n":9}`, `{"id":2,"v":"b","n":9}`, `{"id":2,"v":"c","n":8}`, `{"id":3,"v":"d","n":0}`, `{"id":3,"v":"e"}`},
			want: []string{"1|newer", "2|b", "3|d"}, keys: "id", index: true},
		"no cursor is not older": {create: []string{`create table orders (id bigint primary key, v text, n bigint)`,
			`insert into orders values (1, 'there', 10), (2, 'there', 10)`}, key: []string{"id"}, cursor: "n",
			rows: []string{`{"id":1,"v":"a"}`, `{"id":2,"v":"b","n":"ten"}`}, want: []string{"1|a", "2|b"}, keys: "id", index: true},
		"a partitioned table": {create: []string{`create table orders (id bigint primary key, v text) partition by range (id)`,
			`create table low partition of orders for values from (0) to (2)`, `create table high partition of orders for values from (2) to (9)`},
			key: []string{"id"}, rows: one, want: []string{"1|c", "2|b"}, keys: "id", index: true},
		"columns that the server fills": {create: []string{`create table orders (id bigint primary key, v text,
			big text generated always as (upper(v)) stored, at timestamptz not null default now())`}, key: []string{"id"},
			rows: one, want: []string{"1|c", "2|b"}, keys: "id", index: true},
	}
}

// TestKeys tries keys of streams against those of tables.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, c := range keyCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.show(t)
		})
	}
}

func (c keyCase) show(t *testing.T) {
	t.Helper()
	url := postgrestest.Database(t)
	for _, sql := range c.create {
		postgrestest.Exec(t, url, sql)
	}
	const indexSQL = `select indexrelid from pg_index where indrelid = to_regclass('orders') and indisprimary`
	before := postgrestest.Query(t, url, indexSQL)
	orders := table("orders", properties(idAndV), c.key...)
	if c.cursor != "" {
		orders.Cursor = []string{c.cursor}
	}
	r := begin(t, url, func(o *Options) { o.KeepDuplicates = c.keep }, nil, orders)
	err := r.load(0, c.mode, c.rows...)
	if c.mode == sidecar.ReplaceFirst {
		must(t, err)
		err = finish(r)
	}
	if c.want == nil {
		if refusal := sidecar.AsLoadError(err); refusal == nil || !refusal.Permanent || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v does not say %q", err, c.says)
		}
	} else {
		must(t, err)
		equalLines(t, "rows", postgrestest.Query(t, url, `select id, v from orders order by id, v`), c.want...)
	}
	key := postgrestest.Query(t, url, `select coalesce(string_agg(a.attname, ',' order by k.n), '') from pg_constraint p,
		unnest(p.conkey) with ordinality k (attnum, n), pg_attribute a
		where p.conrelid = 'orders'::regclass and p.contype = 'p' and a.attrelid = p.conrelid and a.attnum = k.attnum`)
	equalLines(t, "the key", key, c.keys)
	if c.index {
		equalLines(t, "its index", postgrestest.Query(t, url, indexSQL), before...)
	}
	invalid := postgrestest.Query(t, url, `select indexrelid::regclass from pg_index where not indisvalid`)
	equalLines(t, "indexes that could not be built", invalid)
}
