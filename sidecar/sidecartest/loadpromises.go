package sidecartest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sync-sidecar/sidecar"
)

// loadPromises are those of loads that succeed.
func loadPromises() []promise[*destinationTest] {
	return []promise[*destinationTest]{
		{"an acknowledged load is there", (*destinationTest).acknowledged},
		{"Append adds every row", (*destinationTest).appends},
		{"ReplaceFirst starts over", (*destinationTest).replacesFirst},
		{"ReplaceWhole takes the place of all rows", (*destinationTest).replacesWhole},
		{"ReplaceWhole is seen when it is whole", (*destinationTest).replacesAtOnce},
		{"a live Append waits for its last row", (*destinationTest).appendsLive},
		{"an empty Append changes nothing", (*destinationTest).appendsNothing},
		{"an empty load replaces, or is refused", (*destinationTest).replacesByNothing},
		{"rows arrive as they were", (*destinationTest).rowsUnchanged},
		{"rows as long as RowBytes arrive", (*destinationTest).longRows},
		{"a longer row is refused with its load", (*destinationTest).longerRow},
		{"many rows arrive", (*destinationTest).manyRows},
		{"tables load side by side", (*destinationTest).sideBySide},
		{"rows merge by key", (*destinationTest).merges},
	}
}

func (d *destinationTest) acknowledged() {
	r := d.begin(nil, stream("orders", sidecar.Append))
	r.load(0, sidecar.Append, rows(0, 3, "a")...)
	r.holds(0, rows(0, 3, "a")...)
	r.must(r.try(d.t.Context(), 0, sidecar.Append, NewRows(rows(3, 5, "b")...).Plain()))
	r.holds(0, slices.Concat(rows(0, 3, "a"), rows(3, 5, "b"))...)
	if d.Restart != nil {
		d.Restart()
		r.holds(0, slices.Concat(rows(0, 3, "a"), rows(3, 5, "b"))...)
		r.load(0, sidecar.Append, row(5, "c"))
	}
	r.finish()
}

func (d *destinationTest) appends() {
	r := d.begin(nil, stream("orders", sidecar.Append))
	for range 3 { // without a key, equal rows are not the same row
		r.load(0, sidecar.Append, row(1, "a"), row(1, "a"), row(2, "a"))
	}
	want := slices.Repeat([]string{row(1, "a"), row(1, "a"), row(2, "a")}, 3)
	r.holds(0, want...)
	r.finish()
	r.holds(0, want...)

	r = d.begin(nil, stream("orders", sidecar.Append)) // those of an earlier run stay
	r.load(0, sidecar.Append, row(3, "b"))
	r.holds(0, append(want, row(3, "b"))...)
	r.finish()
}

func (d *destinationTest) replacesFirst() {
	for _, v := range []string{"a", "b"} {
		r := d.begin(nil, stream("orders", sidecar.ReplaceFirst))
		r.load(0, sidecar.ReplaceFirst, rows(0, 3, v)...)
		r.holds(0, rows(0, 3, v)...)
		r.load(0, sidecar.Append, rows(3, 5, v)...)
		r.load(0, sidecar.Append, rows(5, 6, v)...)
		r.holds(0, rows(0, 6, v)...)
		r.finish()
		r.holds(0, rows(0, 6, v)...)
	}
}

func (d *destinationTest) replacesWhole() {
	for _, v := range []string{"a", "b", "c"} {
		r := d.begin(nil, stream("orders", sidecar.ReplaceWhole))
		r.load(0, sidecar.ReplaceWhole, rows(0, 3+len(v), v)...)
		r.holds(0, rows(0, 3+len(v), v)...)
		r.finish()
		r.holds(0, rows(0, 3+len(v), v)...)
	}
}

// live gives a load while its rows come; finish says that all are there, and waits for the answer.
func (r *destinationRun) live(index int, mode sidecar.Mode, lines ...string) (given *Rows, finish func() error) {
	r.t.Helper()
	given = LiveRows(lines...)
	ended := make(chan error, 1)
	go func() { ended <- r.try(r.t.Context(), index, mode, given) }()
	hungry, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	if !given.AwaitHunger(hungry) {
		r.t.Fatal("nobody reads the rows of a live load")
	}
	return given, func() error { return <-ended }
}

