package destination

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// handMade is a table that somebody made, a load into it, and what is there afterwards.
type handMade struct {
	create []string
	key    []string // of the stream
	modes  []sidecar.Mode
	rows   []string
	show   string // a query; without one, id and v
	want   []string
	says   string // of a refusal; then want is what is there all the same
	passes bool   // the refusal may pass
	notes  string // a part of a note
}

const ofOrders = `create table orders (id bigint, v text)`

var (
	appends   = []sidecar.Mode{sidecar.Append}
	refreshes = []sidecar.Mode{sidecar.ReplaceWhole, sidecar.ReplaceFirst}
	allModes  = []sidecar.Mode{sidecar.Append, sidecar.ReplaceWhole, sidecar.ReplaceFirst}
)

const keeper = `create function keep() returns trigger language plpgsql as 'begin return null; end'`

// incompressible is a text that no index takes.
func incompressible(bytes int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for range bytes {
		text.WriteByte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[random.IntN(64)])
	}
	return text.String()
}

func handMades() map[string]handMade {
	two := []string{`{"id":1,"v":"a"}`, `{"id":2,"v":"b"}`}
	old := `insert into orders values (7, 'old')`
	long := []string{`{"id":1,"v":"a","n":1}`, `{"id":2,"v":"` + incompressible(9000) + `","n":2}`, `{"id":3,"v":"` + incompressible(3000) + `","n":3}`}
	const longShow = `select id, coalesce(v, length(_unmapped_data->>'v') || ' bytes'), n from orders order by id`
	longWant := []string{"1|a|1", "2|9000 bytes|2", "3|3000 bytes|3"}
	some := []string{`{"id":1,"v":"a"}`, `{"id":2,"n":9}`, `{"id":3}`, `{"id":2,"n":9,"v":"b"}`}
	const someShow = `select id, n, v from orders order by id`
	someWant := []string{"1|1|a", "2|9|b", "3|2|-"}
	return map[string]handMade{
		"a trigger keeps rows": {create: []string{ofOrders, old, keeper,
			`create trigger "Keep it" before delete on orders for each row execute function keep()`}, modes: refreshes, rows: two,
			want: []string{"7|old"}, says: `trigger "Keep it" keeps some`},
		"a rule keeps rows": {create: []string{ofOrders, old, `create rule keep as on delete to orders do instead nothing`}, modes: refreshes, rows: two,
			want: []string{"7|old"}, says: `rule keep keeps some`},
		"a rule keeps rows of a table that others refer to": {create: []string{`create table orders (id bigint primary key, v text)`, old,
			`create table items (o bigint references orders)`, `create rule keep as on delete to orders do instead nothing`},
			key: []string{"id"}, modes: refreshes, rows: two, want: []string{"7|old"}, says: `rule keep keeps some`},
		"a trigger that only looks on": {create: []string{ofOrders, old,
			`create function look() returns trigger language plpgsql as 'begin return old; end'`,
			`create trigger look before delete on orders for each row execute function look()`}, modes: refreshes, rows: two, want: []string{"1|a", "2|b"}},
		"a trigger leaves rows out": {create: []string{ofOrders, `create function skip() returns trigger language plpgsql as
			'begin if new.id = 1 then return null; end if; return new; end'`,
			`create trigger skip before insert on orders for each row execute function skip()`},
			modes: appends, rows: two, want: []string{"2|b"}, notes: "a trigger of table public.orders kept a row out of it"},
		"a trigger refuses a row": {create: []string{ofOrders, `create function refuse() returns trigger language plpgsql as
			'begin if new.id = 2 then raise exception ''not so''; end if; return new; end'`,
			`create trigger refuse before insert on orders for each row execute function refuse()`},
			modes: appends, rows: two, says: "not so (SQLSTATE P0001), at COPY orders, line 2 (a trigger of the table"},
		"a rule instead of an insert": {create: []string{`create table orders (id bigint primary key, v text)`, old,
			`create rule log as on insert to orders do also select 1`}, key: []string{"id"}, modes: appends, rows: two, want: []string{"7|old"},
			says: "table that has INSERT or UPDATE rules"},
		"no partition": {create: []string{`create table orders (id bigint, v text) partition by list (id)`,
			`create table one partition of orders for values in (1)`}, modes: appends, rows: two, says: `no partition takes the row: create one`},
		"an index on a text": {create: []string{`create table orders (id bigint, v text, n bigint)`, `create index on orders (v)`},
			modes: allModes, rows: long, show: longShow, want: longWant, notes: `column "v"`},
		"an index on a text, merged": {create: []string{`create table orders (id bigint, v text, n bigint)`, `create index on orders (id, v)`},
			key: []string{"id"}, modes: allModes, rows: long, show: longShow, want: longWant},
		"an index on an expression": {create: []string{`create table orders (id bigint, v text, n bigint)`,
			`create index on orders (upper(v)) where n > 0`},
			modes: allModes, rows: long, show: longShow, want: longWant},
		"an exclusion constraint": {create: []string{`create table orders (id bigint, v text, exclude using btree (v with =))`}, modes: appends,
			rows: []string{`{"id":1,"v":"a"}`, `{"id":2,"v":"a"}`}, says: "exclusion constraint"},
		"an enum": {create: []string{`create type mood as enum ('b', 'a')`, `alter type mood add value 'first' before 'b'`,
			`create table orders (id mood primary key, v mood not null)`}, key: []string{"id"}, modes: allModes,
			rows: []string{`{"id":null,"v":"a"}`, `{"id":"a","v":"none"}`}, show: `select id, v, _unmapped_data from orders order by 1`,
			want: []string{`first|a|{"id": null}`, `a|first|{"v": "none"}`}},
		"domains of domains": {create: []string{`create domain inner_one as numeric(5,2)`, `create domain outer_one as inner_one not null default 0`,
			`create domain moods as text check (value <> 'x')`, `create table orders (id outer_one, v moods)`}, modes: allModes,
			rows: []string{`{"id":1.005,"v":"a"}`, `{"id":null,"v":"x"}`}, show: `select id, v, _unmapped_data from orders order by 1`,
			want: []string{`0.00|-|{"v": "x", "id": null}`, `1.01|a|{"id": 1.005}`}},
		"types that must not be null": {create: []string{`create table orders (id bigint, r int4range not null, i interval not null, o oid not null,
			n name not null, t tsvector not null)`}, modes: appends, rows: []string{`{"id":1,"r":"[1,2)","i":"1 day","o":5,"n":"x","t":"a"}`,
			`{"id":2,"r":null,"i":null,"o":null,"n":null,"t":null}`}, show: `select r, i, o, n, t, _unmapped_data from orders where id = 2`,
			want: []string{`empty|00:00:00|0|||{"i": null, "n": null, "o": null, "r": null, "t": null}`}},
		"keys that do not fit stay apart": {create: []string{`create table orders (id bigint primary key, v text)`}, key: []string{"id"}, modes: allModes,
			rows: []string{`{"id":"x","v":"a"}`, `{"id":"y","v":"b"}`, `{"id":99999999999999999999,"v":"c"}`, `{"id":"x","v":"d"}`, `{"id":0,"v":"e"}`},
			show: `select _unmapped_data->>'id', v, id < 0 from orders order by v`,
			want: []string{"y|b|t", "99999999999999999999|c|t", "x|d|t", "-|e|f"}},
		"a parent of others": {create: []string{ofOrders, old, `create table archive (n int) inherits (orders)`,
			`insert into archive values (8, 'older', 1)`},
			modes: refreshes, rows: two, want: []string{"1|a", "2|b"}},
		"a child of another": {create: []string{`create table parent (id bigint)`, `create table orders (v text) inherits (parent)`},
			modes: allModes, rows: two, want: []string{"1|a", "2|b"}},
		"a partition": {create: []string{`create table whole (id bigint, v text) partition by list (id)`,
			`create table orders partition of whole for values in (1, 2)`}, modes: allModes, rows: two, want: []string{"1|a", "2|b"}},
		"a partition that lacks a column": {create: []string{`create table whole (id bigint) partition by list (id)`,
			`create table orders partition of whole for values in (1, 2)`}, modes: appends, rows: two, show: `select id from orders`,
			says: "cannot add column to a partition (SQLSTATE 42809) (add the column to the table that it belongs to"},
		"the server makes the key": {create: []string{`create table orders (id bigint generated always as identity primary key, v text)`},
			key: []string{"id"}, modes: appends, rows: two, says: `column "id" of the primary key cannot be written: the server generates it`},
		"a published table without a key": {create: []string{ofOrders, old, `create publication feed for table orders`},
			key: []string{"id"}, modes: refreshes, rows: two, want: []string{"1|a", "2|b"}},
		"a published table with another key": {create: []string{ofID, old, `create publication feed for all tables`}, key: []string{"id", "v"},
			modes: refreshes, rows: two, want: []string{"1|a", "2|b"}},
		"a serial key that some rows bring": {create: []string{`create table orders (n serial primary key, id bigint, v text)`}, modes: allModes,
			rows: some, show: someShow, want: someWant},
		"an identity in a key that some rows bring": {create: []string{`create table orders (n bigint generated by default as identity, id bigint, v text,
			primary key (n, id))`}, modes: allModes, rows: some, show: someShow, want: someWant},
		"a serial key that others refer to": {create: []string{`create table orders (n serial primary key, id bigint, v text)`,
			`create table items (n bigint references orders)`, `insert into orders values (7, 7, 'old')`}, modes: refreshes, rows: some, show: someShow,
			want: someWant},
		"a row that refers to itself": {create: []string{`create table orders (id bigint primary key, v text, p bigint references orders)`},
			key: []string{"id"}, modes: allModes, rows: []string{`{"id":1,"v":"a","p":2}`, `{"id":2,"v":"b","p":null}`}, want: []string{"1|a", "2|b"}},
		"a row that refers to nothing": {create: []string{`create table users (id bigint primary key)`,
			`create table orders (id bigint references users, v text)`}, modes: appends, rows: two,
			says: "the rows refer to rows of another table that are not there", passes: true},
	}
}

