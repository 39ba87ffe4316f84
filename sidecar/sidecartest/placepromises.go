package sidecartest

import (
	"fmt"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// placePromises are those of Place.
func placePromises() []promise[*destinationTest] {
	return []promise[*destinationTest]{
		{"every table has a place with a name", (*destinationTest).places},
		{"two tables never share their rows", (*destinationTest).apart},
		{"a name of any kind is kept or refused", (*destinationTest).names},
	}
}

func (d *destinationTest) places() {
	if placements, err := d.open().destination.Place(nil); err != nil || len(placements) != 0 {
		d.t.Errorf("no table: %v, %v", placements, err)
	}
	streams := []sidecar.StreamConfig{
		stream("orders", sidecar.Append), stream("users", sidecar.Append, []string{"id"}), stream("items", sidecar.ReplaceWhole),
	}
	placements, err := d.open().destination.Place(tablesOf(streams))
	d.must(err)
	if len(placements) != len(streams) {
		d.t.Fatalf("%d placements of %d tables", len(placements), len(streams))
	}
	names := map[string]bool{}
	for i, placement := range placements {
		if placement.Name == "" || placement.Err != nil || names[placement.Name] {
			d.t.Errorf("%q is placed at %q (%v)", streams[i].Table.Name, placement.Name, placement.Err)
		}
		names[placement.Name] = true
	}
}

// named is a stream whose table has its own namespace and name.
func named(namespace, name string) sidecar.StreamConfig {
	s := stream(name, sidecar.Append)
	s.Table.Namespace, s.Table.Stream.Namespace = namespace, namespace
	return s
}

// alike are pairs of tables that a destination might take for one.
func alike() map[string][2]sidecar.StreamConfig {
	long := strings.Repeat("a_rather_long_name_", 30)
	renamed := named("", "orders")
	renamed.Table.Stream = airbyte.StreamDescriptor{Namespace: "shop", Name: "orders"}
	return map[string][2]sidecar.StreamConfig{
		"one name in two namespaces":         {named("shop", "orders"), named("store", "orders")},
		"one name, and one in a namespace":   {named("", "orders"), named("shop", "orders")},
		"a namespace that is part of a name": {named("shop", "eu_orders"), named("shop_eu", "orders")},
		"a namespace and a dotted name":      {named("shop", "orders"), named("", "shop.orders")},
		"a namespace and a joined name":      {named("shop", "orders"), named("", "shop_orders")},
		"two streams of one table":           {named("", "orders"), renamed},
		"letters of another case":            {named("", "Orders"), named("", "orders")},
		"namespaces of another case":         {named("Shop", "orders"), named("shop", "orders")},
		"characters that are often replaced": {named("", "a.b"), named("", "a_b")},
		"different odd characters":           {named("", "a/b"), named("", "a\\b")},
		"spaces":                             {named("", "a b"), named("", "a  b")},
		"an accent, composed or not":         {named("", "caf\u00e9"), named("", "cafe\u0301")},
		"long names with different ends":     {named("", long+"1"), named("", long+"2")},
		"names cut at 63 bytes":              {named("", long[:63]), named("", long[:63]+"x")},
		"long names with different begins":   {named("", "1"+long), named("", "2"+long)},
		"a path upwards":                     {named("..", "orders"), named("", "../orders")},
		"an ending that files have":          {named("", "orders"), named("orders.ndjson", "orders.ndjson")},
	}
}

// apart checks that of two tables that are alike each keeps its rows, or that Place says no.
func (d *destinationTest) apart() {
	for name, pair := range alike() {
		d.t.Run(name, func(t *testing.T) {
			d := d.fresh(t)
			r, ok := d.placed(pair[0], pair[1])
			if !ok {
				return
			}
			r.must(r.resume(nil))
			for i := range pair {
				r.load(i, sidecar.Append, rows(10*i, 10*i+3, fmt.Sprint("of table ", i))...)
			}
			for i := range pair {
				r.holds(i, rows(10*i, 10*i+3, fmt.Sprint("of table ", i))...)
			}
			r.finish()
		})
	}
}

// placed opens the destination with streams that it may refuse.
func (d *destinationTest) placed(streams ...sidecar.StreamConfig) (*destinationRun, bool) {
	d.t.Helper()
	r := d.open(streams...)
	placements, err := r.destination.Place(tablesOf(streams))
	for i, placement := range placements {
		r.streams[i].Placement = placement
		if err == nil {
			err = placement.Err
		}
	}
	if err == nil {
		return r, true
	}
	d.discreet(err.Error())
	d.t.Logf("refused: %v", err)
	r.end()
	return nil, false
}

// names checks that rows of an oddly named table are kept, or that Place says no.
func (d *destinationTest) names() {
	for name, s := range map[string]sidecar.StreamConfig{
		"a reserved word":      named("", "select"),
		"a number":             named("", "2024"),
		"spaces":               named(" ", " a b "),
		"quotes":               named(`"`, `it's "quoted" \ `+"`so`"),
		"beyond ASCII":         named("größe", "Übergröße 漢字 😀"),
		"dots":                 named("..", "."),
		"a path":               named("../..", "/etc/passwd"),
		"control characters":   named("\x01", "a\x00b\nc\td\x7f"),
		"what is not UTF-8":    named("\xff", "a\xffb"),
		"an address":           named("a=b&c", "?x=1#y%20&mode=stream"),
		"a placeholder":        named("${x}", "%s $1 :a @b"),
		"something long":       named("", strings.Repeat("0123456789", 40)),
		"something long, wide": named(strings.Repeat("漢", 100), strings.Repeat("😀", 100)),
	} {
		d.t.Run(name, func(t *testing.T) {
			d := d.fresh(t)
			r, ok := d.placed(s)
			if !ok {
				return
			}
			r.must(r.resume(nil))
			r.load(0, sidecar.Append, rows(0, 2, "a")...)
			r.load(0, sidecar.Append, rows(2, 4, "a")...)
			r.holds(0, rows(0, 4, "a")...)
			r.finish()
			r.holds(0, rows(0, 4, "a")...)
		})
	}
}