func (d *destinationTest) replacesAtOnce() {
	r := d.begin(nil, stream("orders", sidecar.ReplaceWhole))
	r.load(0, sidecar.ReplaceWhole, rows(0, 3, "old")...)
	r.finish()

	r = d.begin(nil, stream("orders", sidecar.ReplaceWhole))
	r.holds(0, rows(0, 3, "old")...)
	given, ended := r.live(0, sidecar.ReplaceWhole, rows(0, 2, "new")...)
	r.holds(0, rows(0, 3, "old")...)
	given.Add(rows(2, 2000, "new")...)
	hungry, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	given.AwaitHunger(hungry)
	r.holds(0, rows(0, 3, "old")...)
	given.Finish()
	r.must(ended())
	r.holds(0, rows(0, 2000, "new")...)
	r.finish()
}

func (d *destinationTest) appendsLive() {
	r := d.begin(nil, stream("orders", sidecar.Append))
	r.load(0, sidecar.Append, row(0, "a"))
	given, ended := r.live(0, sidecar.Append, rows(1, 3, "a")...)
	given.Add(row(3, "a"))
	given.Finish()
	r.must(ended())
	r.holds(0, rows(0, 4, "a")...)
	r.finish()
}

func (d *destinationTest) appendsNothing() {
	r := d.begin(nil, stream("orders", sidecar.Append), stream("new", sidecar.Append))
	r.load(0, sidecar.Append, rows(0, 2, "a")...)
	for i := range r.streams {
		r.load(i, sidecar.Append)
		given, ended := r.live(i, sidecar.Append)
		given.Finish()
		r.must(ended())
	}
	r.holds(0, rows(0, 2, "a")...)
	r.holds(1)
	r.finish()
}

func (d *destinationTest) replacesByNothing() {
	for _, mode := range []sidecar.Mode{sidecar.ReplaceFirst, sidecar.ReplaceWhole} {
		for _, live := range []bool{false, true} {
			r := d.begin(nil, stream("orders", mode))
			r.load(0, mode, rows(0, 2, "old")...)
			r.finish()
			r = d.begin(nil, stream("orders", mode))
			given := NewRows()
			if live {
				given = LiveRows()
				given.Finish()
			}
			err := r.try(d.t.Context(), 0, mode, given)
			switch {
			case r.destination.Capabilities().ReplaceEmpty:
				r.must(err)
				r.holds(0)
			case r.refused(err):
				d.t.Errorf("an empty load is refused, and %v does not say that it always will be", err)
			default:
				r.holds(0, rows(0, 2, "old")...)
			}
			r.finish()
		}
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

func (d *destinationTest) sideBySide() {
	streams := []sidecar.StreamConfig{stream("live", sidecar.ReplaceWhole)}
	for i := range 6 {
		streams = append(streams, stream(fmt.Sprintf("table%d", i), []sidecar.Mode{sidecar.Append, sidecar.ReplaceFirst}[i%2]))
	}
	r := d.begin(nil, streams...)
	given, ended := r.live(0, sidecar.ReplaceWhole, row(0, "live")) // open all the time
	var loads sync.WaitGroup
	failures := make([]error, len(streams))
	for i := 1; i < len(streams); i++ {
		loads.Go(func() {
			mode := r.streams[i].Mode
			for n := range 4 {
				lines := rows(10*n, 10*n+10, r.streams[i].Table.Name)
				if err := r.try(d.t.Context(), i, mode, NewRows(lines...)); err != nil {
					failures[i] = err
				}
				mode = sidecar.Append
			}
		})
	}
	loads.Wait()
	given.Finish()
	r.must(ended())
	r.holds(0, row(0, "live"))
	for i := 1; i < len(streams); i++ {
		r.must(failures[i])
		r.holds(i, rows(0, 40, r.streams[i].Table.Name)...)
	}
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
