package layout_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"orders": "orders", "Orders": "Orders", "a.b": "a_b", "a..b/c": "a_b_c", `q"q`: "q_q", "@id": "_id", "_": "_", "": "_unnamed", "a b-$": "a b-$",
		"select": "select", "1st": "1st", "заказы": "заказы", "注文": "注文", "#": "table_01abfc750a0c942167651c40d088531d", "é": "é", "e\u0301": "e_",
		"a\x00b":                      "a_b",
		strings.Repeat("x", 63):       strings.Repeat("x", 63),
		strings.Repeat("x", 64):       strings.Repeat("x", 54) + "_7ce100971",
		strings.Repeat("ж", 31) + "x": strings.Repeat("ж", 31) + "x",
	} {
		got := layout.TableName(name, layout.Options{})
		if len(name) == 64 && strings.HasPrefix(name, "x") {
			want = got // the hash is tried below
		}
		if got != want || len(got) > 63 {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if got := layout.SchemaName("Ns.Dot", layout.Options{ToSameCase: true}); got != "ns_dot" {
		t.Errorf("schema %q", got)
	}
	first, second := layout.TableName(strings.Repeat("ж", 40)+"a", layout.Options{}), layout.TableName(strings.Repeat("ж", 40)+"b", layout.Options{})
	if first == second || len(first) > 63 || !strings.HasPrefix(first, strings.Repeat("ж", 27)+"_") {
		t.Errorf("long names are %q and %q", first, second)
	}
}

// flat are rows without any schema, and the columns and values that they become; "…" before a value says that it is in Unmapped.
func TestFlatten(t *testing.T) {
	t.Parallel()
	for rows, want := range map[string]string{
		`{"a":{"b":{"c":1}}}`:       "a_b_c=1",
		`{"a":{"b":1},"a_b":2}`:     `a_b=2 _unmapped_data={"a_b":1}`,
		`{"a.b":1,"a_b":null}`:      "a_b=1",
		`{"a":1,"a":2}`:             "a=2",
		`{"a":1,"\u0061":2}`:        "a=2",
		`{"a":1,"a":null}`:          "",
		`{"o":{"a":1},"o":{"b":2}}`: "o_b=2",
		`{"o":{"a":1,"b":1}}` + "\n" + `{"o":{"a":2},"o":{"b":3}}`: "o_a=1 o_b=1 o_a=- o_b=3",
		`{"o":{"a":1},"o":5}`:       "o=5",
		`{"o":5,"o":{"a":1}}`:       "o_a=1",
		`{"a.b":1,"a-b":2,"a.b":3}`: "a_b=3 a-b=2",
		`{"":{"":{"x":1}},"":2}`:    "_unnamed=2",
		`{"":1}`:                    "_unnamed=1",
		`{"a":{"":1}}`:              "a_=1",
		`{"a":{},"b":[]}`:           "b=[]",
		`{"b":1,"a":2}` + "\n" + `{"a":3,"c":4,"b":5}`: "b=1 a=2 c=- b=5 a=3 c=4",
		`{"q\"\\k":1}`:                              "q_k=1",
		`{ "a" : { "b" : [ 1 , 2 ] } }`:             "a_b=[1,2]",
		`{"a":{"b":1},"a_b":2,"a.b":3}`:             `a_b=3 _unmapped_data={"a_b":1,"a_b (2)":2}`,
		`{"a":{"b":1},"a_b":2,"a.b":3,"a_b (2)":4}`: `a_b=3 a_b _2_=4 _unmapped_data={"a_b":1,"a_b (2)":2}`,
		`{"a.b":1,"a b":{"c":2},"a#b":3,"a:b":4}`:   `a_b=4 a b_c=2 _unmapped_data={"a.b":1,"a#b":3}`,
	} {
		plan, err := layout.NewPlan(sidecar.Table{Name: "t"}, nil, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		lines, _ := encode(t, plan, strings.Split(rows, "\n"))
		if got := named(plan, lines); got != want {
			t.Errorf("%s is %q, want %q", rows, got, want)
		}
	}
}

// named are the fields of lines with the names of their columns, without those that are null in the only row.
func named(plan *layout.Plan, lines []byte) string {
	var all []string
	rows := strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n")
	for _, row := range rows {
		for i, field := range strings.Split(row, "\t") {
			if field == `\N` && len(rows) == 1 || len(plan.Columns()) == 0 {
				continue
			}
			if field == `\N` {
				field = "-"
			}
			all = append(all, plan.Columns()[i].Name+"="+field)
		}
	}
	return strings.Join(all, " ")
}

// TestDeclaredObjectsAreKept also where a flattened path is that of a declared field.
func TestDeclaredObjectsAreKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		declared, row, want string
		key                 [][]string
		sameCase            bool
	}{
		{declared: "o:J", row: `{"o":{"b":1}}`, want: `o={"b":1}`},
		{declared: "o:S", row: `{"o":{"b":1}}`, want: `o={"b":1}`},
		{declared: "o:I", row: `{"o":{"b":1}}`, want: `_unmapped_data={"o":"{\\"b\\":1}"}`},
		{declared: "o_x:J", row: `{"o":{"x":{"y":1},"z":{"w":2}}}`, want: `o_x={"y":1} o_z_w=2`},
		{declared: "o:J", key: [][]string{{"o", "id"}}, row: `{"o":{"id":7,"b":1}}`, want: `o_id=7 o_b=1`},
		{declared: "Obj:J", sameCase: true, row: `{"Obj":{"K":1}}`, want: `obj_k=1`}, // as Bulker
		{declared: "obj:J", sameCase: true, row: `{"Obj":{"K":1}}`, want: `obj={"K":1}`},
	} {
		described := table("t", c.declared, nil, nil)
		described.PrimaryKey = c.key
		plan, err := layout.NewPlan(described, nil, layout.Options{ToSameCase: c.sameCase})
		if err != nil {
			t.Fatal(err)
		}
		lines, _ := encode(t, plan, []string{c.row})
		if got := named(plan, lines); got != c.want {
			t.Errorf("%s, declared %s: %q, want %q", c.row, c.declared, got, c.want)
		}
	}
}

