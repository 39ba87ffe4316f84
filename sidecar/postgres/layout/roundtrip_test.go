package layout_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/postgres/layout"
)

// hostile are JSON values as sources print them, and worse.
func hostile() []string {
	return []string{`null`, `true`, `false`, `0`, `-0`, `1`, `-1`, `2147483648`, `32767`, `9007199254740993`, `9223372036854775807`,
		`9223372036854775808`,
		`-9223372036854775809`, `123456789012345678901234567890`, `0.1`, `1.0`, `-1.5e3`, `1e2`, `1E-7`, `1e400`, `1e-400`, `1e999999999`,
		`0.30000000000000004`,
		`0.12345678901234567890123`, `99.995`, `1234.56`, `""`, `"x"`, `"1"`, `"-7"`, `"1.5"`, `"1e5"`, `"true"`, `"NaN"`, `"null"`,
		`"{\"a\": [1, \"\\u0000\"]}"`, `"[1"`,
		`"2024-01-02"`, `"2024-01-02T03:04:05Z"`, `"2024-01-02T03:04:05.123456+05:30"`, `"2024-01-02T03:04:05"`, `"2024-01-02 03:04:05"`,
		`"2024-02-30T00:00:00Z"`,
		`"03:04:05"`, `"a\tb\nc\rd\\e\"f\/g\b\f"`, `"\\N"`, `"\\."`, `"\u0000"`, `"a\u0000b"`, `"\u0041\u00e9\u20ac"`, `"\ud83d\ude00"`, `"\ud83d"`,
		`"\ude00x"`, `"Ünïcödé 日本語 😀"`,
		`"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`, `"10.0.0.1"`, `"happy"`, `"\\xdead"`, `[]`, `{}`, `[1,2,3]`, `["a",null,"b\\c"]`, `[[1],{"a":"\u0000"}]`,
		`{"a":{"b":[1,"\ud800",{"c":1e400}]},"d":null}`, `{"":1,"#":{"x.y":2}}`, `{"a":1, "a":2}`, "[ 1 ,\t\"\\u002f\" ]", `{"e":1e200000}`, `{"n":-0.0}`}
}

// roundTripTypes are the types of the columns c0, c1, …
func roundTripTypes() []string {
	return []string{"text", "bigint", "double precision", "numeric", "boolean", "jsonb", "timestamp with time zone", "timestamp without time zone",
		"date",
		"smallint", "integer", "real", "numeric(6,2)", "character varying(5)", "character(5)", "uuid", "inet", "bytea", "mood", "text[]", "bigint[]",
		"json",
		"time without time zone", "double precision[]"}
}

// TestRoundTrip writes random rows of hostile values, and compares each value that Postgres then has with what was printed: it is the value itself,
// or it is in Unmapped.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	d, random := connect(t), seeded(t)
	d.exec(`create type mood as enum ('happy', 'sad'); create table r (n bigint, _unmapped_data jsonb)`)
	declared := "n:I"
	for i, typeName := range roundTripTypes() {
		d.exec(fmt.Sprintf("alter table r add column c%d %s", i, typeName))
		declared += fmt.Sprintf(" c%d:J", i)
	}
	var rows []string
	for n := range 1500 {
		members := []string{fmt.Sprintf(`"n":%d`, n)}
		for i := range roundTripTypes() {
			members = append(members, fmt.Sprintf(`"c%d":%s`, i, randomValue(random, 2)))
		}
		if random.IntN(3) == 0 { // keys that nobody declared
			members = append(members, fmt.Sprintf(`"u%d":%s`, random.IntN(8), randomValue(random, 1)))
		}
		random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		rows = append(rows, "{"+strings.Join(members, ",")+"}")
	}
	d.load(table("r", declared, nil, nil), layout.Options{}, false, rows)
	types := map[string]string{}
	for _, column := range d.columns("r") {
		types[column.Name] = column.Type
	}
	stored := d.texts("select row_to_json(r)::text from r order by n")
	if len(stored) != len(rows) {
		t.Fatalf("%d rows of %d", len(stored), len(rows))
	}
	for n, row := range stored {
		compareRow(t, decode(rows[n]).(map[string]any), decode(row).(map[string]any), types)
	}
}

