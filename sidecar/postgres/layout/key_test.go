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

// TestKeyHash: what Postgres takes as one key has one hash, and other keys have others.
func TestKeyHash(t *testing.T) {
	t.Parallel()
	for typeName, groups := range map[string][][]string{
		"bigint":           {{`1`, `1.0`, `"1"`, `"+01"`, `10e-1`, `true`}, {`0`, `-0`, `null`, `"x"`}, {`-1`}},
		"double precision": {{`1`, `1.0`, `1e0`, `"1"`}, {`0`, `-0.0`, `null`}, {`0.1`, `1e-1`}, {`"NaN"`, `"nan"`}},
		"numeric":          {{`1`, `1.00`, `"1.0"`, `0.1e1`}, {`0`, `0.00`, `null`}, {`1.01`}},
		"text": {{`"A"`, `"\u0041"`}, {`"a"`}, {`"\n"`, `"\u000a"`}, {`"/"`, `"\/"`}, {`"\b"`, `"\u0008"`},
			{`""`, `null`, `"\u0000"`}, {`"A "`}},
		"character(4)": {{`"A"`, `"A "`}, {`"B"`}},
		"timestamp with time zone": {{`"2024-01-02T03:04:05Z"`, `"2024-01-02T05:04:05.000+02:00"`, `"2024-01-02T03:04:05"`}, {`"2024-01-02"`},
			{`null`, `5`}},
		"timestamp without time zone": {{`"2024-01-02T03:04:05Z"`, `"2024-01-02T05:04:05+02:00"`}, {`"2024-01-02T03:04:05.000001Z"`}},
		"date":                        {{`"2024-01-02"`, `"2024-01-02T03:04:05Z"`}, {`"2024-01-03"`}},
		"uuid": {{`"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"`, `"a0eebc999c0b4ef8bb6d6bb9bd380a11"`},
			{`"00000000-0000-0000-0000-000000000000"`, `null`}},
		"boolean": {{`true`, `1`, `"t"`}, {`false`, `null`}},
	} {
		plan, err := layout.NewPlan(table("t", "id:J", []string{"id", "part"}, nil), []layout.Column{{Name: "id", Type: typeName},
			{Name: "part", Type: "bigint"}, {Name: layout.Unmapped, Type: "jsonb"}}, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		encoder, owners := plan.Encoder(), map[uint64]int{}
		for group, values := range groups {
			for _, value := range values {
				if _, err := encoder.Append(nil, []byte(fmt.Sprintf(`{"id":%s,"part":7}`, value))); err != nil {
					t.Fatal(err)
				}
				hash := encoder.KeyHash()
				if owner, known := owners[hash]; known && owner != group {
					t.Errorf("%s: %s has the hash of %v", typeName, value, groups[owner])
				} else if !known && value != values[0] {
					t.Errorf("%s: %s has another hash than %v", typeName, value, values)
				}
				owners[hash] = group
			}
		}
		if encoder.Append(nil, []byte(`{"id":1,"part":8}`)); owners[encoder.KeyHash()] != 0 {
			t.Errorf("%s: the second part of the key does not count", typeName)
		}
	}
}

// TestKeyHashIsOfNoUse where equal values may be written differently, and without a key.
func TestKeyHashIsOfNoUse(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "id"} {
		plan, err := layout.NewPlan(table("t", "id:J", strings.Fields(key), nil), nil, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		encoder := plan.Encoder()
		if _, err := encoder.Append(nil, []byte(`{"id":{"a":1,"b":2}}`)); err != nil || encoder.KeyHash() != 0 {
			t.Errorf("hash %x, %v", encoder.KeyHash(), err)
		}
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