// TestDeepObjects: no row is too deep, and what nobody would flatten stays text.
func TestDeepObjects(t *testing.T) {
	t.Parallel()
	const depth = 9000
	plan, err := layout.NewPlan(sidecar.Table{Name: "t"}, nil, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lines, _ := encode(t, plan, []string{strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)})
	if columns := plan.Columns(); len(columns) != 1 || columns[0].Type != "text" || len(lines) < 5*(depth-300) {
		t.Errorf("%v, %.100s", columns, lines)
	}
}

// TestUnsettledKey: the type of a key that nothing declares is that of its values.
func TestUnsettledKey(t *testing.T) {
	t.Parallel()
	plan, err := layout.NewPlan(table("t", "a:S", []string{"id", "a"}, nil), nil, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !plan.Unsettled() {
		t.Error("the type of id is known before any row")
	}
	if _, err := plan.Encoder().Append(nil, []byte(`{"id":1,"a":"x"}`)); !errors.Is(err, layout.ErrNewColumn) {
		t.Errorf("a key of unknown type: %v", err)
	}
	encode(t, plan, []string{`{"id":1,"a":"x"}`, `{"id":null}`})
	want := []layout.Column{{Name: "a", Type: "text", NotNull: true, Default: "''", Key: true},
		{Name: "id", Type: "bigint", NotNull: true, Default: "0", Key: true},
		{Name: layout.Unmapped, Type: "jsonb"}}
	if got := plan.Missing(); plan.Unsettled() || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("columns %v, want %v", got, want)
	}
	if key := plan.Key(); !slices.Equal(key, []string{"id", "a"}) {
		t.Errorf("key %v", key)
	}
}

