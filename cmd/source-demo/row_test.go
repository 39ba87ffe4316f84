package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// TestRows holds every row against the schema that discover declares, and the rows against each other.
func TestRows(t *testing.T) {
	for _, config := range []string{`{"count":3000}`, `{"count":3000,"seed":9007199254740991,"update_every":4}`,
		`{"count":300,"streams":7,"row_bytes":3001}`} {
		t.Run(config, func(t *testing.T) {
			configFile := file(t, config)
			schemas := discovered(t, configFile)
			var names []string
			for name := range schemas {
				names = append(names, name)
			}
			all := messages(t, mustRead(t, "read", "--config", configFile, "--catalog", catalogFile(t, incremental, "updated_at", "", names...)))
			ids, last := map[string]map[float64]int{}, map[string]string{}
			for _, m := range all {
				if m.Record == nil {
					continue
				}
				name := m.Record.Stream
				if !utf8.Valid(m.Record.Data) {
					t.Fatalf("not UTF-8: %s", m.Record.Data)
				}
				row := object(t, m.Record.Data)
				conforms(t, name, row, schemas[name])
				if ids[name] == nil {
					ids[name] = map[float64]int{}
				}
				ids[name][number(t, row, "id")]++
				if now := fmt.Sprint(row["updated_at"]); now <= last[name] {
					t.Fatalf("%s: updated_at %s after %s", name, now, last[name])
				} else {
					last[name] = now
				}
			}
			references(t, all, ids)
			c, err := parseConfig([]byte(config))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range c.streams() {
				want := s.count
				if c.UpdateEvery > 0 {
					want -= s.count / c.UpdateEvery
				}
				if got := int64(len(ids[s.name])); got != want {
					t.Errorf("%s: %d ids, want %d", s.name, got, want)
				}
			}
		})
	}
}

// references checks that orders refer to customers and products that there are, and that their price is the product's.
func references(t *testing.T, all []received, ids map[string]map[float64]int) {
	t.Helper()
	prices := map[float64]float64{}
	for _, m := range all {
		if m.Record != nil && m.Record.Stream == "products" {
			row := object(t, m.Record.Data)
			prices[number(t, row, "id")] = number(t, row, "price")
		}
	}
	for _, m := range all {
		if m.Record == nil || m.Record.Stream != "orders" {
			continue
		}
		row := object(t, m.Record.Data)
		if ids["customers"][number(t, row, "customer_id")] == 0 {
			t.Fatalf("no such customer: %s", m.Record.Data)
		}
		if price, known := prices[number(t, row, "product_id")]; !known || price != number(t, row, "unit_price") {
			t.Fatalf("the product's price is %v (known: %t): %s", price, known, m.Record.Data)
		}
	}
}

func discovered(t *testing.T, configFile string) map[string]map[string]any {
	t.Helper()
	var answer message
	if err := json.Unmarshal([]byte(mustRead(t, "discover", "--config", configFile)), &answer); err != nil {
		t.Fatal(err)
	}
	schemas := map[string]map[string]any{}
	for _, s := range answer.Catalog.Streams {
		schemas[s.Name] = object(t, s.JSONSchema)
	}
	return schemas
}

func object(t *testing.T, raw json.RawMessage) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return o
}

func number(t *testing.T, row map[string]any, field string) float64 {
	t.Helper()
	f, ok := row[field].(float64)
	if !ok {
		t.Fatalf("%s is no number: %v", field, row)
	}
	return f
}

// conforms checks a value against a JSON schema, and that objects have no property that is not declared.
func conforms(t *testing.T, path string, value any, schema map[string]any) {
	t.Helper()
	types := []string{fmt.Sprint(schema["type"])}
	if several, ok := schema["type"].([]any); ok {
		types = []string{fmt.Sprint(several[0]), fmt.Sprint(several[1])}
	}
	kinds := map[string]string{"<nil>": "null", "string": "string", "bool": "boolean", "float64": "number", "[]interface {}": "array"}
	kind := kinds[fmt.Sprintf("%T", value)]
	if f, ok := value.(float64); ok && f == float64(int64(f)) && slices.Contains(types, "integer") {
		kind = "integer"
	}
	switch v := value.(type) {
	case map[string]any:
		kind = "object"
		properties, ok := schema["properties"].(map[string]any)
		if !ok {
			t.Fatalf("%s: no properties are declared", path)
		}
		for name, member := range v {
			declared, ok := properties[name].(map[string]any)
			if !ok {
				t.Fatalf("%s.%s is not declared", path, name)
			}
			conforms(t, path+"."+name, member, declared)
		}
	case []any:
		items, ok := schema["items"].(map[string]any)
		if !ok {
			t.Fatalf("%s: no items are declared", path)
		}
		for _, item := range v {
			conforms(t, path+"[]", item, items)
		}
	case string:
		layout := map[any]string{"date": time.DateOnly, "date-time": time.RFC3339Nano}[schema["format"]]
		if _, err := time.Parse(layout, v); layout != "" && err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	if !slices.Contains(types, kind) {
		t.Fatalf("%s: %v is %s, not %v", path, value, kind, types)
	}
}

// TestTime compares the quick formatting with the library's.
func TestTime(t *testing.T) {
	for millis := int64(0); millis < 10_000_000_000_000; millis += 86_399_999 * 7 {
		if got, want := string(appendTime(nil, millis)), time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Fatalf("%d: %s, want %s", millis, got, want)
		}
	}
}

// TestPositions checks that a position is found from its time and its id again.
func TestPositions(t *testing.T) {
	for _, updateEvery := range []int64{0, 2, 3, 10} {
		d := &dataset{seed: 7, updateEvery: updateEvery}
		for _, position := range []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99, 100, 1_000_000, maxPosition} {
			if got := d.positionOf(d.updatedAt(position)); got != position {
				t.Errorf("position %d: found %d", position, got)
			}
			if updateEvery == 0 || position%updateEvery != 0 {
				if got := d.firstPosition(d.idAt(position)); got != position {
					t.Errorf("update every %d: id %d begins at %d, found %d", updateEvery, d.idAt(position), position, got)
				}
			} else if first := d.firstPosition(d.idAt(position)); first >= position {
				t.Errorf("update every %d: position %d updates a row that begins at %d", updateEvery, position, first)
			}
		}
	}
}
