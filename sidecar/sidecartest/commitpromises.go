package sidecartest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// commitPromises are those of a sidecar.Committer.
func commitPromises() []promise[*destinationTest] {
	return []promise[*destinationTest]{
		{"rows and their state commit together", (*destinationTest).commitsBoth},
		{"rows of several tables commit together", (*destinationTest).commitsTogether},
		{"a commit whose answer was lost is not made again", (*destinationTest).commitsOnce},
		{"states without rows are committed too", (*destinationTest).commitsStates},
		{"an earlier state never takes the place of a later one", (*destinationTest).commitsInOrder},
		{"states of another kind go as everywhere", (*destinationTest).commitsKinds},
		{"a later run ends the one before", (*destinationTest).commitsAlone},
		{"whoever replaces states ends the run before", (*destinationTest).replacedStates},
		{"a stream that starts over is seen when it is whole", (*destinationTest).commitsAtEnd},
		{"a stream that starts over goes on after a kill", (*destinationTest).commitsOn},
	}
}

// committing opens the destination for a run; the subtest is skipped when it is no Committer.
func (d *destinationTest) committing(given []sidecar.SavedState, streams ...sidecar.StreamConfig) *destinationRun {
	d.t.Helper()
	for i := range streams {
		streams[i].Incremental = streams[i].Mode != sidecar.ReplaceWhole
	}
	r := d.begin(given, streams...)
	if _, ok := r.destination.(sidecar.Committer); !ok {
		r.end()
		d.t.Skip("it is no Committer")
	}
	return r
}

// reached is a state of a stream, the sequence-th of the run.
func reached(name, state string, sequence int64) sidecar.SavedState {
	saved := sidecar.SavedState{Key: name, State: json.RawMessage(state), Sequence: sequence}
	if !sidecar.OfAllStreams(name) {
		saved.Stream, saved.Incremental = airbyte.StreamDescriptor{Name: name}, 2
	}
	return saved
}

// commit gives a load with the states that it reaches.
func (r *destinationRun) commit(index int, mode sidecar.Mode, states []sidecar.SavedState, lines ...string) {
	r.t.Helper()
	r.must(r.tryWith(r.t.Context(), index, sidecar.Load{Mode: mode, Rows: NewRows(lines...), States: func() []sidecar.SavedState { return states }}))
}

// committed are the states that another run finds, each as "key state".
func (d *destinationTest) committed(want ...string) {
	d.t.Helper()
	r := d.open()
	defer r.end()
	states, err := r.destination.(sidecar.Committer).Committed(d.t.Context()) //nolint:forcetypeassert // committing has asked
	d.must(err)
	var got []string
	for _, state := range states {
		var text strings.Builder
		text.WriteString(state.Key + " ")
		text.Write(state.State)
		got = append(got, strings.ReplaceAll(text.String(), ": ", ":"))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		d.t.Fatalf("committed are %q, want %q", got, want)
	}
}

func (d *destinationTest) commitsBoth() {
	r := d.committing(nil, stream("orders", sidecar.Append))
	d.committed()
	r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `{"n":1}`, 1)}, rows(0, 3, "a")...)
	d.committed(`orders {"n":1}`)
	r.shows(0, rows(0, 3, "a")...)
	load := sidecar.Load{Mode: sidecar.Append, Rows: NewRows(rows(3, 6, "a")...).TearOnce(errTorn),
		States: func() []sidecar.SavedState { return []sidecar.SavedState{reached("orders", `{"n":2}`, 2)} }}
	r.refused(r.tryWith(d.t.Context(), 0, load))
	d.committed(`orders {"n":1}`)
	r.shows(0, rows(0, 3, "a")...)
	r.must(r.tryWith(d.t.Context(), 0, load))
	d.committed(`orders {"n":2}`)
	r.shows(0, rows(0, 6, "a")...)
	r.finish()
	d.committed(`orders {"n":2}`)
}