// TestRoundTripOfNewColumns does the same with columns that are made for their values.
func TestRoundTripOfNewColumns(t *testing.T) {
	t.Parallel()
	d, random := connect(t), seeded(t)
	for range 20 {
		var rows []string
		pools := make([][]string, 30) // each column has few values, so that few sorts meet
		for i := range pools {
			for range 1 + random.IntN(4) {
				if value := randomValue(random, 1); value[0] != '{' {
					pools[i] = append(pools[i], value)
				}
			}
		}
		for n := range 20 {
			members := []string{fmt.Sprintf(`"n":%d`, n)}
			for i, pool := range pools {
				if len(pool) > 0 {
					members = append(members, fmt.Sprintf(`"c%d":%s`, i, pool[random.IntN(len(pool))]))
				}
			}
			rows = append(rows, "{"+strings.Join(members, ",")+"}")
		}
		encoder := d.load(table("fresh", "", nil, nil), layout.Options{}, false, rows)
		if stored := countNotes(encoder, layout.Unmapped); stored != 0 {
			t.Errorf("new columns do not take all of their values: %v", encoder.Notes())
		}
		types := map[string]string{}
		for _, column := range d.columns("fresh") {
			types[column.Name] = column.Type
		}
		for n, row := range d.texts("select row_to_json(r)::text from fresh r order by n") {
			compareRow(t, decode(rows[n]).(map[string]any), decode(row).(map[string]any), types)
		}
		d.exec("drop table fresh")
	}
}

// seeded is a source of random numbers that a failing test names.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(7, seed))
}

func randomValue(random *rand.Rand, depth int) string {
	pool := hostile()
	switch random.IntN(12) {
	case 0:
		return strconv.FormatFloat(random.NormFloat64()*1e6, 'g', -1, 64)
	case 1:
		return strconv.FormatInt(random.Int64()>>random.IntN(60), 10)
	case 2:
		text := make([]rune, random.IntN(12))
		for i := range text {
			text[i] = []rune("ab \\\"\t\n\u0000é日😀{}[],:'")[random.IntN(17)]
		}
		quoted, _ := json.Marshal(string(text))
		return string(quoted)
	case 3:
		if depth > 0 {
			return "[" + randomValue(random, depth-1) + "," + randomValue(random, depth-1) + "]"
		}
	case 4:
		if depth > 0 {
			return `{"k":` + randomValue(random, depth-1) + `,"l ":` + randomValue(random, depth-1) + "}"
		}
	}
	return pool[random.IntN(len(pool))]
}

// decode reads JSON, with numbers as they are spelled; nil when it is none.
func decode(text string) any {
	var value any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return nil
	}
	return value
}

// compareRow holds a stored row against the printed one.
func compareRow(t *testing.T, printed, stored map[string]any, types map[string]string) {
	t.Helper()
	beside, _ := stored[layout.Unmapped].(map[string]any)
	for key, value := range printed {
		if _, object := value.(map[string]any); object && strings.HasPrefix(key, "u") {
			continue // it is flattened
		}
		kept, isBeside := beside[key]
		switch {
		case value == nil:
			if stored[key] != nil || isBeside {
				t.Errorf("%s: null is %v, beside it %v", key, stored[key], kept)
			}
		case isBeside:
			if !sameBeside(value, kept) {
				t.Errorf("%s %s: %#v is %#v in %s", key, types[key], value, kept, layout.Unmapped)
			}
			if stored[key] != nil && !strings.HasPrefix(types[key], "double") && types[key] != "real" && !strings.HasPrefix(types[key], "numeric") {
				t.Errorf("%s %s: %#v is there twice: %#v", key, types[key], value, stored[key])
			}
		case !sameStored(value, stored[key], types[key]):
			t.Errorf("%s %s: %#v is %#v", key, types[key], value, stored[key])
		}
	}
}
