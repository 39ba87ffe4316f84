package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

const statesSQL = "select sync_id, stream, state from source_state order by sync_id, stream"

func state(key, text string) sidecar.SavedState {
	return sidecar.SavedState{Key: key, State: json.RawMessage(text)}
}

func TestSaveStatesKeepsTheLastOfEachKey(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	must(t, j.SaveStates(within(t), nil))
	must(t, j.SaveStates(within(t), []sidecar.SavedState{state("users", `{"n":1}`), state("shop.orders", `{"n":1}`), state("users", `{"n":2}`)}))
	must(t, j.SaveStates(within(t), []sidecar.SavedState{state("users", `{"n":3}`), state("events", `[1]`), state("events", `null`)}))
	equalLines(t, "rows", postgrestest.Query(t, url, statesSQL), `sync-1|shop.orders|{"n": 1}`, `sync-1|users|{"n": 3}`)

	must(t, j.SaveStates(within(t), []sidecar.SavedState{state("users", " null\n"), {Key: "shop.orders"}}))
	equalLines(t, "rows after null", postgrestest.Query(t, url, statesSQL))
}

func TestSaveStatesSavesAllOrNone(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	must(t, j.SaveStates(within(t), []sidecar.SavedState{state("a", `1`), state("b", `1`)}))
	err := j.SaveStates(within(t), []sidecar.SavedState{state("a", `2`), state("b", `{broken`)})
	if err == nil || IsUnavailable(err) {
		t.Fatalf("got %v, want a permanent error", err)
	}
	equalLines(t, "rows", postgrestest.Query(t, url, statesSQL), "sync-1|a|1", "sync-1|b|1")
}