// TestDatesFollowTimes: a date counts as a time in a column that is one of times already, as with Bulker.
func TestDatesFollowTimes(t *testing.T) {
	t.Parallel()
	for rows, want := range map[string]string{
		`{"t":"2024-01-02T03:04:05Z"} {"t":"2024-01-02"}`: "timestamp with time zone",
		`{"t":"2024-01-02"} {"t":"2024-01-02T03:04:05Z"}`: "text",
		`{"t":"2024-01-02T03:04:05Z"} {"t":""}`:           "text",
		`{"t":"2024-01-02T03:04:05Z"} {"t":null}`:         "timestamp with time zone",
		`{"t":"3024-01-02T03:04:05Z"}`:                    "text",
		`{"t":"2024-01-02T03:04:05+0200"}`:                "timestamp with time zone",
		`{"t":"2024-01-02T03:04:05.5+0200"}`:              "text",
		`{"t":"2024-01-02T03:04:05,5+02:00"}`:             "timestamp with time zone",
		`{"t":"2024-01-02t03:04:05z"}`:                    "text",
		`{"t":"2024-01-02T03:04:05.1234567890123456789"}`: "text",
	} {
		plan, err := layout.NewPlan(sidecar.Table{Name: "t"}, nil, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		encode(t, plan, strings.Fields(rows))
		if got := plan.Columns()[0].Type; got != want {
			t.Errorf("%s is %s, want %s", rows, got, want)
		}
	}
}

// TestColumnsOfTheTable: what rows do not have is not written where that would undo what somebody else put there.
func TestColumnsOfTheTable(t *testing.T) {
	t.Parallel()
	existing := []layout.Column{{Name: "id", Type: "bigint", NotNull: true, Default: "0"}, {Name: "plain", Type: "text"},
		{Name: "defaulted", Type: "text", Default: "'x'"}, {Name: "strict", Type: "bigint", NotNull: true}, {Name: "made", Type: "bigint", Generated: true},
		{Name: layout.Unmapped, Type: "jsonb"}}
	plan, err := layout.NewPlan(table("t", "a:S", []string{"id"}, nil), existing, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "columns", columnNames(plan.Columns()), []string{"a", "id", "plain", layout.Unmapped})
	encoder := plan.Encoder()
	if line, err := encoder.Append(nil, []byte(`{"id":1,"made":5,"strict":null}`)); err != nil || string(line) != "\\N\t1\t\\N\t{\"made\":5}\n" {
		t.Errorf("%q, %v", line, err)
	}
	equal(t, "seen columns", columnNames(encoder.Seen()), []string{"a", "id", layout.Unmapped})
	if _, err := encoder.Append(nil, []byte(`{"id":1,"plain":null}`)); err != nil {
		t.Error(err)
	}
	equal(t, "seen columns", columnNames(encoder.Seen()), []string{"a", "id", "plain", layout.Unmapped})
	lines, encoder := encode(t, plan, []string{`{"id":1,"strict":3}`, `{"id":2,"defaulted":"y"}`})
	equal(t, "seen columns", columnNames(encoder.Seen()), []string{"a", "id", "strict", "defaulted", layout.Unmapped})
	if want := "\\N\t1\t\\N\t3\t\\N\t\\N\n\\N\t2\t\\N\t0\ty\t{\"strict\":null}\n"; string(lines) != want {
		t.Errorf("%q, want %q", lines, want)
	}
}

// TestManyColumns: Postgres takes 1,600, so more go to Unmapped, wherever they come from.
func TestManyColumns(t *testing.T) {
	t.Parallel()
	d := connect(t)
	var members []string
	for n := range 2000 {
		members = append(members, fmt.Sprintf(`"c%d":"%[1]d"`, n))
	}
	encoder := d.load(table("wide", "declared:S", []string{"id"}, nil), layout.Options{}, false, []string{"{" + strings.Join(members, ",") + `,"id":1}`})
	equal(t, "columns", d.texts("select count(*)::text from pg_attribute where attrelid = 'wide'::regclass and attnum > 0"), []string{"1600"})
	equal(t, "values", d.texts(`select concat_ws(' ', id, c0, c1596, _unmapped_data->>'c1597', _unmapped_data->>'c1999') from wide`),
		[]string{"1 0 1596 1597 1999"})
	if counted := countNotes(encoder, "can have no such column"); counted != 2000-1597 {
		t.Errorf("%d values are said to have no column", counted)
	}
	declared := ""
	for n := range 1700 {
		declared += fmt.Sprintf(" d%d:S", n)
	}
	d.load(table("declared", declared, []string{"id"}, nil), layout.Options{}, false, []string{`{"id":1,"d0":"x","d1699":"y"}`})
	equal(t, "values", d.texts(`select concat_ws(' ', id, d0, _unmapped_data) from declared`), []string{`1 x {"d1699": "y"}`})
}
