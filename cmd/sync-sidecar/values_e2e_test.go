package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/canonical"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// What real sources send: each value is found again in the table, in its column or in _unmapped_data, as the source printed it.
func TestValuesOfRealSources(t *testing.T) {
	t.Parallel()
	for _, stream := range realStreams() {
		t.Run(stream.name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`)
			database := p.useTables()
			put(t, p.path("config/catalog.json"), stream.catalog())
			put(t, p.path("output.ndjson"), stream.output())
			p.script("cat " + p.path("output.ndjson"))
			p.run().want(t, exitOK, "read SUCCESS")
			found := map[string]map[string]any{}
			for _, line := range postgrestest.Query(t, database, `select row_to_json(t)::text from `+quoted(stream.name)+` t`) {
				row := decoded(t, line)
				found[fmt.Sprint(row["id"])] = row
			}
			if len(found) != len(stream.kept()) {
				t.Errorf("the table holds %d rows, want %d", len(found), len(stream.kept()))
			}
			for id, row := range stream.kept() {
				for name, value := range row {
					if problem := missingValue(found[id], name, value); problem != "" {
						t.Errorf("row %s: %s", id, problem)
					}
				}
			}
		})
	}
}

// realStream is a stream of a source, and what it prints.
type realStream struct {
	name, schema string
	keyed        bool
	rows         []string
}

func (s realStream) catalog() string {
	key := "[]"
	if s.keyed {
		key = `[["id"]]`
	}
	return fmt.Sprintf(`{"streams":[{"stream":{"name":%q,"json_schema":%s,"supported_sync_modes":["full_refresh","incremental"]},`+
		`"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["at"],"primary_key":%s}]}`, s.name, s.schema, key)
}

func (s realStream) output() string {
	var out strings.Builder
	for _, row := range s.rows {
		fmt.Fprintf(&out, `{"type":"RECORD","record":{"stream":%q,"data":%s,"emitted_at":1}}`+"\n", s.name, row)
	}
	fmt.Fprintf(&out, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":%q},"stream_state":{"at":1}}}}`+"\n", s.name)
	return out.String()
}

// kept are the rows that the table must hold, by their id: with a key the last one of each.
func (s realStream) kept() map[string]map[string]any {
	kept := map[string]map[string]any{}
	for _, text := range s.rows {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		row := map[string]any{}
		if decoder.Decode(&row) != nil {
			continue
		}
		kept[fmt.Sprint(row["id"])] = row
	}
	return kept
}

const declared = `{"type":"object","properties":{"id":{"type":"integer"},"s":{"type":["null","string"]},"n":{"type":["null","number"]},
	"i":{"type":["null","integer"]},"b":{"type":["null","boolean"]},"at":{"type":["null","string"],"format":"date-time"},
	"d":{"type":["null","string"],"format":"date"},"o":{"type":["null","object"]},"a":{"type":["null","array"]},
	"u":{"oneOf":[{"type":"string"},{"type":"integer"}]}}}`

// realStreams are the streams of the test: declared and not, keyed and not, with values of every kind in every column.
func realStreams() []realStream {
	random := rand.New(rand.NewPCG(3, 4))
	var mixed, undeclared, updates []string
	for id := range 400 {
		var members []string
		for _, name := range []string{"s", "n", "i", "b", "at", "d", "o", "a", "u"} {
			members = append(members, fmt.Sprintf("%q:%s", name, anyValue(random)))
		}
		mixed = append(mixed, fmt.Sprintf(`{"id":%d,%s}`, id, strings.Join(members, ",")))
		undeclared = append(undeclared, fmt.Sprintf(`{"id":%d,"select":%s,"Group by":%s,"имя":%s,"%s":%s,"x.y":%s,"%s":%s}`, id, anyValue(random),
			anyValue(random), anyValue(random), strings.Repeat("long", 20), anyValue(random), anyValue(random), strings.Repeat("ж", 40), anyValue(random)))
		updates = append(updates, fmt.Sprintf(`{"id":%d,"at":"2024-01-01T00:00:%02d.5Z","n":%s,"o":{"deep":{"er":%s}}}`, id%50, id/50, anyValue(random),
			anyValue(random)))
	}
	return []realStream{
		{name: "declared", schema: declared, rows: mixed},
		{name: "Without Schema", schema: `{}`, rows: undeclared},
		{name: "updates", schema: declared, keyed: true, rows: updates},
		{name: "nulls", schema: declared, rows: []string{`{"id":1,"s":null,"n":null,"o":null}`, `{"id":2}`}},
		{name: "order", schema: `{"type":"object"}`, keyed: true, rows: []string{`{"id":1,"Id":2,"ID":3}`, `{"id":2,"Id":null,"ID":"x"}`}},
	}
}

// anyValue is a value as real sources send them.
func anyValue(random *rand.Rand) string {
	values := []string{`null`, `true`, `false`, `0`, `-1`, `1.50`, `1e2`, `0.1`, `123456789.123456789`, `9007199254740993`, `9223372036854775807`,
		`9223372036854775808`, `-170141183460469231731687303715884105728`, `1e400`, `-0.0`, `""`, `"plain"`, `"12"`, `"1.0"`, `"true"`, `"NaN"`,
		`"2024-02-29"`, `"2024-02-30"`, `"2024-02-29T12:13:14Z"`, `"2024-02-29T12:13:14.123456+05:30"`, `"2024-02-29T12:13:14"`, `"2024-02-29 12:13:14"`,
		`"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999Z"`, `"12:13:14"`, `"8d6b4f6e-3a1f-4b62-9f2e-0a9d4f3a1c11"`,
		`"😀 naïve \"quoted\" \\ back\tslash\n"`,
		`"\\N"`, `"\\u0041"`, `[]`, `[1,"a",null,{"b":[2]}]`, `{}`, `{"k":1,"K":"2","deep":{"list":[1.50]}}`, `"{\"json\":1}"`, `"[1"`}
	return values[random.IntN(len(values))]
}

// missingValue says that a value is not in a row of the table; empty when it is.
func missingValue(row map[string]any, name string, value any) string {
	if value == nil {
		return ""
	}
	for _, column := range columns(row, name) {
		if aside, ok := row["_unmapped_data"].(map[string]any); ok {
			if kept, found := aside[column]; found && sameValue(kept, value) {
				return ""
			}
		}
		if sameValue(row[column], value) {
			return ""
		}
	}
	if object, isObject := value.(map[string]any); isObject { // flattened
		for member, inner := range object {
			if problem := missingValue(row, name+"_"+member, inner); problem != "" {
				return problem
			}
		}
		return ""
	}
	return fmt.Sprintf("%q is %v (%T), columns %q hold another, set aside is %v", name, value, value, columns(row, name), row["_unmapped_data"])
}

// columns are those that may be a member's: itself or, of a long name, those that begin as it does.
func columns(row map[string]any, name string) (found []string) {
	cleaned := strings.ReplaceAll(name, ".", "_")
	if _, found := row[cleaned]; found || len(cleaned) <= 63 {
		return []string{cleaned}
	}
	const start = 20
	for candidate := range row {
		if strings.HasPrefix(candidate, cleaned[:start]) {
			found = append(found, candidate)
		}
	}
	return found
}

// sameValue compares what the table gives with what the source printed: by meaning, whatever type the column has.
func sameValue(got, want any) bool {
	if got == nil {
		return false
	}
	g, w := textOf(got), textOf(want)
	spelledG, errG := canonical.JSON([]byte(g))
	spelledW, errW := canonical.JSON([]byte(w))
	if g == w || errG == nil && errW == nil && bytes.Equal(spelledG, spelledW) {
		return true
	}
	if a, ok := instant(g); ok {
		if b, ok := instant(w); ok {
			return a.Equal(b.Truncate(time.Microsecond))
		}
	}
	truth := map[string]string{"1e0": "true", "0": "false"}
	if numberG, numberW := canonical.Number(g), canonical.Number(w); numberG == numberW || truth[numberG] == w || truth[numberW] == g {
		return true
	}
	a, errA := strconv.ParseFloat(g, 64)
	b, errB := strconv.ParseFloat(w, 64)
	exact := len(strings.Trim(w, "-+.0e")) <= 15 // digits that a double keeps
	return errA == nil && errB == nil && exact && (a == b || math.IsNaN(a) && math.IsNaN(b))
}

// textOf is a value as text: a string without its quotes, anything else as compact JSON with sorted members.
func textOf(value any) string {
	if text, ok := value.(string); ok {
		var inner any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			if decoder.Decode(&inner) == nil {
				return textOf(inner)
			}
		}
		return text
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return ""
	}
	return strings.TrimSpace(out.String())
}

func instant(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if moment, err := time.Parse(layout, text); err == nil {
			return moment, true
		}
	}
	return time.Time{}, false
}

// quoted is a name for SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	row := map[string]any{}
	if err := decoder.Decode(&row); err != nil {
		t.Fatal(err)
	}
	return row
}
