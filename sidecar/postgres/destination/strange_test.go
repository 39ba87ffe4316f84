package destination

import (
	"fmt"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/layout"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

// oddSettings are what somebody may have set for a database, a role or a server, and what could change values or statements of ours.
func oddSettings() []string {
	return []string{
		`client_encoding = 'LATIN1'`, `standard_conforming_strings = off`, `backslash_quote = off`, `array_nulls = off`, `search_path = 'nowhere'`,
		`default_transaction_isolation = 'serializable'`, `default_transaction_deferrable = on`, `row_security = off`, `DateStyle = 'SQL, DMY'`,
		`IntervalStyle = 'sql_standard'`, `TimeZone = 'Asia/Kathmandu'`, `quote_all_identifiers = on`, `transform_null_equals = on`,
		`session_replication_role = 'replica'`, `extra_float_digits = -15`, `bytea_output = 'escape'`, `xmloption = 'document'`,
		`idle_in_transaction_session_timeout = '5s'`, `lock_timeout = '5s'`, `plan_cache_mode = 'force_generic_plan'`,
	}
}

// TestSettingsOfTheDatabase: whatever somebody has set, texts, nulls and times arrive as they are, and streams start over and go on.
func TestSettingsOfTheDatabase(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	name := url[strings.LastIndex(url, "/")+1 : strings.Index(url, "?")]
	for _, setting := range oddSettings() {
		if known := postgrestest.Query(t, url, `select name from pg_settings where name = $1`, strings.Fields(setting)[0]); len(known) > 0 {
			postgrestest.Exec(t, url, `alter database `+quote(name)+` set `+setting)
		}
	}
	orders := table("orders", properties(`"id":{"type":"integer"},"at":{"type":"string","format":"date-time"}`), "id")
	orders.Namespace, orders.Cursor, orders.Stream.Name = "shop", []string{"at"}, `o'rders\`
	postgrestest.Exec(t, url, `create schema shop`)
	postgrestest.Exec(t, url, `create table shop.orders (id bigint primary key, v text, tags text[], at timestamptz, d double precision)`)
	const show = `select id, encode(convert_to(v, 'UTF8'), 'hex'), tags[2] is null, to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), d = 0.1
		from shop.orders order by id`
	for round := range 2 {
		r := begin(t, url, nil, nil, orders)
		must(t, r.commit(0, sidecar.ReplaceFirst, r.state(0, 1, `"é'\\"`), row(1, round), row(1, round)))
		must(t, r.commit(0, sidecar.Append, r.state(0, 2, `2`), row(2, round)))
		must(t, finish(r))
		want := fmt.Sprintf("|%x|t|2024-03-02 03:04|t", fmt.Sprintf(`é'\%d`, round))
		equalLines(t, "rows", postgrestest.Query(t, url, show), "1"+want, "2"+want)
	}
	must(t, begin(t, url, nil, nil, orders).load(0, sidecar.ReplaceWhole, row(1, 2), row(2, 2)))
	want := fmt.Sprintf("|%x|t|2024-03-02 03:04|t", `é'\2`)
	equalLines(t, "rows", postgrestest.Query(t, url, show), "1"+want, "2"+want)
}

func row(id, round int) string {
	return fmt.Sprintf(`{"id":%d,"v":"é'\\%d","tags":["a",null],"at":"2024-03-02T03:04:05Z","d":0.1}`, id, round)
}

