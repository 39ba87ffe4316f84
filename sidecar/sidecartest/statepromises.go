package sidecartest

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"sync-sidecar/sidecar"
)

// statePromises are those of SaveStates and LoadStates.
func statePromises() []promise[*journalTest] {
	return []promise[*journalTest]{
		{"a later state takes the place of the earlier one of its key", (*journalTest).laterStates},
		{"null takes a state away", (*journalTest).resetStates},
		{"states come back as the JSON that they were", (*journalTest).statesUnchanged},
		{"all states are saved or none", (*journalTest).allOrNone},
		{"states that belong together are seen together", (*journalTest).together},
		{"states are of one sync", (*journalTest).statesOfOneSync},
		{"large and many states are kept", (*journalTest).largeStates},
		{"a cancelled save saves all states or none", (*journalTest).cancelledSave},
		{"states that a person replaces are replaced all at once", (*journalTest).replacedStates},
	}
}

func (j *journalTest) laterStates() {
	journal := j.open("task")
	j.holds(journal)
	j.save(journal) // nothing
	j.holds(journal)
	j.save(journal, "users", `{"n":1}`, "shop.orders", `{"n":1}`, "users", `{"n":2}`)
	j.holds(journal, "users", `{"n":2}`, "shop.orders", `{"n":1}`)
	j.save(journal, "users", `{"n":1}`) // later is what is saved later, not what is larger
	j.save(journal, "items", `{}`)
	j.holds(journal, "users", `{"n":1}`, "shop.orders", `{"n":1}`, "items", `{}`)
	j.must(journal.Close(j.within()))

	journal = j.open("another task")
	j.save(journal, "items", `[1]`)
	j.holds(journal, "users", `{"n":1}`, "shop.orders", `{"n":1}`, "items", `[1]`)
	states, err := journal.LoadStates(j.within())
	j.must(err)
	for _, state := range states {
		if state.Key == "users" && state.Stream.String() != "users" {
			j.t.Errorf("the state of users is of stream %q", state.Stream)
		}
	}
}

func (j *journalTest) resetStates() {
	journal := j.open("task")
	j.save(journal, "a", `1`, "b", `1`, "c", `1`)
	j.save(journal, "a", `null`, "b", " null\n", "c", `2`, "never", `null`)
	j.holds(journal, "c", `2`)
	j.save(journal, "c", ``, "a", `3`)
	j.holds(journal, "a", `3`)
	j.save(journal, "a", `4`, "a", `null`)
	j.holds(journal)
	for _, key := range []string{sidecar.GlobalStateKey, sidecar.LegacyStateKey} {
		j.save(journal, key, `{"n":1}`)
		j.holds(journal, key, `{"n":1}`)
		j.save(journal, key, `null`)
		j.holds(journal)
	}
}

func (j *journalTest) statesUnchanged() {
	journal := j.open("task")
	var given []string
	for i, state := range []string{
		`{}`, `[]`, `""`, `0`, `false`, `"2026-01-02T03:04:05Z"`, ` { "white" : [ 1 , "space" ] } `, `{"a":null,"b":[null,{"c":{}}]}`,
		`[0, -0.5, 1e2, 1E-3, 12345678901234567890.123456789, 9007199254740993, 0.1000]`, `{"":1," ":2,"a.b":3,"$":4,"key \"quoted\"":5}`,
		`"ümläut 漢字 😀"`, `"\u00fcml\u00e4ut \ud83d\ude00"`, `"tab\t line\n quote\" back\\ slash\/"`, `{"cursor":"a\u0000b"}`, `{"\u0000":1}`,
		`["\ud83d", "\ude00", "\ude00\ud83d"]`, `["\u001a", "\u001a0000", "\u001ad83d", "\\u0000"]`, "\"\u2028\u2029\ufeff\uffff\"",
		strings.Repeat("[", 500) + strings.Repeat("]", 500),
		`{"shared_state":{"lsn":1},"stream_states":[{"stream_descriptor":{"name":"a"},"stream_state":{"n":1}}]}`,
	} {
		given = append(given, fmt.Sprint("stream", i), state)
	}
	given = append(given, "schema.größe 漢字", `1`, `it's "quoted" \ %s $1`, `2`, " spaced ", `3`, strings.Repeat("long", 100), `4`)
	j.save(journal, given...)
	j.holds(journal, given...)
}

