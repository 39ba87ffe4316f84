package mapping

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func configured(namespace, name string) airbyte.ConfiguredStream {
	return airbyte.ConfiguredStream{Stream: airbyte.Stream{Name: name, Namespace: namespace}}
}

func catalog(streams ...airbyte.ConfiguredStream) airbyte.ConfiguredCatalog {
	return airbyte.ConfiguredCatalog{Streams: streams}
}

func TestTableNames(t *testing.T) {
	t.Parallel()
	chosen := configured("shop", "orders")
	chosen.Stream.TableName = "My Orders"
	proposed := configured("shop", "a/b")
	proposed.Stream.TableNameTemplate = "a_b"
	for name, c := range map[string]struct {
		stream          airbyte.ConfiguredStream
		options         TableOptions
		namespace, want string
	}{
		"plain":                        {configured("", "orders"), TableOptions{}, "", "orders"},
		"namespace is not in the name": {configured("shop", "orders"), TableOptions{}, "", "orders"},
		"prefix":                       {configured("shop", "orders"), TableOptions{Prefix: "raw_"}, "", "raw_orders"},
		"prefix with namespace":        {configured("shop", "orders"), TableOptions{Prefix: "${SOURCE_NAMESPACE}__"}, "", "shop__orders"},
		"prefix without namespace":     {configured("", "orders"), TableOptions{Prefix: "${SOURCE_NAMESPACE}__"}, "", "__orders"},
		"fixed namespace":              {configured("shop", "orders"), TableOptions{Namespace: "lake", Prefix: "p_"}, "lake", "p_orders"},
		"source namespace":             {configured("shop", "orders"), TableOptions{Namespace: "${SOURCE_NAMESPACE}"}, "shop", "orders"},
		"source namespace, none":       {configured("", "orders"), TableOptions{Namespace: "${SOURCE_NAMESPACE}"}, "", "orders"},
		"namespace around":             {configured("shop", "orders"), TableOptions{Namespace: " raw_${SOURCE_NAMESPACE} "}, "raw_shop", "orders"},
		"legacy":                       {configured("shop", "orders"), TableOptions{Namespace: "${LEGACY}", Prefix: "p_"}, "", "p_shop.orders"},
		"legacy without namespace":     {configured("", "orders"), TableOptions{Namespace: "${LEGACY}"}, "", "orders"},
		"chosen by the user":           {chosen, TableOptions{Namespace: "lake", Prefix: "p_"}, "lake", "My Orders"},
		"chosen, source namespace":     {chosen, TableOptions{Namespace: "${SOURCE_NAMESPACE}"}, "shop", "My Orders"},
		"chosen, legacy":               {chosen, TableOptions{Namespace: "${LEGACY}", Prefix: "p_"}, "", "My Orders"},
		"proposed by the source":       {proposed, TableOptions{Namespace: "lake", Prefix: "p_"}, "lake", "p_a_b"},
		"proposed, legacy":             {proposed, TableOptions{Namespace: "${LEGACY}", Prefix: "p_"}, "", "p_a_b"},
		"chosen, same case":            {chosen, TableOptions{ToSameCase: true}, "", "my orders"},
		"same case":                    {configured("Shop", "Orders"), TableOptions{Namespace: "${SOURCE_NAMESPACE}", ToSameCase: true}, "shop", "orders"},
	} {
		streams, err := Streams(catalog(c.stream), nil, Options{Tables: c.options})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if table := streams[0].Table; table.Name != c.want || table.Namespace != c.namespace || table.Stream != c.stream.Stream.Descriptor() {
			t.Errorf("%s: %+v, want %q in %q", name, table, c.want, c.namespace)
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
		if _, err := Streams(catalog(c.stream), nil, Options{Tables: c.options}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// TestStreamsWithOneStateKey has streams whose states would be saved under one key: each would resume from the other's, and rows would be lost (I1).
func TestStreamsWithOneStateKey(t *testing.T) {
	t.Parallel()
	for name, streams := range map[string][]airbyte.ConfiguredStream{
		"dots":            {configured("shop", "eu.orders"), configured("shop.eu", "orders")},
		"namespace":       {configured("", "shop.orders"), configured("shop", "orders")},
		"key of a GLOBAL": {configured("", sidecar.GlobalStateKey)},
		"key of a LEGACY": {configured("", sidecar.LegacyStateKey)},
		"twice":           {configured("a", "x"), configured("a", "x")},
	} {
		_, err := Streams(catalog(streams...), nil, Options{})
		if err == nil || !strings.Contains(err.Error(), "state") && !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
