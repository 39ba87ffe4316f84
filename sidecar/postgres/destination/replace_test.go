package destination

import (
	"errors"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// TestReplaceStatesGoesBackToTheTable: a read that started over was cut off while it filled a table of its own. A state that a person gives tells of
// the stream's own table: the next run adds to that. The state that is committed already is of the other table, which stays when it is given again.
func TestReplaceStatesGoesBackToTheTable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given int // which state
		rows  []string
		left  int // generations
	}{
		"the state of the table":      {0, []string{`{"v": "old", "id": 1}`, `{"v": "more", "id": 2}`}, 0},
		"the state that is committed": {1, []string{`{"v": "more", "id": 2}`, `{"v": "new", "id": 1}`}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			orders := table("orders", properties(idAndV))
			r := begin(t, url, nil, nil, orders)
			states := []sidecar.SavedState{r.state(0, 1, `{"at":"old"}`), r.state(0, 1, `{"at":"new"}`)}
			must(t, r.commit(0, sidecar.ReplaceFirst, states[0], `{"id":1,"v":"old"}`))
			r = begin(t, url, nil, nil, orders) // starts over
			must(t, r.commit(0, sidecar.ReplaceFirst, states[1], `{"id":1,"v":"new"}`))

			person := openAt(t, url, func(options *Options) { options.Existing = true })
			must(t, person.ReplaceStates(within(t), nil, states[test.given:test.given+1]))
			if got := generations(t, url); len(got) != test.left {
				t.Errorf("generations are %q", got)
			}
			if refusal := sidecar.AsLoadError(r.load(0, sidecar.Append, `{"id":9,"v":"late"}`)); refusal == nil || !refusal.Permanent {
				t.Errorf("the run that was cut off goes on: %v", refusal)
			}
			r = begin(t, url, nil, states[test.given:test.given+1], orders)
			must(t, r.commit(0, sidecar.Append, r.state(0, 1, `{"at":2}`), `{"id":2,"v":"more"}`))
			must(t, r.Finish(within(t), r.streams()))
			rows := rowsOf(t, url, "orders")
			if len(rows) != 2 || !sameTexts(rows, test.rows) {
				t.Errorf("rows are %q, want %q", rows, test.rows)
			}
		})
	}
}

// TestReplaceStatesStaysWhereNothingChanged: a person takes one stream out of the GLOBAL state of a read that started over and was cut off. The
// others go on in the tables that it has begun to fill: in the old ones rows would be missing, or there twice.
func TestReplaceStatesStaysWhereNothingChanged(t *testing.T) {
	t.Parallel()
	const committed = `{"shared_state":1,"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":2},` +
		`{"stream_descriptor":{"name":"orders"},"stream_state":{"a":1,"b":2}}]}`
	for name, test := range map[string]struct {
		given string
		stays bool
	}{
		"another stream is taken out": {`{"shared_state":1,"stream_states":[{"stream_descriptor":{"name":"orders"},"stream_state":{"b":2,"a":1}}]}`, true},
		"it is taken out":             {`{"shared_state":1,"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":2}]}`, true},
		"its own state is another":    {`{"shared_state":1,"stream_states":[{"stream_descriptor":{"name":"orders"},"stream_state":{}}]}`, false},
		"what is shared is another":   {strings.Replace(committed, `"shared_state":1`, `"shared_state":2`, 1), false},
		"it is of no known shape":     {`{"shared_state":1}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			orders := table("orders", properties(idAndV))
			global := func(text string) sidecar.SavedState {
				return sidecar.SavedState{Key: sidecar.GlobalStateKey, State: []byte(text), Sequence: 1}
			}
			r := begin(t, url, nil, nil, orders)
			must(t, r.commit(0, sidecar.ReplaceFirst, global(`{"shared_state":0,"stream_states":[]}`), `{"id":1,"v":"old"}`))
			must(t, r.ReplaceStates(within(t), []string{sidecar.GlobalStateKey}, nil))
			r = begin(t, url, nil, nil, orders) // starts over
			must(t, r.commit(0, sidecar.ReplaceFirst, global(committed), `{"id":1,"v":"new"}`))

			must(t, openAt(t, url, nil).ReplaceStates(within(t), nil, []sidecar.SavedState{global(test.given)}))
			r = begin(t, url, nil, []sidecar.SavedState{global(test.given)}, orders)
			must(t, r.commit(0, sidecar.Append, global(`{"shared_state":3}`), `{"id":2,"v":"more"}`))
			must(t, r.Finish(within(t), r.streams()))
			want := []string{`{"v": "more", "id": 2}`, `{"v": "old", "id": 1}`}
			if test.stays {
				want = []string{`{"v": "more", "id": 2}`, `{"v": "new", "id": 1}`}
			}
			equalLines(t, "rows", rowsOf(t, url, "orders"), want...)
		})
	}
}

// sameTexts says that two lists hold the same, in whatever order.
func sameTexts(a, b []string) bool {
	counts := map[string]int{}
	for i := range a {
		counts[a[i]]++
		counts[b[i]]--
	}
	for _, n := range counts {
		if n != 0 {
			return false
		}
	}
	return true
}

// Whoever only looks makes nothing.
func TestExistingMakesNothing(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	c := openAt(t, url, func(options *Options) { options.Existing = true })
	if err := c.Ready(within(t)); !errors.Is(err, ErrNoPositions) {
		t.Errorf("Ready: %v", err)
	}
	equalLines(t, "schemas", postgrestest.Query(t, url, `select nspname from pg_namespace where nspname = 'sync_sidecar'`))
}