// together gives loads of all streams of the run as one.
func (r *destinationRun) together(ctx context.Context, states []sidecar.SavedState, given ...sidecar.Rows) error {
	r.t.Helper()
	loads := make([]sidecar.Load, len(given))
	for i := range given {
		loads[i] = sidecar.Load{Table: r.streams[i].Table, Mode: sidecar.Append, Rows: given[i]}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.destination.(sidecar.Committer).LoadTogether(ctx, loads, states) //nolint:forcetypeassert // committing has asked
}

func (d *destinationTest) commitsTogether() {
	r := d.committing(nil, stream("orders", sidecar.Append), stream("users", sidecar.Append, []string{"id"}))
	global := []sidecar.SavedState{reached(sidecar.GlobalStateKey, `{"shared_state":1}`, 1)}
	first, second := NewRows(rows(0, 2000, "a")...), NewRows(rows(0, 3, "b")...).TearOnce(errTorn)
	r.refused(r.together(d.t.Context(), global, first, second))
	r.shows(0)
	r.shows(1)
	d.committed()
	r.must(r.together(d.t.Context(), global, first, second))
	r.shows(0, rows(0, 2000, "a")...)
	r.shows(1, rows(0, 3, "b")...)
	d.committed(`_GLOBAL_STATE {"shared_state":1}`)
	r.must(r.together(d.t.Context(), nil, NewRows(row(5, "c"))))
	r.finish()
	d.committed(`_GLOBAL_STATE {"shared_state":1}`)
}

func (d *destinationTest) commitsOnce() {
	r := d.committing(nil, stream("orders", sidecar.Append), stream("users", sidecar.Append))
	if d.LoseAnswer == nil {
		d.t.Skip("its answers cannot be lost")
	}
	load := sidecar.Load{Mode: sidecar.Append, Rows: NewRows(rows(0, 3, "a")...),
		States: func() []sidecar.SavedState { return []sidecar.SavedState{reached("orders", `{"n":1}`, 1)} }}
	d.LoseAnswer()
	r.refused(r.tryWith(d.t.Context(), 0, load))
	r.must(r.tryWith(d.t.Context(), 0, load))
	r.shows(0, rows(0, 3, "a")...)

	given := []sidecar.Rows{NewRows(rows(3, 6, "a")...), NewRows(rows(0, 3, "b")...)}
	d.LoseAnswer()
	if err := r.together(d.t.Context(), nil, given...); err == nil {
		d.t.Fatal("the answer was not lost")
	}
	r.must(r.together(d.t.Context(), nil, given...))
	r.shows(0, rows(0, 6, "a")...)
	r.shows(1, rows(0, 3, "b")...)
	r.load(0, sidecar.Append, row(6, "a")) // and the next load is another one
	r.shows(0, rows(0, 7, "a")...)
	r.finish()
}

func (d *destinationTest) commitsStates() {
	r := d.committing(nil, stream("orders", sidecar.Append))
	journal := NewJournal()
	mirror := r.keeper(journal)
	r.must(mirror.SaveStates(d.t.Context(), []sidecar.SavedState{reached("orders", `{"n":1}`, 1)}))
	d.committed(`orders {"n":1}`)
	saved, err := journal.LoadStates(d.t.Context())
	r.must(err)
	if len(saved) != 1 || string(saved[0].State) != `{"n":1}` {
		d.t.Fatalf("the journal holds %v", saved)
	}
	r.must(mirror.SaveStates(d.t.Context(), []sidecar.SavedState{reached("orders", `null`, 2)})) // resets
	d.committed()
	r.finish()
}

func (d *destinationTest) commitsInOrder() {
	r := d.committing(nil, stream("orders", sidecar.Append))
	mirror := r.keeper(NewJournal())
	r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `{"n":5}`, 5)}, row(0, "a"))
	r.must(mirror.SaveStates(d.t.Context(), []sidecar.SavedState{reached("orders", `{"n":4}`, 4)}))
	d.committed(`orders {"n":5}`)
	r.must(mirror.SaveStates(d.t.Context(), []sidecar.SavedState{reached("orders", `{"n":6}`, 6)}))
	r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `{"n":5}`, 5)}, row(1, "a"))
	d.committed(`orders {"n":6}`)
	r.finish()
	r = d.committing(nil, stream("orders", sidecar.Append)) // a run counts anew
	r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `{"n":7}`, 1)}, row(2, "a"))
	d.committed(`orders {"n":7}`)
	r.finish()
}

