package sidecartest

import (
	"fmt"
	"slices"
	"strings"

	"sync-sidecar/sidecar"
)

// rowPromises are those of what becomes of single rows.
func rowPromises() []promise[*destinationTest] {
	return []promise[*destinationTest]{
		{"rows arrive as they were", (*destinationTest).rowsUnchanged},
		{"rows as long as RowBytes arrive", (*destinationTest).longRows},
		{"a longer row is refused with its load", (*destinationTest).longerRow},
		{"many rows arrive", (*destinationTest).manyRows},
		{"rows merge by key", (*destinationTest).merges},
		{"the last row of a key wins where it says so", (*destinationTest).lastWins},
		{"a member is data unless its name is reserved", (*destinationTest).membersAreData},
	}
}

func (d *destinationTest) rowsUnchanged() {
	var lines []string
	for i, v := range []string{
		"", " ", "plain", `quotes " ' and \ backslashes`, "tab\tand\nline", "ümläut 漢字 😀", "\u2028\u2029\u00a0\ufeff", "null", "{}", "$1 %s ${x} ABORT",
		strings.Repeat("long ", 10_000),
	} {
		lines = append(lines, row(i, v))
	}
	lines = append(lines, `{"id":100,"v":"\u00fc\ud83d\ude00\/"}`, `{"v":"first","id":101}`, `{"id":9007199254740993,"v":"beyond a float"}`)
	r := d.begin(nil, stream("orders", sidecar.Append), stream("whole", sidecar.ReplaceWhole))
	for i, stream := range r.streams {
		r.load(i, stream.Mode, lines...)
		r.holds(i, lines...)
	}
	r.finish()
}

// membersAreData checks names that one warehouse or another reads as an instruction.
func (d *destinationTest) membersAreData() {
	r := d.begin(nil, stream("orders", sidecar.Append))
	line := `{"id":1,"v":"a"`
	for _, name := range []string{
		"__sql_type", "__sql_type_v", "JITSU_TABLE_NAME", "_timestamp", "_id", "_rowid", "$table", "__proto__", "ABORT", "select", "drop table orders",
	} {
		reserved := slices.ContainsFunc(r.destination.Capabilities().ReservedKeys, func(key sidecar.ReservedKey) bool {
			return name == key.Name || key.Prefix && strings.HasPrefix(name, key.Name)
		})
		if !reserved {
			line += fmt.Sprintf(`,%q:"other"`, name)
		}
	}
	line += "}"
	r.load(0, sidecar.Append, line, row(2, "b"))
	r.holds(0, line, row(2, "b"))
	r.finish()
}

// padded is a row of so many bytes.
func padded(id, length int) string {
	empty := len(row(id, ""))
	return row(id, strings.Repeat("x", length-empty))
}

func (d *destinationTest) longRows() {
	r := d.begin(nil, stream("orders", sidecar.Append))
	length := r.destination.Capabilities().RowBytes
	if length == 0 {
		length = 2 << 20
	}
	lines := []string{padded(1, length), padded(2, length), row(3, "short")}
	r.load(0, sidecar.Append, lines...)
	r.holds(0, lines...)
	r.finish()
}

func (d *destinationTest) longerRow() {
	r := d.begin(nil, stream("orders", sidecar.Append), stream("whole", sidecar.ReplaceWhole))
	limit := r.destination.Capabilities().RowBytes
	if limit == 0 {
		d.t.Skip("it takes rows of any length")
	}
	for i, stream := range r.streams {
		if r.refused(r.try(d.t.Context(), i, stream.Mode, NewRows(row(1, "a"), padded(2, limit+1), row(3, "a")))) {
			d.t.Errorf("a load of %q was refused for a row that is too long, and may be given again", stream.Table.Name)
		}
		r.holds(i)
	}
	r.finish()
}

func (d *destinationTest) manyRows() {
	const most = 10_000
	r := d.begin(nil, stream("orders", sidecar.ReplaceFirst))
	r.load(0, sidecar.ReplaceFirst, rows(0, most, "a")...)
	given, ended := r.live(0, sidecar.Append)
	for from := most; from < 2*most; from += most / 10 {
		given.Add(rows(from, from+most/10, "a")...)
	}
	given.Finish()
	r.must(ended())
	r.holds(0, rows(0, 2*most, "a")...)
	r.finish()
}

// merges checks the last row of each key where the destination says that it merges, and that no row is lost where it does not.
func (d *destinationTest) merges() {
	nested := func(id, a int, v string) string { return fmt.Sprintf(`{"id":%d,"k":{"a":%d},"v":%q}`, id, a, v) }
	first := []string{nested(1, 1, "a"), nested(1, 2, "a"), nested(2, 1, "a"), nested(1, 1, "b")}
	second := []string{nested(1, 2, "c"), nested(3, 1, "c"), nested(3, 1, "d")}
	all, last := slices.Concat(first, second), []string{first[2], first[3], second[0], second[2]}
	r := d.begin(nil, stream("orders", sidecar.Append, []string{"id"}, []string{"k", "a"}))
	for _, lines := range [][]string{first, second} {
		r.load(0, sidecar.Append, lines...)
	}
	want := all
	if d.Merges == MergesAtLoad {
		want = last
	}
	r.holds(0, want...)
	r.finish()
	if d.Merges == MergesAtFinish {
		want = last
	}
	r.holds(0, want...)
}

// lastWins checks what the loader relies on when it brings rows into the order of their cursor.
func (d *destinationTest) lastWins() {
	ordered := stream("orders", sidecar.Append, []string{"id"})
	ordered.Table.Cursor = []string{"n"}
	r := d.begin(nil, ordered)
	if !r.destination.Capabilities().LastWins {
		d.t.Skip("it does not say so")
	}
	if d.Merges != MergesAtLoad {
		d.t.Error("the last row of a key wins, and loads do not merge")
	}
	version := func(n int, v string) string { return fmt.Sprintf(`{"id":1,"n":%d,"v":%q}`, n, v) }
	r.load(0, sidecar.Append, version(5, "a"), version(3, "b"))
	r.holds(0, row(1, "b"))
	r.load(0, sidecar.Append, version(1, "c"))
	r.holds(0, row(1, "c"))
	r.finish()
}
