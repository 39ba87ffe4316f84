package bulkertest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// many is a row with n columns from the number first on.
func many(first, n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"c%d":1`, first+i)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestWarehouse loads rows one after the other into tables, as the vectors of a real Bulker with Postgres do: what is refused and why, which columns
// there are then, and what the rows become where two values share a column.
func TestWarehouse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ж", 40) // 80 bytes
	for name, c := range map[string]struct {
		table, query, schema string
		bodies               []string
		want                 string // of the last load: a part of the refusal; empty is none
		columns, rows        []string
	}{
		"key null":       {query: "&pk=id", bodies: []string{`{"id":1}` + "\n" + `{"a":1}`}, want: `"id" of relation "t_tmp`},
		"key null, deep": {query: "&pk=a_b", bodies: []string{`{"a":{"b":1}}` + "\n" + `{"a":{"b":null}}`}, want: "SQLSTATE 23502"},
		"key unseen":     {query: "&pk=id", bodies: []string{`{"a":1}`}, want: "SQLSTATE 42703"},
		"key declared": {query: "&pk=id", schema: `{"name":"t","fields":[{"name":"id","type":2}]}`, bodies: []string{`{"a":1}`},
			want: "SQLSTATE 23502"},
		"nothing but {}": {bodies: []string{"{}\n{}"}, want: "SQLSTATE 42601"},
		"{} declared": {schema: `{"name":"t","fields":[{"name":"id","type":2}]}`, bodies: []string{"{}"}, columns: []string{"id"},
			rows: []string{"{}"}},
		"{} later":      {bodies: []string{`{"a":1}`, "{}"}, columns: []string{"a"}, rows: []string{`{"a":1}`, "{}"}},
		"invalid UTF-8": {bodies: []string{"{\"a\":\"\xff\"}"}, want: "SQLSTATE 22021"},
		"1,600 columns": {bodies: []string{many(0, 1600)}, columns: nil, rows: []string{many(0, 1600)}},
		"1,601 columns": {bodies: []string{many(0, 1601)}, want: "SQLSTATE 54011"},
		"one too many":  {bodies: []string{many(0, 1600), many(1600, 1)}, want: "SQLSTATE 54011"},
		"folded names": {bodies: []string{`{"Id":1,"id":2,"a b":3,"a.b":4,"a_b":5,"":6,"#":7}`},
			columns: []string{"Id", "id", "a b", "a_b", "_unnamed", "column_01abfc750a0c942167651c40d088531d"},
			rows:    []string{`{"Id":1,"id":2,"a b":3,"a_b":5,"_unnamed":6,"column_01abfc750a0c942167651c40d088531d":7}`}},
		"63 characters": {bodies: []string{`{"` + strings.Repeat("x", 63) + `a":1,"` + strings.Repeat("x", 63) + `b":2}`},
			columns: []string{strings.Repeat("x", 63)}, rows: []string{`{"` + strings.Repeat("x", 63) + `":2}`}},
		"nested": {bodies: []string{`{"o":{"p":1,"q":{}},"a":[1,{"x":null}],"n":null,"k":null}`, `{"n":2,"o":{"p":1},"o_p":3}`},
			columns: []string{"o_p", "a", "n"}, rows: []string{`{"o":{"p":1,"q":{}},"a":[1,{"x":null}],"n":null,"k":null}`, `{"n":2,"o_p":3}`}},
		"spaces and escapes": {bodies: []string{` { "a" : { "b" : [ 1 , {"c":"},{"} ] , "d\"e" : "\\" } , "\u0066" : 1.5e3 , "n" : null , "o" : { } } `},
			columns: []string{"a_b", "a_d_e", "f"},
			rows:    []string{` { "a" : { "b" : [ 1 , {"c":"},{"} ] , "d\"e" : "\\" } , "\u0066" : 1.5e3 , "n" : null , "o" : { } } `}},
		"a key twice": {bodies: []string{`{"a":1, "b" :2 ,"a": "x" }`}, columns: []string{"a", "b"}, rows: []string{`{"a":"x","b":2}`}},
		"kept whole": {schema: `{"name":"t","fields":[{"name":"o","type":6}]}`, bodies: []string{`{"o":{"p":1}}`}, columns: []string{"o"},
			rows: []string{`{"o":{"p":1}}`}},
		"instructions": {bodies: []string{`{"a":1,"__sql_type_a":"numeric","JITSU_TABLE_NAME":"x"}`}, columns: []string{"a"},
			rows: []string{`{"a":1,"__sql_type_a":"numeric","JITSU_TABLE_NAME":"x"}`}},
		"long column, once":  {bodies: []string{`{"` + long + `":1}`}, columns: []string{strings.Repeat("ж", 31)}, rows: []string{`{"` + long + `":1}`}},
		"long column, twice": {bodies: []string{`{"` + long + `":1}`, `{"` + long + `":2}`}, want: "SQLSTATE 42701"},
		"long columns alike": {bodies: []string{`{"` + long + `a":1,"` + long + `b":2}`}, want: "specified more than once"},
		"table that goes":    {table: strings.Repeat("ж", 32), bodies: []string{`{"id":1}`}},
		"table that stays":   {table: strings.Repeat("ж", 31), bodies: []string{`{"id":1}`}, columns: []string{"id"}, rows: []string{`{"id":1}`}},
		"plain long table": {table: strings.Repeat("x", 63), bodies: []string{`{"id":1}`}, columns: []string{"id"},
			rows: []string{`{"id":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.table == "" {
				c.table = "t"
			}
			server := start(t, bulkertest.Options{})
			var status int
			var text string
			for _, body := range c.bodies {
				request := server.URL + "/bulk/d?mode=batch&tableName=" + url.QueryEscape(c.table) + c.query
				status, text = callWith(t, request, c.schema, body)
			}
			if (status == http.StatusOK) != (c.want == "") || !strings.Contains(strings.ReplaceAll(text, `\"`, `"`), c.want) {
				t.Fatalf("%d %s, want %q", status, text, c.want)
			}
			if c.want != "" {
				return
			}
			rows, err := server.Rows(c.table)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range rows {
				got = append(got, string(row))
			}
			if !slices.Equal(got, c.rows) {
				t.Errorf("rows %q, want %q", got, c.rows)
			}
			if columns := server.Columns(c.table); c.columns != nil && !slices.Equal(columns, c.columns) {
				t.Errorf("columns %q, want %q", columns, c.columns)
			}
			if tables := server.Tables(); (len(tables) == 1) != (c.rows != nil) {
				t.Errorf("tables %q", tables)
			}
		})
	}
}

// callWith posts rows with a schema.
func callWith(t *testing.T, address, schema, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if schema != "" {
		request.Header.Set("X-Jitsu-Schema", schema)
	}
	return send(t, request)
}

// TestColumnsOutliveTheServer: they are in the log of commits.
func TestColumnsOutliveTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, body := range []string{`{"a":1}`, `{"b":1}`, `{"a":1,"c":1}`} {
		server, err := bulkertest.New(bulkertest.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if status, text := callWith(t, server.URL+"/bulk/d?mode=replace_table&tableName=t", "", body); status != http.StatusOK {
			t.Error(text)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
	store, err := bulkertest.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := store.Columns("t"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// TestAnswers wants every text in Bulker's form, each name once, and a fault that gives it.
func TestAnswers(t *testing.T) {
	t.Parallel()
	answers, err := bulkertest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, answer := range answers {
		known := slices.Contains([]string{bulkertest.KnownServer, bulkertest.KnownParts, bulkertest.KnownCode}, answer.Known)
		if names[answer.Name] || answer.Name == "" || answer.Error == "" || answer.When == "" || answer.Status < 400 || !known {
			t.Errorf("%+v", answer)
		}
		names[answer.Name] = true
	}
	server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{answers[0].Fault("t", -1)}})
	for range 2 {
		status, text := callWith(t, server.URL+"/bulk/d?tableName=t", "", `{"a":1}`)
		if status != answers[0].Status || !strings.Contains(text, answers[0].Error) {
			t.Errorf("%d %s", status, text)
		}
	}
}