func (d *destinationTest) commitsKinds() {
	r := d.committing(nil, stream("orders", sidecar.Append), stream("users", sidecar.Append))
	r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `1`, 1)}, row(0, "a"))
	r.finish()
	r = d.committing(nil, stream("orders", sidecar.Append), stream("users", sidecar.Append))
	r.must(r.together(d.t.Context(), []sidecar.SavedState{reached(sidecar.GlobalStateKey, `{"shared_state":2}`, 1)}, NewRows(row(1, "a"))))
	d.committed(`_GLOBAL_STATE {"shared_state":2}`)
	r.finish()
	r = d.committing(nil, stream("orders", sidecar.Append), stream("users", sidecar.Append))
	r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `3`, 1)}, row(2, "a"))
	d.committed(`_GLOBAL_STATE {"shared_state":2}`, `orders 3`)
	r.commit(1, sidecar.Append, []sidecar.SavedState{reached("users", `4`, 2)}, row(2, "a"))
	d.committed(`orders 3`, `users 4`)
	r.finish()
}

func (d *destinationTest) commitsAlone() {
	before := d.committing(nil, stream("orders", sidecar.Append))
	before.load(0, sidecar.Append, row(0, "a"))
	after := d.committing(nil, stream("orders", sidecar.Append))
	err := before.try(d.t.Context(), 0, sidecar.Append, NewRows(row(1, "a")))
	if refusal := sidecar.AsLoadError(err); refusal == nil || !refusal.Permanent {
		d.t.Errorf("a later run has taken over, and Load says %v", err)
	}
	after.load(0, sidecar.Append, row(2, "a"))
	after.shows(0, row(0, "a"), row(2, "a"))
	before.end()
	after.finish()
}

// old leaves a table with three old rows.
func (d *destinationTest) old(key ...[]string) {
	r := d.committing(nil, stream("orders", sidecar.ReplaceFirst, key...))
	r.commit(0, sidecar.ReplaceFirst, []sidecar.SavedState{reached("orders", `0`, 1)}, rows(0, 3, "old")...)
	r.shows(0, rows(0, 3, "old")...) // it was empty: nobody misses anything
	r.finish()
	r.shows(0, rows(0, 3, "old")...)
}

func (d *destinationTest) commitsAtEnd() {
	for _, key := range [][][]string{nil, {{"id"}}} {
		d := d.fresh(d.t)
		d.old(key...)
		r := d.committing(nil, stream("orders", sidecar.ReplaceFirst, key...))
		r.commit(0, sidecar.ReplaceFirst, []sidecar.SavedState{reached("orders", `1`, 1)}, rows(0, 2, "new")...)
		r.shows(0, rows(0, 3, "old")...)
		r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `2`, 2)}, rows(2, 5, "new")...)
		r.shows(0, rows(0, 3, "old")...)
		d.committed(`orders 2`)
		r.finish()
		r.shows(0, rows(0, 5, "new")...)
		d.committed(`orders 2`)
	}
}

func (d *destinationTest) commitsOn() {
	for _, key := range [][][]string{nil, {{"id"}}} {
		d := d.fresh(d.t)
		d.old(key...)
		r := d.committing(nil, stream("orders", sidecar.ReplaceFirst, key...))
		state := reached("orders", `1`, 1)
		r.commit(0, sidecar.ReplaceFirst, []sidecar.SavedState{state}, rows(0, 2, "new")...)
		r.end() // killed
		r = d.committing([]sidecar.SavedState{state}, stream("orders", sidecar.Append, key...))
		r.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `2`, 1)}, rows(2, 5, "new")...)
		r.shows(0, rows(0, 3, "old")...)
		r.finish()
		r.shows(0, rows(0, 5, "new")...)

		r = d.committing(nil, stream("orders", sidecar.ReplaceFirst, key...)) // and again, twice: what the first of them left is gone
		r.commit(0, sidecar.ReplaceFirst, nil, rows(0, 2, "lost")...)
		r.end()
		r = d.committing(nil, stream("orders", sidecar.ReplaceFirst, key...))
		r.commit(0, sidecar.ReplaceFirst, nil, rows(0, 1, "newest")...)
		r.finish()
		r.shows(0, rows(0, 1, "newest")...)
	}
}