// A state that jsonb cannot hold is told from a server that is away and from a fault of ours, so that the others are saved without it.
func TestSaveStatesRefusesWhatJSONBCannotHold(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	for name, refused := range map[string]string{"number": `{"n":1e200000}`, "depth": strings.Repeat("[", 9000) + strings.Repeat("]", 9000)} {
		err := j.SaveStates(within(t), []sidecar.SavedState{state("a", `1`), state("b", refused)})
		if name == "number" && !errors.Is(err, sidecar.ErrStateRefused) {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && !errors.Is(err, sidecar.ErrStateRefused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	must(t, j.SaveStates(within(t), []sidecar.SavedState{state("a", `2`)}))
	equalLines(t, "rows of a", postgrestest.Query(t, url, statesSQL)[:1], "sync-1|a|2")
}

// The console feeds back _GLOBAL_STATE and _LEGACY_STATE only when they are the only row (loadSyncState in sync-sidecar). Each step is a run of its
// own with one incremental stream, users.
func TestStatesOfOtherKinds(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	other := testIdentity()
	other.SyncID = "sync-0"
	must(t, openAs(t, url, other).SaveStates(within(t), []sidecar.SavedState{state("users", `0`)}))
	j := open(t, url)
	users := state("users", `2`)
	users.Incremental = 1
	for _, step := range []struct {
		save []sidecar.SavedState
		want []string
	}{
		{[]sidecar.SavedState{state("users", `1`), state("orders", `1`)}, []string{"orders|1", "users|1"}},
		{[]sidecar.SavedState{state("_GLOBAL_STATE", `{"g":1}`)}, []string{`_GLOBAL_STATE|{"g": 1}`}},
		{[]sidecar.SavedState{state("_GLOBAL_STATE", `{"g":2}`)}, []string{`_GLOBAL_STATE|{"g": 2}`}},
		{[]sidecar.SavedState{state("refreshed", `1`)}, []string{`_GLOBAL_STATE|{"g": 2}`}},
		{[]sidecar.SavedState{state("_LEGACY_STATE", `{"l":1}`)}, []string{`_GLOBAL_STATE|{"g": 2}`}},
		{[]sidecar.SavedState{users, state("refreshed", `1`)}, []string{"users|2"}},
		{[]sidecar.SavedState{state("_LEGACY_STATE", `{"l":2}`)}, []string{`_LEGACY_STATE|{"l": 2}`, "users|2"}},
		{[]sidecar.SavedState{state("_LEGACY_STATE", `null`)}, []string{"users|2"}},
	} {
		j.kinds = sidecar.StateKinds{}
		must(t, j.SaveStates(within(t), step.save))
		got := postgrestest.Query(t, url, "select stream, state from source_state where sync_id = 'sync-1' order by stream")
		equalLines(t, fmt.Sprint(step.save), got, step.want...)
	}
	equalLines(t, "the other sync", postgrestest.Query(t, url, statesSQL)[:1], "sync-0|users|0")
}

// TestStateKindsAreOneRule saves the same random states here and in the local folder, run after run: both keep the same ones.
func TestStateKindsAreOneRule(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	dir, random := t.TempDir(), rand.New(rand.NewPCG(1, 2))
	for run := range 12 {
		identity := testIdentity()
		identity.SyncID = fmt.Sprintf("sync-%d", run/4)
		here := openAs(t, url, identity)
		folder, err := local.Open(t.Context(), local.Options{Dir: dir, Identity: identity})
		must(t, err)
		for range 25 {
			var states []sidecar.SavedState
			for range 1 + random.IntN(3) {
				key := []string{"a", "b", "full", "_GLOBAL_STATE", "_LEGACY_STATE"}[random.IntN(5)]
				saved := state(key, []string{`null`, `1`, `2`, `{"x":3}`}[random.IntN(4)])
				if key == "a" || key == "b" {
					saved.Incremental = 2
				}
				states = append(states, saved)
			}
			must(t, here.SaveStates(within(t), states))
			must(t, folder.SaveStates(within(t), states))
			equalLines(t, fmt.Sprint(states), keysOf(t, here), keysOf(t, folder)...)
		}
	}
}

// keysOf are the keys and states that a journal holds.
func keysOf(t *testing.T, journal sidecar.Journal) []string {
	t.Helper()
	states, err := journal.LoadStates(within(t))
	must(t, err)
	var keys []string
	for _, state := range states {
		keys = append(keys, state.Key+" "+strings.ReplaceAll(string(state.State), " ", ""))
	}
	slices.Sort(keys)
	return keys
}

func TestLoadStatesGivesKeysAndStreams(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	none, err := j.LoadStates(within(t))
	must(t, err)
	if len(none) != 0 {
		t.Fatalf("got %v of an empty table", none)
	}
	want := map[string]airbyte.StreamDescriptor{
		"users":        {Name: "users"},
		"shop.orders":  {Namespace: "shop", Name: "orders"},
		"shop.a.b":     {Namespace: "shop", Name: "a.b"},
		"Ümläut.Straß": {Namespace: "Ümläut", Name: "Straß"},
	}
	for key := range want {
		must(t, j.SaveStates(within(t), []sidecar.SavedState{state(key, `{"k":"`+key+`"}`)}))
	}
	loaded, err := j.LoadStates(within(t))
	must(t, err)
	if len(loaded) != len(want) {
		t.Fatalf("got %d states, want %d", len(loaded), len(want))
	}
	for _, s := range loaded {
		if s.Stream != want[s.Key] || string(s.State) != `{"k": "`+s.Key+`"}` {
			t.Errorf("got %q %v %s, want %v", s.Key, s.Stream, s.State, want[s.Key])
		}
	}
}

func TestStatesRoundTripWhatJSONBCannotHold(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	for _, text := range []string{
		`{"cursor":"a\u0000b"}`, `{"\u0000":1,"\u001a0000":2}`, `["\ud83d","\ude00","\ude00\ud83d","\ud83d\ude00","😀"]`,
		`"\u001a\u001A\\u0000\\\u0000"`, `["\u001a0000","\u001ad83d","\u001a","\u001axyz"]`, `"tab\tquote\"slash\/ü\u00fc\uFFFF"`,
	} {
		must(t, j.SaveStates(within(t), []sidecar.SavedState{state("s", text)}))
		loaded, err := j.LoadStates(within(t))
		must(t, err)
		if len(loaded) != 1 || !postgrestest.SameJSON(t, string(loaded[0].State), text) {
			t.Errorf("saved %s, loaded %+v", text, loaded)
		}
	}
	must(t, j.SaveStates(within(t), []sidecar.SavedState{state("s", `{"b": [1.50, "x\u00fc"], "a": null}`)}))
	equalLines(t, "nothing to escape", postgrestest.Query(t, url, "select state from source_state"), `{"a": null, "b": [1.50, "xü"]}`)
}

func TestStatesNeedASyncID(t *testing.T) {
	t.Parallel()
	id := testIdentity()
	id.SyncID = ""
	j := openAs(t, postgrestest.Database(t), id)
	_, loadErr := j.LoadStates(within(t))
	for _, err := range []error{loadErr, j.SaveStates(within(t), []sidecar.SavedState{state("a", `1`)})} {
		if err == nil || !strings.Contains(err.Error(), "SYNC_ID") {
			t.Errorf("got %v, want an error that names SYNC_ID", err)
		}
	}
}

// A large state, and many at once, from several goroutines.
func TestSaveStatesConcurrently(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	large := `"` + strings.Repeat(`x\u0000`, 1<<18) + `"`
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			var states []sidecar.SavedState
			for n := range 50 {
				states = append(states, state(fmt.Sprintf("stream-%d-%d", i, n), `{}`))
			}
			states = append(states, state(fmt.Sprintf("large-%d", i), large))
			if err := j.SaveStates(within(t), states); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	loaded, err := j.LoadStates(within(t))
	must(t, err)
	if len(loaded) != 8*51 {
		t.Fatalf("got %d states", len(loaded))
	}
	i := slices.IndexFunc(loaded, func(s sidecar.SavedState) bool { return s.Key == "large-3" })
	if i < 0 || !postgrestest.SameJSON(t, string(loaded[i].State), large) {
		t.Error("the large state changed")
	}
}