// TestHandMadeTables loads into tables that people made.
func TestHandMadeTables(t *testing.T) {
	t.Parallel()
	for name, c := range handMades() {
		for _, mode := range c.modes {
			t.Run(fmt.Sprint(name, ", mode ", mode), func(t *testing.T) {
				t.Parallel()
				c.try(t, mode)
			})
		}
	}
}

func (c handMade) try(t *testing.T, mode sidecar.Mode) {
	t.Helper()
	url := postgrestest.Database(t)
	for _, sql := range c.create {
		postgrestest.Exec(t, url, sql)
	}
	r := begin(t, url, nil, nil, table("orders", "", c.key...))
	err := r.load(0, mode, c.rows...)
	if err == nil {
		err = finish(r)
	}
	refusal := sidecar.AsLoadError(err)
	switch {
	case c.says == "":
		must(t, err)
	case refusal == nil || refusal.Permanent == c.passes || !strings.Contains(err.Error(), c.says) ||
		!strings.Contains(err.Error(), "table public.orders"):
		t.Errorf("%v does not say %q", err, c.says)
	}
	show := c.show
	if show == "" {
		show = `select id, v from orders order by id`
	}
	equalLines(t, "rows", postgrestest.Query(t, url, show), c.want...)
	if notes := fmt.Sprint(r.Notes()); !strings.Contains(notes, c.notes) {
		t.Errorf("notes are %s", notes)
	}
}
