package layout_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/postgres/layout"
)

// TestStandIns: rows whose keys do not fit their column stay apart, and each version of one meets the one before.
func TestStandIns(t *testing.T) {
	t.Parallel()
	d := connect(t)
	long := strings.Repeat("x", 100)
	for n, c := range []struct {
		typeName string
		values   []string
		apart    int // how many rows they are
	}{
		{"bigint", []string{`"x"`, `"y"`, `1e30`, `[1]`, `"\u0078"`}, 4},
		{"numeric", []string{`"x"`, `"y"`, `[]`}, 3},
		{"double precision", []string{`"x"`, `"y"`, `1e400`}, 3},
		{"timestamp with time zone", []string{`"02/01/2024 03:04:05"`, `"02/01/2024 03:04:06"`, `5`}, 3},
		{"timestamp(0) without time zone", []string{`"02/01/2024 03:04:05"`, `"02/01/2024 03:04:06"`}, 2},
		{"uuid", []string{`"x"`, `"y"`, `1`}, 3},
		{"bytea", []string{`"x"`, `"y"`}, 2},
		{"character varying(64)", []string{`"` + long + `a"`, `"` + long + `b"`}, 2},
		{"character varying(20)", []string{`"` + long + `a"`, `"` + long + `b"`}, 2},
		{"character varying(9)", []string{`"` + long + `a"`, `"` + long + `b"`}, 1}, // no room for a hash
		{"integer", []string{`"x"`, `"y"`, `9999999999`}, 3},
		{"date", []string{`"x"`, `"2024/01/02"`}, 2},
		{"smallint", []string{`"x"`, `"y"`}, 1},
		{"boolean", []string{`"x"`, `"y"`}, 1},
	} {
		name := fmt.Sprint("standin", n)
		d.exec("create table " + name + " (id " + c.typeName + " primary key)")
		for range 2 {
			for _, value := range c.values {
				d.load(table(name, "id:J", []string{"id"}, nil), layout.Options{}, false, []string{fmt.Sprintf(`{"id":%s}`, value)})
			}
		}
		got := d.texts("select count(*) || ' ' || count(_unmapped_data->'id') from " + name)
		equal(t, c.typeName, got, []string{fmt.Sprint(c.apart, " ", c.apart)})
	}
}

// TestLongKeys: an index takes no key over 2704 bytes, unless it can be compressed, which nobody can tell before.
func TestLongKeys(t *testing.T) {
	t.Parallel()
	d := connect(t)
	long := func(end string) string {
		random, text, letters := rand.New(rand.NewPCG(1, 2)), make([]rune, 5000), []rune("abcdefghijklmnopqrstuvwxyz0123456789äß日\\\"")
		for i := range text {
			text[i] = letters[random.IntN(len(letters))]
		}
		return string(text) + end
	}
	var rows []string
	for _, key := range []string{long("a"), long("b"), long("a"), strings.Repeat("x", 2600), "short"} {
		quoted, _ := json.Marshal(key)
		rows = append(rows, fmt.Sprintf(`{"id":%s}`, quoted))
	}
	encoder := d.load(table("long", "id:S", []string{"id"}, nil), layout.Options{}, false, rows)
	if counted := countNotes(encoder, "too long for the index"); counted != 3 {
		t.Errorf("%d keys are said to be long: %v", counted, encoder.Notes())
	}
	got := d.texts("select coalesce(_unmapped_data->>'id', id) from long order by 1")
	want := []string{long("a"), long("b"), "short", strings.Repeat("x", 2600)}
	slices.Sort(got)
	slices.Sort(want)
	equal(t, "keys", got, want)
}

// TestSetAside puts aside what the server refuses, in the way that a destination does: by the line that the server names.
func TestSetAside(t *testing.T) {
	t.Parallel()
	d := connect(t)
	d.exec("create domain even as bigint check (value % 2 = 0); create table guarded (id bigint primary key, v even)")
	rows := []string{`{"id":1,"v":2}`, `{"id":2,"v":3}`, `{"id":3,"v":4}`, `{"id":4,"v":3}`, `{"id":5,"v":5}`}
	plan, err := layout.NewPlan(table("guarded", "id:I v:I", []string{"id"}, nil), d.columns("guarded"), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for {
		lines, encoder := encode(d, plan, rows)
		for _, c := range plan.Missing() {
			d.exec("alter table guarded add column if not exists " + definitions([]layout.Column{c}, true))
		}
		sql := fmt.Sprintf("copy guarded (%s) from stdin", names(columnNames(plan.Columns())))
		_, err := d.conn.PgConn().CopyFrom(d.Context(), strings.NewReader(string(lines)), sql)
		if err == nil {
			if counted := countNotes(encoder, "refused by the server"); counted != 3 {
				t.Errorf("%d values are said to be refused: %v", counted, encoder.Notes())
			}
			break
		}
		var line int64
		if _, scanErr := fmt.Sscanf(where(err), "COPY guarded, line %d, column v", &line); scanErr != nil || refused > 2 {
			t.Fatalf("%v (%s)", err, where(err))
		}
		refused++
		plan.SetAside("v", line)
	}
	if refused != 2 {
		t.Errorf("the server was asked %d times: equal values are to be set aside together", refused)
	}
	equal(t, "rows", d.texts("select concat_ws(' ', id, v, _unmapped_data) from guarded order by id"),
		[]string{"1 2", `2 {"v": 3}`, "3 4", `4 {"v": 3}`, `5 {"v": 5}`})
	plan.SetAside("v", 0)
	lines, _ := encode(d, plan, rows[:1])
	equal(t, "a column all of whose values are set aside", []string{string(lines)}, []string{"1\t\\N\t{\"v\":2}\n"})
}

// TestCharactersAside: values with characters that a database lacks are spelled out, and keys that have some stay apart.
func TestCharactersAside(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`{"id":"a","v":"é"}`:          "a\té\t\\N",
		`{"id":"a","v":"\u0416"}`:     "a\t\\N\t{\"v\":\"\\\\\\\\u0416\"}",
		`{"id":"a","v":"Яé\\u0416😀"}`: "a\t\\N\t{\"v\":\"\\\\\\\\u042fé\\\\\\\\u0416😀\"}",
		`{"id":"Ж","v":"b"}`:          "af01de547c2d86e9\tb\t{\"id\":\"\\\\\\\\u0416\"}",
		`{"id":"Я","v":"b"}`:          "52b99c2a977b538a\tb\t{\"id\":\"\\\\\\\\u042f\"}",
	} {
		plan, err := layout.NewPlan(table("t", "id:S v:S", []string{"id"}, nil), []layout.Column{{Name: "id", Type: "text"}, {Name: "v", Type: "text"},
			{Name: layout.Unmapped, Type: "jsonb"}}, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		plan.SetCharactersAside([]rune{'Ж'}, false)
		line, err := plan.Encoder().Append(nil, []byte(row))
		if got := strings.TrimSuffix(string(line), "\n"); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", row, got, want, err)
		}
	}
}
