package sidecar

import (
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

func configured(namespace, name string) airbyte.ConfiguredStream {
	return airbyte.ConfiguredStream{Stream: airbyte.Stream{Name: name, Namespace: namespace}}
}

func TestTableName(t *testing.T) {
	t.Parallel()
	chosen := configured("shop", "orders")
	chosen.Stream.TableName = "My Orders"
	long := strings.Repeat("x", 53) + "äöüäöüäöü"
	for name, c := range map[string]struct {
		stream  airbyte.ConfiguredStream
		options TableOptions
		want    string
	}{
		"plain":                        {configured("", "orders"), TableOptions{}, "orders"},
		"namespace is not in the name": {configured("shop", "orders"), TableOptions{}, "orders"},
		"prefix":                       {configured("shop", "orders"), TableOptions{Prefix: "raw_"}, "raw_orders"},
		"prefix with namespace":        {configured("shop", "orders"), TableOptions{Prefix: "${SOURCE_NAMESPACE}__"}, "shop__orders"},
		"prefix without namespace":     {configured("", "orders"), TableOptions{Prefix: "${SOURCE_NAMESPACE}__"}, "__orders"},
		"fixed namespace":              {configured("shop", "orders"), TableOptions{Namespace: "lake", Prefix: "p_"}, "lake_p_orders"},
		"source namespace":             {configured("shop", "orders"), TableOptions{Namespace: "${SOURCE_NAMESPACE}"}, "shop_orders"},
		"source namespace, none":       {configured("", "orders"), TableOptions{Namespace: "${SOURCE_NAMESPACE}"}, "orders"},
		"namespace around":             {configured("shop", "orders"), TableOptions{Namespace: " raw_${SOURCE_NAMESPACE} "}, "raw_shop_orders"},
		"legacy":                       {configured("shop", "orders"), TableOptions{Namespace: "${LEGACY}", Prefix: "p_"}, "p_shop.orders"},
		"legacy without namespace":     {configured("", "orders"), TableOptions{Namespace: "${LEGACY}"}, "orders"},
		"chosen by the user":           {chosen, TableOptions{Namespace: "lake", Prefix: "p_"}, "My Orders"},
		"chosen, same case":            {chosen, TableOptions{ToSameCase: true}, "my orders"},
		"same case":                    {configured("Shop", "Orders"), TableOptions{Namespace: "${SOURCE_NAMESPACE}", ToSameCase: true}, "shop_orders"},
		"63 bytes":                     {configured("", strings.Repeat("y", 63)), TableOptions{}, strings.Repeat("y", 63)},
		"cut between runes":            {configured("", long), TableOptions{}, strings.Repeat("x", 53) + "_0e72c134"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := NewTable(c.stream, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if table.Name != c.want || len(table.Name) > 63 {
				t.Errorf("name %q (%d bytes), want %q", table.Name, len(table.Name), c.want)
			}
			if table.Stream != c.stream.Stream.Descriptor() {
				t.Errorf("stream %v", table.Stream)
			}
		})
	}
}

func TestTableNameCutIsStableAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, end := range []string{"a", "b", "ä", "日本", ""} {
		for n := 50; n < 80; n++ {
			full := strings.Repeat("日", n/3) + end + strings.Repeat("z", n%7)
			cut := cutName(full)
			if len(cut) > 63 || !strings.HasPrefix(full, strings.Split(cut, "_")[0]) {
				t.Errorf("%q cut to %q", full, cut)
			}
			if other, taken := seen[cut]; taken && other != full {
				t.Errorf("%q and %q both became %q", other, full, cut)
			}
			seen[cut] = full
			if again := cutName(full); again != cut {
				t.Errorf("%q became %q, then %q", full, cut, again)
			}
		}
	}
}

func TestTableNameErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream  airbyte.ConfiguredStream
		options TableOptions
		want    string
	}{
		"unknown in prefix":    {configured("", "a"), TableOptions{Prefix: "${SOURCE_NAMSPACE}_"}, "TABLE_NAME_PREFIX"},
		"legacy in prefix":     {configured("", "a"), TableOptions{Prefix: "${LEGACY}"}, "TABLE_NAME_PREFIX"},
		"unknown in namespace": {configured("", "a"), TableOptions{Namespace: "x${Y}"}, "NAMESPACE"},
		"legacy not alone":     {configured("", "a"), TableOptions{Namespace: "x${LEGACY}"}, "must stand alone"},
		"no name":              {configured("shop", ""), TableOptions{}, "without a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewTable(c.stream, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestNewTables(t *testing.T) {
	t.Parallel()
	catalog := func(streams ...airbyte.ConfiguredStream) airbyte.ConfiguredCatalog {
		return airbyte.ConfiguredCatalog{Streams: streams}
	}
	tables, err := NewTables(catalog(configured("a", "x"), configured("b", "x")), TableOptions{Namespace: "${SOURCE_NAMESPACE}"})
	if err != nil {
		t.Fatal(err)
	}
	if got := tables[airbyte.StreamDescriptor{Name: "x", Namespace: "b"}].Name; got != "b_x" || len(tables) != 2 {
		t.Errorf("tables %v", tables)
	}
	if _, err := NewTables(catalog(configured("", "!"), configured("", "?"), configured("", "a b"), configured("", "a-b")), TableOptions{}); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		catalog airbyte.ConfiguredCatalog
		options TableOptions
		want    []string
	}{
		"same name":      {catalog(configured("a", "x"), configured("b", "x")), TableOptions{}, []string{`"a.x"`, `"b.x"`, `"x"`, "NAMESPACE"}},
		"folded":         {catalog(configured("a_b", "c"), configured("a", "b_c")), TableOptions{Namespace: "${SOURCE_NAMESPACE}"}, []string{`"a_b_c"`}},
		"same case":      {catalog(configured("", "X"), configured("", "x")), TableOptions{ToSameCase: true}, []string{`"X"`, `"x"`}},
		"same to Bulker": {catalog(configured("", "a.b"), configured("", "a_b")), TableOptions{}, []string{`"a.b"`, `"a_b"`}},
		"twice":          {catalog(configured("a", "x"), configured("a", "x")), TableOptions{}, []string{"twice"}},
		"bad namespace":  {catalog(configured("a", "x")), TableOptions{Namespace: "${NO}"}, []string{"NAMESPACE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewTables(c.catalog, c.options)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s in it", err, want)
				}
			}
		})
	}
}

func TestPrimaryKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		configured, source [][]string
		want               []string
	}{
		"none":             {nil, nil, nil},
		"configured":       {[][]string{{"id"}}, [][]string{{"other"}}, []string{"id"}},
		"source's":         {nil, [][]string{{"id"}, {"shop"}}, []string{"id", "shop"}},
		"nested":           {[][]string{{"a", "b", "c"}, {"d"}}, nil, []string{"a_b_c", "d"}},
		"case is kept":     {[][]string{{"Id"}}, nil, []string{"Id"}},
		"empty path":       {[][]string{{}, {"id"}}, nil, []string{"id"}},
		"unnamed, nested":  {[][]string{{"", "b"}, {"a", ""}}, nil, []string{"b", "a_"}},
		"unnamed":          {[][]string{{""}}, nil, []string{"_unnamed"}},
		"same column":      {[][]string{{"a", "b"}, {"a_b"}}, nil, []string{"a_b"}},
		"empty list means": {[][]string{}, [][]string{{"id"}}, []string{"id"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := configured("", "s")
			stream.PrimaryKey, stream.Stream.SourceDefinedPrimaryKey = c.configured, c.source
			table, err := NewTable(stream, TableOptions{ToSameCase: true})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(table.PrimaryKey, c.want) {
				t.Errorf("key %q, want %q", table.PrimaryKey, c.want)
			}
		})
	}
}

// TestStreamsWithOneStateKey has streams whose states would be saved under one key: each would resume from the other's, and rows would be lost (I1).
func TestStreamsWithOneStateKey(t *testing.T) {
	t.Parallel()
	for name, streams := range map[string][]airbyte.ConfiguredStream{
		"dots":            {configured("shop", "eu.orders"), configured("shop.eu", "orders")},
		"namespace":       {configured("", "shop.orders"), configured("shop", "orders")},
		"key of a GLOBAL": {configured("", GlobalStateKey)},
		"key of a LEGACY": {configured("", LegacyStateKey)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewTables(airbyte.ConfiguredCatalog{Streams: streams}, TableOptions{})
			if err == nil || !strings.Contains(err.Error(), "state") {
				t.Fatal(err)
			}
		})
	}
}
