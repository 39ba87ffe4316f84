package sidecartest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"sync-sidecar/sidecar"
)

// failurePromises are those of loads that fail.
func failurePromises() []promise[*destinationTest] {
	return []promise[*destinationTest]{
		{"nothing of an aborted load stays", (*destinationTest).aborted},
		{"rows that fail may be given again", (*destinationTest).torn},
		{"rows that are not as many as they say are refused", (*destinationTest).miscounted},
		{"a cancelled load leaves nothing", (*destinationTest).cancelled},
		{"a load that the destination fails may be given again", (*destinationTest).broken},
		{"a load whose answer was lost may be given again", (*destinationTest).unanswered},
	}
}

var (
	errTorn      = errors.New("the disk of the spool had a moment of weakness")
	errCancelled = errors.New("somebody cancelled the load")
)

// modes are all modes of a load.
func modes() []sidecar.Mode {
	return []sidecar.Mode{sidecar.Append, sidecar.ReplaceFirst, sidecar.ReplaceWhole}
}

// second is a run over a table with the rows of an earlier one.
func (d *destinationTest) second(mode sidecar.Mode) *destinationRun {
	d.t.Helper()
	name := fmt.Sprintf("table%d", mode)
	r := d.begin(nil, stream(name, mode))
	r.load(0, mode, rows(0, 3, "old")...)
	r.finish()
	return d.begin(nil, stream(name, mode))
}

// spared checks that nothing came of a load: a table that starts over may be empty by now, every other one is as it was.
func (r *destinationRun) spared(mode sidecar.Mode) {
	r.t.Helper()
	if mode == sidecar.ReplaceFirst {
		if kept, err := r.Rows(r.streams[0]); err == nil && len(kept) == 0 {
			return
		}
	}
	r.holds(0, rows(0, 3, "old")...)
}

// again gives the load that failed once more, and leaves the run.
func (r *destinationRun) again(mode sidecar.Mode, lines ...string) {
	r.t.Helper()
	r.load(0, mode, lines...)
	if mode == sidecar.Append {
		lines = append(rows(0, 3, "old"), lines...)
	}
	r.holds(0, lines...)
	r.finish()
	r.holds(0, lines...)
}

func (d *destinationTest) aborted() {
	for _, mode := range modes() {
		r := d.second(mode)
		given, ended := r.live(0, mode, rows(10, 20, "new")...)
		given.Abort(sidecar.ErrLoadAborted)
		if err := ended(); !errors.Is(err, sidecar.ErrLoadAborted) {
			d.t.Errorf("the rows were aborted, and Load says %v", err)
		}
		r.spared(mode)
		r.end()

		r = d.begin(nil, r.streams[0]) // by the next run, at the latest
		r.spared(mode)
		r.again(mode, rows(10, 20, "new")...)
	}
}

// unopened are rows that cannot be opened the first time.
type unopened struct {
	*Rows
	err error
}

// Open implements sidecar.Rows.
func (u *unopened) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := u.err; err != nil {
		u.err = nil
		return nil, err
	}
	return u.Rows.Open(ctx)
}

func (d *destinationTest) torn() {
	lines := rows(10, 20, "new")
	for _, mode := range modes() {
		for name, given := range map[string]sidecar.Rows{
			"in the middle":            NewRows(lines...).TearOnce(errTorn),
			"in the middle of a plain": NewRows(lines...).Plain().TearOnce(errTorn),
			"at once":                  &unopened{NewRows(lines...), errTorn},
		} {
			r := d.fresh(d.t).second(mode)
			err := r.try(d.t.Context(), 0, mode, given)
			if !r.refused(err) || !errors.Is(err, errTorn) {
				d.t.Errorf("the rows failed %s, may be read again, and Load says %v", name, err)
			}
			r.spared(mode)
			r.must(r.try(d.t.Context(), 0, mode, given))
			want := lines
			if mode == sidecar.Append {
				want = slices.Concat(rows(0, 3, "old"), lines)
			}
			r.holds(0, want...)
			r.finish()
		}
	}
}

// miscount are rows that say they are others.
type miscount struct {
	*Rows
	claim *Rows
}

// Count implements sidecar.Rows.
func (m miscount) Count() int64 { return m.claim.Count() }

// Size implements sidecar.Rows.
func (m miscount) Size() int64 { return m.claim.Size() }

func (d *destinationTest) miscounted() {
	for _, mode := range modes() {
		for name, last := range map[string]int{"none": 10, "fewer": 12, "more": 14} {
			r := d.fresh(d.t).second(mode)
			m := miscount{Rows: NewRows(rows(10, last, "new")...), claim: NewRows(rows(10, 13, "new")...)}
			if err := r.try(d.t.Context(), 0, mode, m); err == nil {
				d.t.Errorf("rows that are not as many as they say (%s) are acknowledged", name)
			}
			if name != "more" { // a server that was told of so many bytes may have committed those
				r.spared(mode)
			}
			r.end()
		}
	}
}

func (d *destinationTest) cancelled() {
	for _, mode := range modes() {
		r := d.second(mode)
		ctx, cancel := context.WithCancelCause(d.t.Context())
		given := LiveRows(rows(10, 20, "new")...)
		ended := make(chan error, 1)
		go func() { ended <- r.try(ctx, 0, mode, given) }()
		given.AwaitHunger(ctx)
		cancel(errCancelled)
		if err := <-ended; !errors.Is(err, errCancelled) {
			d.t.Errorf("the load was cancelled, and Load says %v", err)
		}
		r.spared(mode)
		if err := r.try(ctx, 0, mode, NewRows(rows(10, 20, "new")...)); err == nil {
			d.t.Error("a load was acknowledged whose ctx had ended")
		}
		r.spared(mode)
		r.again(mode, rows(10, 20, "new")...)
	}
}

func (d *destinationTest) broken() {
	if d.Break == nil {
		d.t.Skip("nobody can make it fail")
	}
	for _, mode := range modes() {
		r := d.second(mode)
		d.Break()
		given := NewRows(rows(10, 2000, "new")...)
		if err := r.try(d.t.Context(), 0, mode, given); !r.refused(err) {
			d.t.Errorf("the destination failed for a moment, and %v says that it always will", err)
		}
		r.spared(mode)
		r.again(mode, rows(10, 2000, "new")...)
		if opened, _ := given.Readers(); opened == 0 {
			d.t.Error("the load failed before a row was read: nothing was shown")
		}
	}
}

func (d *destinationTest) unanswered() {
	if d.LoseAnswer == nil {
		d.t.Skip("its answers cannot be lost")
	}
	for _, mode := range modes() {
		r := d.begin(nil, stream(fmt.Sprintf("table%d", mode), mode, []string{"id"}))
		d.LoseAnswer()
		given := NewRows(rows(0, 20, "new")...)
		err := r.try(d.t.Context(), 0, mode, given)
		if refusal := sidecar.AsLoadError(err); refusal == nil || !refusal.Unknown || refusal.Permanent {
			d.t.Errorf("nobody knows whether the rows were committed, and Load says %v", err)
		}
		r.must(r.try(d.t.Context(), 0, mode, given))
		want := rows(0, 20, "new")
		if _, commits := r.destination.(sidecar.Committer); mode == sidecar.Append && d.Merges != MergesAtLoad && !commits {
			want = slices.Concat(want, want)
		}
		r.holds(0, want...)
		r.finish()
		if mode == sidecar.Append && d.Merges == MergesNever {
			continue
		}
		r.holds(0, rows(0, 20, "new")...)
	}
}
