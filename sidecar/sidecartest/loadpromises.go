package sidecartest

import (
	"context"
	"fmt"
	"slices"
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
		{"tables load side by side", (*destinationTest).sideBySide},
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
				r.finish()
				r.holds(0)
				continue
			case r.refused(err):
				d.t.Errorf("an empty load is refused, and %v does not say that it always will be", err)
			default:
				r.holds(0, rows(0, 2, "old")...)
			}
			r.finish()
		}
	}
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
