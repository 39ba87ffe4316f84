package layout_test

import (
	"fmt"
	"strings"
	"testing"

	"sync-sidecar/sidecar/postgres/layout"
)

// aside marks values that belong into Unmapped.
const aside = "(aside)"

// typeCases are values for columns of each type, as a table may have them, and what Postgres shows of them afterwards. "4 (aside)" is in both places.
func typeCases() map[string][][2]string {
	return map[string][][2]string{
		"boolean": {{`true`, "true"}, {`"False"`, "false"}, {`1`, "true"}, {`0.0`, "false"}, {`2`, aside}, {`"yes"`, aside}, {`[]`, aside}},
		"smallint": {{`1`, "1"}, {`-32768`, "-32768"}, {`32768`, aside}, {`true`, "1"}, {`"+7"`, "7"}, {`" 7"`, aside}, {`1e3`, "1000"}, {`1.5`, aside},
			{`{"a":1}`, aside}},
		"integer": {{`2147483647`, "2147483647"}, {`2147483648`, aside}, {`-0`, "0"}, {`"x"`, aside}, {`20e-1`, "2"}},
		"bigint": {{`9223372036854775807`, "9223372036854775807"}, {`-9223372036854775808`, "-9223372036854775808"}, {`9223372036854775808`, aside},
			{`9007199254740993.0`, "9007199254740993"}, {`1e19`, aside}, {`1e999999999999`, aside}, {`1e-999999999999`, aside}, {`0e999999999999`, "0"},
			{`"007"`, "7"}, {`""`, aside}, {`"1.0"`, aside}},
		"real": {{`1.5`, "1.5"}, {`0.1`, "0.1"}, {`16777217`, "1.6777216e+07 (aside)"}, {`1e39`, aside}, {`"NaN"`, "NaN"},
			{`3.4028235e38`, "3.4028235e+38"}},
		"double precision": {{`0.1`, "0.1"}, {`1e308`, "1e+308"}, {`1e309`, aside}, {`1e-400`, "0 (aside)"}, {`5e-324`, "5e-324"}, {`"inf"`, "Infinity"},
			{`"0x1p-2"`, "0.25"}, {`"1_0"`, "10"}, {`".5"`, "0.5"}, {`" 1"`, aside}, {`9007199254740993`, "9.007199254740992e+15 (aside)"},
			{`1.00000000000000000000000000000`, "1"}, {`25207008675731750`, "2.5207008675731752e+16 (aside)"},
			{`1e23`, "9.999999999999999e+22 (aside)"}, {`1e22`, "1e+22"},
			{`1234567890123456800`, "1.2345678901234568e+18"}, {`"0.30000000000000004441"`, "0.30000000000000004 (aside)"}, {`-0.0`, "-0"}},
		"numeric": {{`1.50`, "1.50"}, {`123456789012345678901234567890.123`, "123456789012345678901234567890.123"}, {`"1.5"`, "1.5"}, {`"NaN"`, "NaN"},
			{`"1e"`, aside}, {`true`, "1"}, {`1e131071`, "1" + strings.Repeat("0", 131071)}, {`1e131072`, aside},
			{`1e-16383`, "0." + strings.Repeat("0", 16382) + "1"},
			{`1e-16384`, aside}},
		"numeric(5,2)": {{`999.99`, "999.99"}, {`1000`, aside}, {`1.005`, "1.01 (aside)"}, {`999.994`, "999.99 (aside)"}, {`999.995`, aside},
			{`-999.999`, aside},
			{`0.001`, "0.00 (aside)"}},
		"character varying(3)": {{`"abc"`, "abc"}, {`"жжж"`, "жжж"}, {`"abcd"`, aside}, {`"abc "`, aside}, {`"a\nb"`, "a\nb"}, {`"\\\\\\"`, `\\\`},
			{`1234`, aside},
			{`[1]`, "[1]"}, {`true`, aside}, {`1.0`, "1"}},
		"character varying": {{`"abcd"`, "abcd"}},
		"bpchar":            {{`"abcd"`, "abcd"}, {`12`, "12"}},
		"character(3)":      {{`"ab"`, "ab"}, {`"abcd"`, aside}},
		"text": {{`"a\u0000b"`, "ab"}, {`"\ud83d\ude00"`, "😀"}, {`"\ud83d"`, "\ufffd"}, {`"\ude00\ud83d"`, "\ufffd\ufffd"}, {`"\\N"`, `\N`},
			{`"\\."`, `\.`},
			{`"\t\r\n\b\f\/\"\\"`, "\t\r\n\b\f/\"\\"}, {`"\u005c\u000a\u0009\u000d\u0022"`, "\\\n\t\r\""},
			{`[ 1, "\u00e9\/\u0000\n\ud800 " ]`, `[1,"é/\u0000\n\ud800 "]`},
			{`["\u0022\u005c\u0041"]`, `["\u0022\u005cA"]`}, {`1e21`, "1000000000000000000000"}, {`5.0`, "5"},
			{`0.1234567890123456789`, "0.1234567890123456789"}, {`1e400`, "1e400"}, {`false`, "false"},
			{`"2024-01-02T03:04:05.123456+02:00"`, "2024-01-02T03:04:05.123456+02:00"}},
		"timestamp with time zone": {{`"2024-01-02"`, "2024-01-02 00:00:00+00"}, {`"2024-01-02T03:04:05.123456789Z"`, "2024-01-02 03:04:05.123456+00"},
			{`"2024-01-02T3:04:05,5+02:00"`, "2024-01-02 01:04:05.5+00"}, {`"2024-02-30T00:00:00Z"`, aside},
			{`"2024-02-29T00:00:00Z"`, "2024-02-29 00:00:00+00"},
			{`"1900-02-29"`, aside}, {`"2000-02-29"`, "2000-02-29 00:00:00+00"}, {`"2024-01-02T24:00:00Z"`, aside}, {`"2024-01-02T23:59:60Z"`, aside},
			{`1704164645`, aside},
			{`"2024-01-02 03:04:05"`, "2024-01-02 03:04:05+00"}, {`"2024-01-02 03:04:05.5-02:00"`, "2024-01-02 05:04:05.5+00"},
			{`"2024-01-02 03:04:05+00"`, "2024-01-02 03:04:05+00"}, {`"2024-01-02 03:04:05 +0530"`, "2024-01-01 21:34:05+00"},
			{`"2024-01-02 03:04:05 UTC"`, "2024-01-02 03:04:05+00"}, {`"2024-01-02 03:04:05 CET"`, aside}, {`"2024-01-02  03:04:05"`, aside},
			{`"2024-01-02T03:04"`, "2024-01-02 03:04:00+00"}, {`"2024-01-02T03:04Z"`, "2024-01-02 03:04:00+00"}, {`"2024-01-02T03"`, aside},
			{`"2024-01-02T03:04+01:00[Europe/Paris]"`, "2024-01-02 02:04:00+00"}, {`"2024-01-02T03:04:05[Europe/Paris]"`, aside},
			{`"2024-01-02T03:04:05Z[]"`, aside}, {`"2024-01-02T03:04:05+0"`, aside}, {`"2024-01-02T03:04:05+01:"`, aside}, {`"2024-01-02 "`, aside},
			{`"2024-01-02T03:04:05.999+0000"`, "2024-01-02 03:04:05.999+00"}, {`"0001-01-01T00:00:00+14:00"`, "0001-12-31 10:00:00+00 BC"},
			{`"4713-11-24T00:00:00Z BC"`, "4713-11-24 00:00:00+00 BC"}, {`"4713-11-23T23:59:59Z BC"`, aside}, {`"0000-01-01"`, "0001-01-01 00:00:00+00 BC"},
			{`"0000-00-00"`, aside}, {`"294276-12-31T23:59:59.999999Z"`, "294276-12-31 23:59:59.999999+00"}, {`"294277-01-01T00:00:00Z"`, aside},
			{`"2024-01-02T03:04:05-23:59"`, "2024-01-03 03:03:05+00"}, {`""`, aside}, {`"infinity"`, aside}, {`"2024-01-02T03:04:05Z "`, aside},
			{`"2024-01-02T03:04:05\u005a"`, "2024-01-02 03:04:05+00"}},
		"timestamp without time zone": {{`"2024-01-02T03:04:05+02:00"`, "2024-01-02 01:04:05"}, {`"2024-01-02T03:04:05.5Z"`, "2024-01-02 03:04:05.5"},
			{`"2024-01-02T03:04:05"`, "2024-01-02 03:04:05"}, {`"0044-03-15 BC"`, "0044-03-15 00:00:00 BC"}},
		"timestamp(3) with time zone": {{`"2024-01-02T03:04:05.1234Z"`, "2024-01-02 03:04:05.123+00"},
			{`"2024-12-31T23:59:59.9999Z"`, "2024-12-31 23:59:59.999+00"}},
		"timestamp(0) without time zone": {{`"2024-01-02T03:04:59.9Z"`, "2024-01-02 03:04:59"}},
		"time(1) without time zone":      {{`"03:04:05.1"`, "03:04:05.1"}, {`"03:04:05.16"`, aside}},
		"name":                           {{`"` + strings.Repeat("ж", 31) + `"`, strings.Repeat("ж", 31)}, {`"` + strings.Repeat("ж", 32) + `"`, aside}},
		`"char"`:                         {{`"a"`, "a"}, {`"ab"`, aside}},
		"date": {{`"2024-01-02T23:00:00-05:00"`, "2024-01-03"}, {`"2024-01-02"`, "2024-01-02"}, {`"5874897-12-31"`, aside},
			{`"0044-03-15 BC"`, "0044-03-15 BC"},
			{`20240102`, aside}},
		"time without time zone": {{`"03:04:05"`, "03:04:05"}, {`"03:04:05.123456"`, "03:04:05.123456"}, {`"03:04:05Z"`, aside}, {`"25:00:00"`, aside},
			{`"03:04"`, "03:04:00"}, {`"03:"`, aside}},
		"time with time zone": {{`"03:04:05Z"`, "03:04:05+00"}, {`"03:04:05.5-03:30"`, "03:04:05.5-03:30"}, {`"03:04:05"`, "03:04:05+00"}},
		"jsonb": {{`{"b":1,"a":[1e2,"\u0000x","\ud800"]}`, `{"a": [100, "x", "` + "\ufffd" + `"], "b": 1}`}, {`"plain"`, `"plain"`},
			{`"{\"a\": 1}"`, `{"a": 1}`},
			{`"[1,"`, `"[1,"`}, {`"null"`, `"null"`}, {`5`, aside}, {`true`, aside}, {`{"a":1e200000}`, aside}, {`{"a":1e-20000}`, aside},
			{`{"a":"1e200000"}`, `{"a": "1e200000"}`},
			{"[\t1 ,\r2]", "[1, 2]"}, {`"a\u0000\\u0000"`, `"a\\u0000"`}, {deep(400), deep(400)}, {deep(9000), aside}},
		"json": {{`{"b":1,"a":"\u00e9"}`, `{"b":1,"a":"\u00e9"}`}, {`"x"`, `"x"`}, {`5`, aside}},
		"uuid": {{`"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"`, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
			{`"a0eebc999c0b4ef8bb6d6bb9bd380a11"`, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {`"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"`, aside},
			{`"x"`, aside}, {`7`, aside},
			{`"a0eebc999-c0b-4ef8-bb6d-6bb9bd380a11"`, aside}},
		"inet": {{`"10.0.0.1"`, "10.0.0.1/32"}, {`"10.0.0.1/8"`, "10.0.0.1/8"}, {`"::1"`, "::1/128"}, {`"fe80::1%eth0"`, aside},
			{`"x"`, aside}, {`1`, aside}},
		"cidr":  {{`"10.0.0.0/8"`, "10.0.0.0/8"}, {`"10.0.0.1/8"`, aside}},
		"bytea": {{`"\\xDEADbeef"`, `\xdeadbeef`}, {`"\\xabc"`, aside}, {`"SGVsbG8="`, aside}},
		"mood":  {{`"happy"`, "happy"}, {`"so \"so\\"`, `so "so\`}, {`"angry"`, aside}, {`1`, aside}},
		"text[]": {{`["a",null,"b\"\\,{}\n",1.5,true]`, `{a,NULL,"b\"\\,{}` + "\n" + `",1.5,true}`}, {`[]`, "{}"}, {`[["a"]]`, aside},
			{`"x"`, aside}, {` [ "a" , "NULL" ] `, `{a,"NULL"}`}},
		"integer[]":          {{`[1,"2",3.0]`, "{1,2,3}"}, {`[1,"x"]`, aside}, {`{"a":1}`, aside}},
		"jsonb[]":            {{`[{"a":"\"x\\"},["y"],"z"]`, `{"{\"a\": \"\\\"x\\\\\"}","[\"y\"]","\"z\""}`}},
		"double precision[]": {{`[1.5,null]`, "{1.5,NULL}"}, {`[9007199254740993]`, aside}},
		"positive":           {{`5`, "5"}, {`"5"`, "5"}, {`"x"`, aside}},
		"interval":           {{`"1 day"`, "1 day"}, {`"PT36H"`, "36:00:00"}},
		"money":              {{`"12.30"`, "$12.30"}, {`1`, "$1.00"}, {`1.005`, "$1.01 (aside)"}, {`"twelve"`, aside}, {`"12,30"`, aside}},
	}
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// TestTypes writes values into columns of each type, and reads back what Postgres has.
func TestTypes(t *testing.T) {
	t.Parallel()
	d := connect(t)
	d.exec(`create type mood as enum ('happy', 'so "so\'); create domain positive as integer check (value > 0); set lc_monetary to 'C'`)
	for typeName, cases := range typeCases() {
		target := layout.TableName("of "+typeName, layout.Options{})
		d.exec(fmt.Sprintf("create table %s (n bigint, v %s, _unmapped_data jsonb)", name(target), typeName))
		var rows []string
		for n, c := range cases {
			rows = append(rows, fmt.Sprintf(`{"n":%d,"v":%s}`, n, c[0]))
		}
		d.exec("set datestyle to 'SQL, DMY'; set timezone to 'Asia/Kathmandu'") // whatever a role has set for itself
		encoder := d.load(table(target, "v:J", nil, nil), layout.Options{}, false, rows)
		d.exec("set datestyle to 'ISO'; set timezone to 'UTC'")
		got := d.texts("select coalesce(v::text, '-') || case when _unmapped_data ? 'v' then ' (aside)' else '' end from " + name(target) + " order by n")
		asides := 0
		for n, c := range cases {
			want := c[1]
			if want == aside {
				want = "- (aside)"
			}
			if strings.HasSuffix(want, aside) {
				asides++
			}
			if got[n] != want {
				t.Errorf("%s: %.100s is %.100q, want %.100q", typeName, c[0], got[n], want)
			}
		}
		if counted := countNotes(encoder, layout.Unmapped); counted != asides {
			t.Errorf("%s: %d values in notes, %d aside: %v", typeName, counted, asides, encoder.Notes())
		}
	}
}

// countNotes counts values of which a note says these words.
func countNotes(e *layout.Encoder, words string) int {
	count := 0
	for _, note := range e.Notes() {
		if strings.Contains(note.Reason, words) {
			count += int(note.Count)
		}
	}
	return count
}
