package sidecartest

import (
	"errors"
	"fmt"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// endPromises are those of the optional interfaces, and of what people read.
func endPromises() []promise[*destinationTest] {
	return []promise[*destinationTest]{
		{"Finish loses nothing, however often", (*destinationTest).finishes},
		{"Resume cuts to the state of a stream", (*destinationTest).resumesStream},
		{"Resume cuts to the state of all streams", (*destinationTest).resumesAll},
		{"Resume without a state starts over", (*destinationTest).resumesNothing},
		{"Resume holds the lock", (*destinationTest).resumesAlone},
		{"its name shows no secret", (*destinationTest).named},
	}
}

func (d *destinationTest) finishes() {
	r := d.begin(nil, stream("orders", sidecar.Append), stream("keyed", sidecar.Append, []string{"id"}), stream("whole", sidecar.ReplaceWhole),
		stream("none", sidecar.ReplaceWhole))
	finisher, ok := r.destination.(sidecar.Finisher)
	if !ok {
		r.end()
		d.t.Skip("it is no Finisher")
	}
	for i, stream := range r.streams[:3] {
		r.load(i, stream.Mode, rows(0, 5, "a")...)
	}
	var all []airbyte.StreamDescriptor
	for _, stream := range r.streams {
		all = append(all, stream.Table.Stream)
	}
	r.must(finisher.Finish(d.t.Context(), nil))
	r.must(finisher.Finish(d.t.Context(), all))
	for _, one := range all {
		r.must(finisher.Finish(d.t.Context(), []airbyte.StreamDescriptor{one}))
	}
	for i := range r.streams[:3] {
		r.holds(i, rows(0, 5, "a")...)
	}
	r.holds(3)
	r.end()
}

// keeper is where the states of a run go that the destination must know of: to itself when it is a Journal, else to its mirror of another; nil when
// it is no Resumer.
func (r *destinationRun) keeper(elsewhere *Journal) sidecar.Journal {
	if mirrorer, ok := r.destination.(sidecar.Mirrorer); ok && elsewhere != nil {
		return mirrorer.Mirror(elsewhere)
	}
	if journal, ok := r.destination.(sidecar.Journal); ok {
		return journal
	}
	return nil
}

// journals are the ways in which a destination learns of states.
func (d *destinationTest) journals(each func(d *destinationTest, elsewhere *Journal)) {
	r := d.open()
	_, resumes := r.destination.(sidecar.Resumer)
	_, mirrors := r.destination.(sidecar.Mirrorer)
	_, keeps := r.destination.(sidecar.Journal)
	_, commits := r.destination.(sidecar.Committer)
	r.end()
	if !resumes || commits {
		d.t.Skip("it has nothing to take back")
	}
	if keeps {
		d.t.Run("its own journal", func(t *testing.T) { each(d.fresh(t), nil) })
	}
	if mirrors {
		d.t.Run("a mirrored journal", func(t *testing.T) { each(d.fresh(t), NewJournal()) })
	}
}

// sizes is the position behind rows 0..to-1.
func sizes(to int, v string) sidecar.Position {
	given := NewRows(rows(0, to, v)...)
	return sidecar.Position{Rows: given.Count(), Bytes: given.Size()}
}

// interrupted is a run that saves a state behind three rows of each stream and loads two more; key is that of the state.
func (d *destinationTest) interrupted(elsewhere *Journal, key string, streams ...sidecar.StreamConfig) []sidecar.SavedState {
	r := d.begin(nil, streams...)
	keeper := r.keeper(elsewhere)
	r.must(keeper.Lock(d.t.Context()))
	for i := range streams {
		r.load(i, sidecar.ReplaceFirst, rows(0, 2, "a")...)
		r.load(i, sidecar.Append, rows(2, 4, "a")...) // the state stands in the middle of a load
	}
	state := sidecar.SavedState{Key: key, State: []byte(`{"shared_state":{"n":3},"stream_states":[]}`),
		Covers: map[airbyte.StreamDescriptor]sidecar.Position{}}
	for _, stream := range streams {
		state.Covers[stream.Table.Stream] = sizes(3, "a")
		if key == stream.Table.Stream.String() {
			state.Stream = stream.Table.Stream
		}
	}
	r.must(keeper.SaveStates(d.t.Context(), []sidecar.SavedState{state}))
	for i := range streams {
		r.load(i, sidecar.Append, row(4, "a"))
		r.holds(i, rows(0, 5, "a")...)
	}
	r.end()

	next := d.open()
	defer next.end()
	states, err := next.keeper(elsewhere).LoadStates(d.t.Context())
	d.must(err)
	return states
}

// goesOn checks a run that begins at a state behind three rows.
func (d *destinationTest) goesOn(elsewhere *Journal, given []sidecar.SavedState, streams ...sidecar.StreamConfig) {
	if len(given) != 1 {
		d.t.Fatalf("states are %v, want one", given)
	}
	r := d.begin(given, streams...)
	keeper := r.keeper(elsewhere)
	r.must(keeper.Lock(d.t.Context()))
	for i := range streams {
		r.holds(i, rows(0, 3, "a")...)
		r.load(i, sidecar.Append, rows(3, 6, "a")...)
		r.holds(i, rows(0, 6, "a")...)
	}
	r.finish()
	for i := range streams {
		r.holds(i, rows(0, 6, "a")...)
	}
}

func (d *destinationTest) resumesStream() {
	d.journals(func(d *destinationTest, elsewhere *Journal) {
		given := d.interrupted(elsewhere, "orders", stream("orders", sidecar.ReplaceFirst))
		d.goesOn(elsewhere, given, stream("orders", sidecar.ReplaceFirst))
	})
}

func (d *destinationTest) resumesAll() {
	d.journals(func(d *destinationTest, elsewhere *Journal) {
		streams := func() []sidecar.StreamConfig {
			return []sidecar.StreamConfig{stream("orders", sidecar.ReplaceFirst), stream("users", sidecar.ReplaceFirst)}
		}
		given := d.interrupted(elsewhere, sidecar.GlobalStateKey, streams()...)
		d.goesOn(elsewhere, given, streams()...)
	})
}

func (d *destinationTest) resumesNothing() {
	d.journals(func(d *destinationTest, elsewhere *Journal) {
		d.interrupted(elsewhere, "orders", stream("orders", sidecar.ReplaceFirst))
		r := d.begin(nil, stream("orders", sidecar.ReplaceFirst))
		r.load(0, sidecar.ReplaceFirst, rows(0, 2, "b")...)
		r.load(0, sidecar.Append, rows(2, 3, "b")...)
		r.holds(0, rows(0, 3, "b")...)
		r.finish()
		r.holds(0, rows(0, 3, "b")...)
	})
}

func (d *destinationTest) resumesAlone() {
	d.journals(func(d *destinationTest, _ *Journal) {
		r := d.begin(nil, stream("orders", sidecar.Append))
		r.load(0, sidecar.Append, row(1, "a"))
		late := d.open(r.streams...)
		if err := late.resume(nil); !errors.Is(err, sidecar.ErrLocked) {
			d.t.Errorf("a second run resumes: %v", err)
		}
		late.end()
		r.load(0, sidecar.Append, row(2, "a"))
		r.holds(0, rows(1, 3, "a")...)
		r.finish()
	})
}

func (d *destinationTest) named() {
	destination := d.open().destination
	if destination.String() == "" {
		d.t.Error("it has no name")
	}
	d.discreet(destination.String())
	d.discreet(fmt.Sprint(destination))
}
