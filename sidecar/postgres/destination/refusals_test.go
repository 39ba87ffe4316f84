package destination

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

func TestPlaceOfARefusal(t *testing.T) {
	t.Parallel()
	columns := []string{"id", "total", "total: x", "a b", "a"}
	for where, want := range map[string]string{
		`COPY o 2, 3, line 3, column total: "x"`:                              "3 total",
		`COPY o 2, 3, line 3, column total: x: "x"`:                           "3 total: x",
		`COPY o 2, 3, line 12, column a b: "a: 7, column id"`:                 "12 a b",
		`COPY o 2, 3, line 4, column other: null input`:                       "4 ",
		`COPY o 2, 3, line 4: "1	2"`:                                          "4 ",
		`COPY o 2, 3, Zeile 5, Spalte total: »x«`:                             "5 total",
		`COPY o 2, 3, 行 6, 列 total: "x"`:                                      "6 total",
		`COPY orders, line 3, column total: "x"`:                              "0 ",
		"PL/pgSQL function f() line 3 at RAISE\nCOPY o 2, 3, line 1: \"1\"":   "0 ",
		"COPY o 2, 3, line 7, column total: \"x\"\nSQL function \"f\" line 9": "7 total",
		"": "0 ",
	} {
		if row, column := place(where, "o 2, 3", columns); fmt.Sprint(row, " ", column) != want {
			t.Errorf("%s: row %d, column %q, want %s", where, row, column, want)
		}
	}
}

// TestBadValuesDoNotFailGoodOnes has the server refuse values that the layout takes for good: those, and no others, are set aside, with a note.
func TestBadValuesDoNotFailGoodOnes(t *testing.T) {
	t.Parallel()
	const rows = 2000
	for name, c := range map[string]struct {
		column string // and its constraints
		bad    func(id int) bool
		value  func(id int, bad bool) string
	}{
		"a type of the server alone, one":  {"p point", func(id int) bool { return id == 1234 }, pointOr},
		"a type of the server alone, many": {"p point", func(id int) bool { return id%10 == 0 }, pointOr},
		"a constraint":                     {"p bigint check (p < 100)", func(id int) bool { return id == 77 }, numberOr},
		"a domain":                         {"p small", func(id int) bool { return id == 5 || id == 1999 }, numberOr},
	} {
		for _, way := range []string{"append", "merge", "replace"} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				url := postgrestest.Database(t)
				postgrestest.Exec(t, url, `create domain small as bigint check (value < 100)`)
				postgrestest.Exec(t, url, `create table orders (id bigint, `+c.column+`)`)
				orders := table("orders", properties(`"id":{"type":"integer"}`))
				mode := sidecar.Append
				if way == "merge" {
					orders = table("orders", properties(`"id":{"type":"integer"}`), "id")
				}
				if way == "replace" {
					mode = sidecar.ReplaceWhole
				}
				var lines []string
				bad := 0
				for id := range rows {
					lines = append(lines, fmt.Sprintf(`{"id":%d,"p":%s}`, id, c.value(id, c.bad(id))))
					if c.bad(id) {
						bad++
					}
				}
				r := begin(t, url, nil, nil, orders)
				must(t, r.load(0, mode, lines...))
				got := postgrestest.Query(t, url, `select count(*), count(distinct id) from orders`)
				equalLines(t, "rows", got, fmt.Sprintf("%d|%[1]d", rows))
				aside := postgrestest.Query(t, url, `select count(*) from orders where p is null and _unmapped_data ? 'p'`)
				if name != "a type of the server alone, many" {
					equalLines(t, "set aside", aside, fmt.Sprint(bad))
				}
				lost := postgrestest.Query(t, url, `select count(*) from orders where p is null and _unmapped_data is null`)
				equalLines(t, "lost", lost, "0")
				notes := r.Notes()
				if !slices.ContainsFunc(notes, func(n sidecar.Note) bool { return strings.Contains(n.Text, `column "p"`) }) {
					t.Errorf("notes are %v", notes)
				}
			})
		}
	}
}

func pointOr(id int, bad bool) string {
	if bad {
		return `"nowhere"`
	}
	return fmt.Sprintf(`"(%d,2)"`, id)
}

func numberOr(id int, bad bool) string {
	if bad {
		return fmt.Sprint(100 + id)
	}
	return fmt.Sprint(id % 100)
}

// TestWideRows: a row has to fit into a page, and a table has 1,600 columns, those that were dropped among them. Nothing of it is lost.
func TestWideRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before []string
		fields int
		kept   int // columns that hold a value, at least
	}{
		"more than a page holds":   {fields: 1500, kept: 700},
		"more than a table takes":  {fields: 1700, kept: 700},
		"columns that are dropped": {before: manyColumns(1590), fields: 20, kept: 9},
	} {
		for _, key := range [][]string{nil, {"id"}} {
			t.Run(fmt.Sprint(name, " ", key), func(t *testing.T) {
				t.Parallel()
				url := postgrestest.Database(t)
				for _, sql := range c.before {
					postgrestest.Exec(t, url, sql)
				}
				r := begin(t, url, nil, nil, table("orders", "", key...))
				row := `{"id":1`
				for i := range c.fields {
					row += fmt.Sprintf(`,"f%d":%d.5`, i, i)
				}
				must(t, r.load(0, sidecar.Append, row+"}", `{"id":2,"f1":1.5}`))
				got := postgrestest.Query(t, url, `select count(*), count(distinct id) from orders`)
				equalLines(t, "rows", got, "2|2")
				fields := postgrestest.Query(t, url, `select count(*) from (select jsonb_object_keys(
					jsonb_strip_nulls(to_jsonb(o) - '_unmapped_data') || coalesce(_unmapped_data, '{}')) from orders o where id = 1) f`)
				equalLines(t, "fields", fields, fmt.Sprint(c.fields+1))
				kept := postgrestest.Query(t, url, `select count(*) from (select jsonb_object_keys(jsonb_strip_nulls(to_jsonb(o) - '_unmapped_data'))
					from orders o where id = 1) f`)
				if columns, err := strconv.Atoi(kept[0]); err != nil || columns < c.kept {
					t.Errorf("%s columns have a value, want %d", kept[0], c.kept)
				}
				if notes := fmt.Sprint(r.Notes()); c.fields > 1000 && (len(r.Notes()) > 4 || !strings.Contains(notes, " columns (")) {
					t.Errorf("%d notes: %.1000s", len(r.Notes()), notes)
				}
			})
		}
	}
}

// manyColumns makes a table whose columns were dropped, but for id.
func manyColumns(n int) []string {
	var add, drop []string
	for i := range n {
		add, drop = append(add, fmt.Sprintf("c%d int", i)), append(drop, fmt.Sprintf("drop c%d", i))
	}
	return []string{"create table orders (id bigint, " + strings.Join(add, ", ") + ")", "alter table orders " + strings.Join(drop, ", ")}
}
