package sidecartest

import (
	"errors"

	"sync-sidecar/sidecar"
)

// replacedStates: a person takes states away and gives others, whatever their kind.
func (j *journalTest) replacedStates() {
	journal := j.open("task")
	replacer, ok := journal.(sidecar.StateReplacer)
	if !ok {
		j.t.Skip("nobody can change its states")
	}
	replace := func(gone []string, keysAndStates ...string) {
		j.t.Helper()
		var states []sidecar.SavedState
		for i := 0; i < len(keysAndStates); i += 2 {
			states = append(states, stateOf(keysAndStates[i], keysAndStates[i+1]))
		}
		j.must(replacer.ReplaceStates(j.within(), gone, states))
	}
	j.must(journal.Lock(j.within()))
	replace(nil, "users", `{"n":1}`, "shop.orders", `{"n":1}`)
	j.holds(journal, "users", `{"n":1}`, "shop.orders", `{"n":1}`)
	replace([]string{"users", "nobody"})
	j.holds(journal, "shop.orders", `{"n":1}`)
	replace([]string{"shop.orders"}, sidecar.GlobalStateKey, `{"shared_state":1}`)
	j.holds(journal, sidecar.GlobalStateKey, `{"shared_state":1}`)
	replace(nil, "beside", `1`) // whatever the kinds
	j.holds(journal, sidecar.GlobalStateKey, `{"shared_state":1}`, "beside", `1`)
	replace([]string{sidecar.GlobalStateKey, "beside"}, "beside", `2`, "more", `{"cursor":"a\u0000b"}`)
	j.holds(journal, "beside", `2`, "more", `{"cursor":"a\u0000b"}`)
	for _, refused := range []string{string(j.Refuses), `{broken`} {
		if refused == "" {
			continue
		}
		err := replacer.ReplaceStates(j.within(), []string{"more"}, []sidecar.SavedState{stateOf("beside", `3`), stateOf("new", refused)})
		if err == nil || refused == string(j.Refuses) && !errors.Is(err, sidecar.ErrStateRefused) {
			j.t.Fatalf("the state %s is to be refused, and ReplaceStates says %v", refused, err)
		}
		j.holds(journal, "beside", `2`, "more", `{"cursor":"a\u0000b"}`)
	}
	replace([]string{"beside", "more"})
	j.holds(journal)
}

// replacedStates: a person takes committed states away and gives others; a run that lives on commits nothing more.
func (d *destinationTest) replacedStates() {
	before := d.committing(nil, stream("orders", sidecar.Append), stream("users", sidecar.Append))
	before.commit(0, sidecar.Append, []sidecar.SavedState{reached("orders", `1`, 1)}, row(0, "a"))
	before.commit(1, sidecar.Append, []sidecar.SavedState{reached("users", `1`, 2)}, row(0, "a"))
	r := d.open()
	replacer, ok := r.destination.(sidecar.StateReplacer)
	if !ok {
		before.end()
		r.end()
		d.t.Skip("nobody can change its states")
	}
	d.must(replacer.ReplaceStates(d.t.Context(), []string{"users", "nobody"}, []sidecar.SavedState{reached("orders", `0`, 0)}))
	d.committed(`orders 0`)
	err := before.try(d.t.Context(), 0, sidecar.Append, NewRows(row(1, "a")))
	if refusal := sidecar.AsLoadError(err); refusal == nil || !refusal.Permanent {
		d.t.Errorf("its states were replaced, and Load of a run from before says %v", err)
	}
	before.shows(0, row(0, "a"))
	d.must(replacer.ReplaceStates(d.t.Context(), []string{"orders"}, nil))
	d.committed()
	r.end()
	before.end()
}
