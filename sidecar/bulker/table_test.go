package bulker

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func named(namespace, name string) sidecar.Table {
	return sidecar.Table{Stream: airbyte.StreamDescriptor{Namespace: namespace, Name: name}, Namespace: namespace, Name: name}
}

func TestTableName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		table sidecar.Table
		want  string
	}{
		"plain":             {named("", "orders"), "orders"},
		"namespace":         {named("shop", "orders"), "shop_orders"},
		"63 bytes":          {named("", strings.Repeat("y", 63)), strings.Repeat("y", 63)},
		"cut between runes": {named("", strings.Repeat("x", 53)+"äöüäöüäöü"), strings.Repeat("x", 53) + "_0e72c134"},
	} {
		if got := tableName(c.table); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestTemporaryTableIsNotTheTable imitates how Bulker names its temporary table, and where Postgres cuts that.
func TestTemporaryTableIsNotTheTable(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, letter := range []string{"x", "я", "日", "😀", "xя"} {
		for n := range 90 {
			full := strings.Repeat(letter, n+1)
			name := tableName(named("", full))
			temporary := []rune(name)
			cut := cutBytes(string(temporary[:min(len(temporary), 43)])+"_tmp1732500000000123", 63)
			if cut == name || len(name) > 63 || !utf8.ValidString(name) {
				t.Errorf("%q becomes %q, whose temporary table is %q", full, name, cut)
			}
			if other, taken := seen[name]; taken {
				t.Errorf("%q and %q are both %q", other, full, name)
			}
			seen[name] = full
			if len(full) <= 46 && name != full {
				t.Errorf("%q was loaded before, and is %q now", full, name)
			}
		}
	}
}

func TestTableNameCutIsStableAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, end := range []string{"a", "b", "ä", "日本", ""} {
		for n := 50; n < 80; n++ {
			full := strings.Repeat("日", n/3) + end + strings.Repeat("z", n%7)
			cut := tableName(named("", full))
			if len(cut) > 63 || !strings.HasPrefix(full, strings.Split(cut, "_")[0]) {
				t.Errorf("%q cut to %q", full, cut)
			}
			if other, taken := seen[cut]; taken && other != full {
				t.Errorf("%q and %q both became %q", other, full, cut)
			}
			seen[cut] = full
			if again := tableName(named("", full)); again != cut {
				t.Errorf("%q became %q, then %q", full, cut, again)
			}
		}
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	client, err := New(Options{URL: "http://localhost", DestinationID: "d"})
	if err != nil {
		t.Fatal(err)
	}
	placements, err := client.Place([]sidecar.Table{named("a", "x"), named("b", "x"), named("", "!"), named("", "?"), named("", "a b"),
		named("", "a-b")})
	if err != nil || placements[1].Name != "b_x" || len(placements) != 6 {
		t.Errorf("%v, %v", placements, err)
	}
	same := func(stream string) sidecar.Table {
		return sidecar.Table{Stream: airbyte.StreamDescriptor{Name: stream}, Name: "x"}
	}
	for name, c := range map[string]struct {
		tables []sidecar.Table
		want   []string
	}{
		"same name":      {[]sidecar.Table{same("a"), same("b")}, []string{`"a"`, `"b"`, `"x"`, "NAMESPACE"}},
		"folded":         {[]sidecar.Table{named("a_b", "c"), named("a", "b_c")}, []string{`"a_b_c"`}},
		"same to Bulker": {[]sidecar.Table{named("", "a.b"), named("", "a_b")}, []string{`"a.b"`, `"a_b"`}},
	} {
		_, err := client.Place(c.tables)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s in it", name, err, want)
			}
		}
	}
}

func TestColumnNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paths [][]string
		want  []string
	}{
		"none":            {nil, nil},
		"two":             {[][]string{{"id"}, {"shop"}}, []string{"id", "shop"}},
		"nested":          {[][]string{{"a", "b", "c"}, {"d"}}, []string{"a_b_c", "d"}},
		"case is kept":    {[][]string{{"Id"}}, []string{"Id"}},
		"unnamed, nested": {[][]string{{"", "b"}, {"a", ""}}, []string{"b", "a_"}},
		"unnamed":         {[][]string{{""}}, []string{"_unnamed"}},
		"same column":     {[][]string{{"a", "b"}, {"a_b"}}, []string{"a_b"}},
	} {
		if got := columnNames(c.paths); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestLostColumns has the columns of bulker's vectors 4 and 5, and names that Postgres cuts where Bulker does not.
func TestLostColumns(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	for name, c := range map[string]struct {
		columns []string
		key     [][]string
		lost    bool
	}{
		"apart":                  {columns: []string{"Id", "id", "a b", "a_b", "#", "##", "_"}},
		"cleaned to one":         {columns: []string{"a.b", "a_b"}, lost: true},
		"one by the key":         {columns: []string{"a.b"}, key: [][]string{{"a", "b"}}, lost: true},
		"cut to one":             {columns: []string{long + "a", long + "b"}, lost: true},
		"long, alone":            {columns: []string{long + "a"}},
		"not ASCII, 62 bytes":    {columns: []string{strings.Repeat("я", 31)}},
		"not ASCII, 64 bytes":    {columns: []string{strings.Repeat("я", 32)}, lost: true},
		"not ASCII at the start": {columns: []string{"ä" + long}, lost: true},
	} {
		properties := map[string]any{}
		for _, column := range c.columns {
			properties[column] = map[string]string{"type": "string"}
		}
		schema, err := json.Marshal(map[string]any{"properties": properties})
		if err != nil {
			t.Fatal(err)
		}
		layout := newLayout(sidecar.Table{Name: "t", Schema: schema, PrimaryKey: c.key})
		if err := lostColumn(layout.columns); (err != nil) != c.lost {
			t.Errorf("%s: %v", name, err)
		}
	}
}