// TestEncodingsOfTheDatabase: what an encoding can hold arrives as it is, and what it lacks is spelled out beside its column.
func TestEncodingsOfTheDatabase(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	const cyrillic, many = `{"id":3,"v":"Ж😀é","j":{"Ж":1}}`, `{"id":4,"v":"АБВГДЕЖ日本ا€ł☃𝄞"}`
	for encoding, want := range map[string][]string{
		"SQL_ASCII": {`1|éé|{"é": "ü\\u00e9"}|-`, `2|-|-|{"id": "é"}`, `3|Ж😀é|{"Ж": 1}|-`, `4|АБВГДЕЖ日本ا€ł☃𝄞|-|-`},
		"LATIN1": {`1|éé|{"é": "ü\\u00e9"}|-`, `2|-|-|{"id": "é"}`, `3|-|-|{"j": "{\"\\u0416\":1}", "v": "\\u0416\\ud83d\\ude00é"}`,
			`4|-|-|{"v": "\\u0410\\u0411\\u0412\\u0413\\u0414\\u0415\\u0416\\u65e5\\u672c\\u0627\\u20ac\\u0142\\u2603\\ud834\\udd1e"}`},
	} {
		const create = `create database %s encoding '%s' template template0 lc_collate 'C' lc_ctype 'C'`
		postgrestest.Exec(t, server.DSN(), fmt.Sprintf(create, quote(encoding), encoding))
		url := strings.Replace(server.DSN(), "/postgres?", "/"+encoding+"?", 1)
		for _, key := range [][]string{nil, {"k"}} {
			r := begin(t, url, nil, nil, table("orders", properties(`"id":{"type":"integer"},"j":{"type":"object"}`), key...))
			must(t, r.load(0, sidecar.ReplaceWhole, `{"k":1,"id":1,"v":"é\u00e9","j":{"\u00e9":"\u00fc\\u00e9"}}`, `{"k":2,"id":"\u00e9"}`))
			must(t, r.load(0, sidecar.Append, strings.Replace(cyrillic, "{", `{"k":3,`, 1), strings.Replace(many, "{", `{"k":4,`, 1)))
			const show = `select k, v, j, _unmapped_data from orders order by k`
			got := postgrestest.Query(t, url+"&client_encoding=UTF8", show)
			equalLines(t, fmt.Sprint(encoding, key), got, want...)
		}
	}
}

// TestTakenOverOfASerializableDatabase: a transaction sees that another run took over while it was open, also where transactions are to see nothing
// that came after their beginning.
func TestTakenOverOfASerializableDatabase(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	name := url[strings.LastIndex(url, "/")+1 : strings.Index(url, "?")]
	postgrestest.Exec(t, url, `alter database `+quote(name)+` set default_transaction_isolation = 'serializable'`)
	orders := table("orders", properties(idAndV))
	r := begin(t, url, nil, nil, orders)
	given := sidecartest.LiveRows(idRows(1, 3000, "a")...)
	ended := make(chan error, 1)
	go func() { ended <- r.Load(within(t), sidecar.Load{Table: orders, Rows: given}) }()
	if !given.AwaitHunger(within(t)) {
		t.Fatal("nobody reads the rows")
	}
	begin(t, url, nil, nil, orders)
	given.Finish()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "another run of sync") {
		t.Errorf("got %v", err)
	}
}