func (j *journalTest) allOrNone() {
	journal := j.open("task")
	j.save(journal, "a", `1`, "b", `1`)
	for _, refused := range []string{string(j.Refuses), `{broken`} {
		for _, states := range [][]sidecar.SavedState{{stateOf("a", refused), stateOf("b", `2`)}, {stateOf("a", `2`), stateOf("b", refused)}} {
			if refused == "" {
				continue
			}
			err := journal.SaveStates(j.within(), states)
			if err == nil || refused == string(j.Refuses) && !errors.Is(err, sidecar.ErrStateRefused) {
				j.t.Fatalf("the state %s is to be refused, and SaveStates says %v", refused, err)
			}
			j.discreet(err.Error())
			j.holds(journal, "a", `1`, "b", `1`)
		}
	}
	j.save(journal, "b", `3`) // the others can be saved without it
	j.holds(journal, "a", `1`, "b", `3`)
}

func (j *journalTest) together() {
	writer := j.open("task")
	j.save(writer, "a", `0`, "b", `0`)
	quit := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-quit:
				return
			default:
			}
			if err := writer.SaveStates(j.t.Context(), []sidecar.SavedState{stateOf("a", fmt.Sprint(n)), stateOf("b", fmt.Sprint(n))}); err != nil {
				j.t.Error(err)
				return
			}
		}
	})
	defer func() { close(quit); writing.Wait() }()
	const most = 15 // saves of which something is seen
	seen := map[string]bool{}
	j.eventually("states are saved", func() bool {
		reader := j.open("reader")
		states := j.load(reader)
		if states["a"] != states["b"] || len(states) != 2 {
			j.t.Fatalf("half of a save is seen: %v", states)
		}
		seen[states["a"]] = true
		j.must(reader.Close(j.within()))
		return len(seen) == most
	})
}

func (j *journalTest) statesOfOneSync() {
	alike := []string{
		"sync", "Sync", "sync2", "a/b", "a_b", "a b", "a\\b", "..", ".", "ü", "u\u0308", `it's "quoted"`, "%", "'; drop table source_state; --",
		strings.Repeat("x", 300) + "1", strings.Repeat("x", 300) + "2",
	}
	for i, sync := range alike {
		journal := j.openAs(identity(sync, fmt.Sprint("task", i)))
		j.must(journal.Lock(j.within()))
		if loaded := j.load(journal); len(loaded) != 0 {
			j.t.Fatalf("sync %q begins with the states %v of another", sync, loaded)
		}
		j.save(journal, "users", fmt.Sprint(i), "orders", fmt.Sprint(i))
	}
	for i, sync := range alike {
		journal := j.openAs(identity(sync, "reader"))
		if loaded := j.load(journal); loaded["users"] != fmt.Sprint(i) || loaded["orders"] != fmt.Sprint(i) || len(loaded) != 2 {
			j.t.Errorf("the states of sync %q are %v, want %d", sync, loaded, i)
		}
		if i%2 == 0 { // those of others stay
			j.save(journal, sidecar.GlobalStateKey, `{}`)
			j.save(journal, sidecar.GlobalStateKey, `null`)
		}
	}
	last := j.openAs(identity(alike[1], "reader"))
	if loaded := j.load(last); len(loaded) != 2 {
		j.t.Errorf("another sync's states went: %v", loaded)
	}
}

func (j *journalTest) largeStates() {
	journal := j.open("task")
	given := []string{"large", `{"cursor":"` + strings.Repeat(`text \u0000 \"`, 50_000) + `"}`, sidecar.GlobalStateKey[1:], `{"n":1}`}
	for i := range 2000 {
		given = append(given, fmt.Sprint("stream", i), fmt.Sprintf(`{"n":%d}`, i))
	}
	j.save(journal, given...)
	j.holds(journal, given...)
}

func (j *journalTest) cancelledSave() {
	journal := j.open("task")
	j.save(journal, "a", `1`, "b", `1`)
	ctx, cancel := cancelledContext(j.t)
	defer cancel()
	err := journal.SaveStates(ctx, []sidecar.SavedState{stateOf("a", `2`), stateOf("b", `2`)})
	if err == nil {
		j.holds(journal, "a", `2`, "b", `2`)
		return
	}
	j.discreet(err.Error())
	if errors.Is(err, sidecar.ErrStateRefused) {
		j.t.Errorf("a save that was cancelled says that a state is refused: %v", err)
	}
	j.holds(journal, "a", `1`, "b", `1`)
}
