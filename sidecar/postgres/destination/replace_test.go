package destination

import (
	"errors"
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
