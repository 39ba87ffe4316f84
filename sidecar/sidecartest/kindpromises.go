package sidecartest

import (
	"encoding/json"
	"errors"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// kindPromises are those of states of several kinds (sidecar.StateKinds).
func kindPromises() []promise[*journalTest] {
	return []promise[*journalTest]{
		{"a full refresh's state takes no other's place", (*journalTest).fullRefreshStates},
		{"a GLOBAL state goes when every stream has its own", (*journalTest).streamsAfterGlobal},
		{"a GLOBAL state takes the place of earlier runs' states", (*journalTest).globalAfterStreams},
		{"a LEGACY state takes no other's place", (*journalTest).legacyStates},
	}
}

// incremental is the STREAM state of one of so many streams that the run reads incrementally.
func incremental(key, state string, streams int) sidecar.SavedState {
	return sidecar.SavedState{Key: key, Stream: airbyte.StreamDescriptor{Name: key}, State: json.RawMessage(state), Incremental: streams}
}

// saves are what one run saves, one after the other.
type saves [][]sidecar.SavedState

// leave checks what saves leave behind: each of the runs begins with the states of the one before; afterwards there are these keys.
func (j *journalTest) leave(keys []string, runs ...saves) {
	j.t.Helper()
	for _, run := range runs {
		journal := j.open("task")
		for _, states := range run {
			j.must(journal.SaveStates(j.within(), states))
		}
		j.must(journal.Close(j.within()))
	}
	journal := j.open("reader")
	loaded := j.load(journal)
	var left []string
	for key := range loaded {
		left = append(left, key)
	}
	slices.Sort(left)
	slices.Sort(keys)
	if !slices.Equal(left, keys) {
		j.t.Fatalf("after %v there are the states\n%s\nwant %q", runs, listed(loaded), keys)
	}
	for _, key := range keys { // for the next ones
		j.save(journal, key, `null`)
	}
	j.must(journal.Close(j.within()))
}

const (
	global = sidecar.GlobalStateKey
	legacy = sidecar.LegacyStateKey
)

// at are states that are saved at once.
func at(states ...sidecar.SavedState) []sidecar.SavedState { return states }

func (j *journalTest) fullRefreshStates() {
	users, orders, wide := stateOf("users", `1`), stateOf("orders", `1`), stateOf(global, `{"g":1}`)
	j.leave([]string{"orders", "users"}, saves{at(users), at(orders)})
	j.leave([]string{global}, saves{at(wide)}, saves{at(users)})
	j.leave([]string{global}, saves{at(wide), at(users, orders), at(users)})
	j.leave([]string{global}, saves{at(users), at(wide)})
	j.leave([]string{global}, saves{at(users, wide, orders)})
	j.leave([]string{legacy}, saves{at(stateOf(legacy, `{"l":1}`)), at(users)}, saves{at(orders)})
	j.leave([]string{"items", "users"}, saves{at(incremental("items", `1`, 1)), at(users)})
}

func (j *journalTest) streamsAfterGlobal() {
	for _, key := range []string{global, legacy} {
		wide := stateOf(key, `{"n":1}`)
		users, orders := incremental("users", `1`, 2), incremental("orders", `1`, 2)
		j.leave([]string{key, "users"}, saves{at(wide)}, saves{at(users)})
		j.leave([]string{key, "users"}, saves{at(wide)}, saves{at(users), at(users)})
		j.leave([]string{"orders", "users"}, saves{at(wide)}, saves{at(users), at(orders)})
		j.leave([]string{"orders", "users"}, saves{at(wide)}, saves{at(users, orders)})
		j.leave([]string{"users"}, saves{at(wide)}, saves{at(incremental("users", `1`, 1))})
		j.leave([]string{key, "orders", "users"}, saves{at(wide)}, saves{at(users)}, saves{at(orders)}) // a run of each covers not all
		j.leave([]string{key, "orders"}, saves{at(wide)}, saves{at(users), at(incremental("users", `null`, 2)), at(orders)})
	}
	if len(j.Refuses) == 0 {
		return
	}
	journal := j.open("task") // a save that failed has covered nothing
	j.save(journal, global, `{"n":1}`)
	users, orders := incremental("users", `1`, 2), incremental("orders", string(j.Refuses), 2)
	if err := journal.SaveStates(j.within(), at(users, orders)); !errors.Is(err, sidecar.ErrStateRefused) {
		j.t.Fatalf("a state is to be refused, and SaveStates says %v", err)
	}
	orders.State = json.RawMessage(`1`)
	j.must(journal.SaveStates(j.within(), at(orders)))
	j.holds(journal, global, `{"n":1}`, "orders", `1`)
}

func (j *journalTest) globalAfterStreams() {
	users, orders, wide := incremental("users", `1`, 2), incremental("orders", `1`, 2), stateOf(global, `{"g":1}`)
	j.leave([]string{global}, saves{at(users, orders)}, saves{at(wide)})
	j.leave([]string{global}, saves{at(users, orders)}, saves{at(wide), at(wide)})
	j.leave([]string{global}, saves{at(stateOf(legacy, `{"l":1}`))}, saves{at(wide)})
	j.leave([]string{global, "users"}, saves{at(users, orders)}, saves{at(users), at(wide)})
	j.leave([]string{global, "users"}, saves{at(users, orders)}, saves{at(users, wide)})
	j.leave([]string{"orders", "users"}, saves{at(users, orders)}, saves{at(stateOf(global, `null`))})
}

func (j *journalTest) legacyStates() {
	users, wide := incremental("users", `1`, 1), stateOf(legacy, `{"l":1}`)
	j.leave([]string{legacy}, saves{at(wide)}, saves{at(wide)})
	j.leave([]string{legacy, "users"}, saves{at(users)}, saves{at(wide)})
	j.leave([]string{global}, saves{at(stateOf(global, `{"g":1}`))}, saves{at(wide)})
	j.leave([]string{global}, saves{at(wide), at(stateOf(global, `{"g":1}`))})
	j.leave([]string{"users"}, saves{at(users)}, saves{at(stateOf(legacy, `null`))})
}