// TestTwoRefreshesAtOnce: of two syncs that replace the rows of one table at once, the later one's are there, and not those of both.
func TestTwoRefreshesAtOnce(t *testing.T) {
	t.Parallel()
	for _, filled := range []bool{false, true} {
		url := postgrestest.Database(t)
		orders := table("orders", properties(idAndV))
		first := begin(t, url, nil, nil, orders)
		second := begin(t, url, func(o *Options) { o.Identity.SyncID = "sync-2" }, nil, orders)
		must(t, first.load(0, sidecar.ReplaceWhole))
		if filled {
			must(t, first.load(0, sidecar.ReplaceWhole, `{"id":0,"v":"old"}`))
		}
		given := sidecartest.LiveRows(idRows(0, 3000, "first")...)
		ended := make(chan error, 2)
		go func() {
			ended <- first.Load(within(t), sidecar.Load{Table: orders, Mode: sidecar.ReplaceWhole, Rows: given})
		}()
		if !given.AwaitHunger(within(t)) {
			t.Fatal("nobody reads the rows")
		}
		go func() { ended <- second.load(0, sidecar.ReplaceWhole, `{"id":1,"v":"second"}`) }()
		awaitLine(t, url, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`, "1")
		given.Finish()
		must(t, <-ended)
		must(t, <-ended)
		equalLines(t, fmt.Sprint("rows, filled ", filled), postgrestest.Query(t, url, `select v, count(*) from orders group by v`), "second|1")
	}
}

// awaitLine asks until the answer is that line.
func awaitLine(t *testing.T, url, query, want string) {
	t.Helper()
	for ctx := within(t); ctx.Err() == nil; {
		if got := postgrestest.Query(t, url, query); len(got) == 1 && got[0] == want {
			return
		}
	}
	t.Errorf("%s never became %s", query, want)
}

// TestForeignKeysAmongStreams: rows that need those of another stream come before them, in one transaction, and in tables that start over.
func TestForeignKeysAmongStreams(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `create table users (id bigint primary key, v text)`)
	postgrestest.Exec(t, url, `create table orders (id bigint primary key, v text, user_id bigint references users)`)
	postgrestest.Exec(t, url, `create table items (id bigint primary key, v text, order_id bigint references orders)`)
	tables := []sidecar.Table{table("items", "", "id"), table("orders", "", "id"), table("users", "", "id")}
	loads := func(mode sidecar.Mode, id int) []sidecar.Load {
		return []sidecar.Load{
			{Table: tables[0], Mode: mode, Rows: sidecartest.NewRows(fmt.Sprintf(`{"id":%d,"order_id":%[1]d}`, id))},
			{Table: tables[1], Mode: mode, Rows: sidecartest.NewRows(fmt.Sprintf(`{"id":%d,"user_id":%[1]d}`, id))},
			{Table: tables[2], Mode: mode, Rows: sidecartest.NewRows(fmt.Sprintf(`{"id":%d}`, id))},
		}
	}
	const joined = `select i.id, o.id, u.id from items i join orders o on o.id = order_id join users u on u.id = user_id order by 1`
	r := begin(t, url, nil, nil, tables...)
	must(t, r.LoadTogether(within(t), loads(sidecar.ReplaceFirst, 1), nil))
	r = begin(t, url, nil, []sidecar.SavedState{{Key: sidecar.GlobalStateKey, State: []byte(`1`)}}, tables...)
	must(t, r.LoadTogether(within(t), loads(sidecar.Append, 2), nil))
	equalLines(t, "rows", postgrestest.Query(t, url, joined), "1|1|1", "2|2|2")

	empty := postgrestest.Database(t)
	r = begin(t, empty, nil, nil, tables...)
	for _, load := range loads(sidecar.ReplaceFirst, 1) {
		must(t, r.Load(within(t), load))
	}
	r = begin(t, empty, nil, nil, tables...)
	for _, load := range loads(sidecar.ReplaceFirst, 2) {
		must(t, r.Load(within(t), load))
	}
	postgrestest.Exec(t, empty, `delete from items`)
	postgrestest.Exec(t, empty, `delete from orders`)
	postgrestest.Exec(t, empty, `alter table orders add foreign key (user_id) references users`)
	postgrestest.Exec(t, empty, `alter table items add foreign key (order_id) references orders`)
	must(t, finish(r))
	equalLines(t, "rows", postgrestest.Query(t, empty, joined), "2|2|2")
}

// TestNamespaces: what may be a schema is one, and what may not says so.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	streams := []string{"public", "Public", `quo"ted`, "with space", "схема", "select", "1st", strings.Repeat("n", 70)}
	var tables []sidecar.Table
	for _, namespace := range streams {
		made := table("orders", properties(idAndV))
		made.Namespace, made.Stream.Namespace = namespace, namespace
		tables = append(tables, made)
	}
	r := begin(t, url, nil, nil, tables...)
	for i := range tables {
		must(t, r.commit(i, sidecar.Append, r.state(i, int64(i+1), `1`), fmt.Sprintf(`{"id":%d}`, i)))
	}
	got := postgrestest.Query(t, url, `select schemaname from pg_tables where tablename = 'orders' order by schemaname collate "C"`)
	long := layout.SchemaName(strings.Repeat("n", 70), layout.Options{})
	equalLines(t, "schemas", got, "1st", "Public", long, "public", "quo_ted", "select", "with space", "схема")
	for namespace, says := range map[string]string{"pg_x": `unacceptable schema name "pg_x"`, "pg_catalog": "permission denied"} {
		bad := table("bad", properties(idAndV))
		bad.Namespace, bad.Stream = namespace, airbyte.StreamDescriptor{Namespace: namespace, Name: "bad"}
		refusal := sidecar.AsLoadError(begin(t, url, nil, nil, bad).load(0, sidecar.Append, `{"id":1}`))
		if refusal == nil || !refusal.Permanent || !strings.Contains(refusal.Error(), says) {
			t.Errorf("%s: %v", namespace, refusal)
		}
	}
}
