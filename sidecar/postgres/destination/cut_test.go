package destination

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

// steps are what a run does; each may be tried again until it succeeds.
type step func(r *run) error

// again gives the same load each time.
func again(index int, mode sidecar.Mode, sequence int64, rows ...string) step {
	given := sidecartest.NewRows(rows...)
	return func(r *run) error {
		state := r.state(index, sequence, fmt.Sprintf(`{"at":%d}`, sequence))
		return r.Load(within(r.t), sidecar.Load{Table: r.tables[index], Mode: mode, Rows: given,
			States: func() []sidecar.SavedState { return []sidecar.SavedState{state} }})
	}
}

// together gives the same loads of both tables each time.
func together(sequence int64, rows ...string) step {
	first, second := sidecartest.NewRows(rows...), sidecartest.NewRows(rows...)
	return func(r *run) error {
		return r.LoadTogether(within(r.t), []sidecar.Load{{Table: r.tables[0], Rows: first}, {Table: r.tables[1], Rows: second}},
			[]sidecar.SavedState{{Key: sidecar.GlobalStateKey, State: fmt.Appendf(nil, `{"at":%d}`, sequence), Sequence: sequence}})
	}
}

func finish(r *run) error { return r.Finish(within(r.t), r.streams()) }

// TestCutAtEveryMessage cuts the connection at each message that the client sends: once the server got it, or by the server itself. Then it does the
// step again, as the loader does: what is there afterwards is what would be there without the cut.
func TestCutAtEveryMessage(t *testing.T) {
	t.Parallel()
	const one, two, three = `{"id":1,"v":"a"}`, `{"id":2,"v":"a"}`, `{"id":3,"v":"b"}`
	for name, c := range map[string]struct {
		key   []string
		steps []step
		want  []string
		state string
	}{
		"append": {steps: []step{again(0, sidecar.Append, 1, one), again(0, sidecar.Append, 2, one, two)}, want: []string{"1|a", "1|a", "2|a"},
			state: `orders|{"at":2}`},
		"merge": {key: []string{"id"}, steps: []step{again(0, sidecar.Append, 1, one, two), again(0, sidecar.Append, 2, two, three)},
			want: []string{"1|a", "2|a", "3|b"}, state: `orders|{"at":2}`},
		"replace": {steps: []step{again(0, sidecar.Append, 1, one), again(0, sidecar.ReplaceWhole, 2, two, three)}, want: []string{"2|a", "3|b"},
			state: `orders|{"at":2}`},
		"start over": {steps: []step{again(0, sidecar.Append, 1, one), again(0, sidecar.ReplaceFirst, 2, two),
			again(0, sidecar.Append, 3, two, three), finish}, want: []string{"2|a", "2|a", "3|b"}, state: `orders|{"at":3}`},
		"together": {steps: []step{together(1, one), together(2, one, two)}, want: []string{"1|a", "1|a", "2|a"}, state: `_GLOBAL_STATE|{"at":2}`},
	} {
		for kind, becomes := range map[string]fate{"by the line": cutAfter, "by the server": terminates} {
			t.Run(name+" cut "+kind, func(t *testing.T) {
				t.Parallel()
				line := newLine(t, postgrestest.Database(t))
				for n := int64(1); ; n++ {
					if !cutOnce(t, line, n, becomes, c.key, c.steps, c.want, c.state) {
						t.Logf("cut at %d messages", n-1)
						break
					}
				}
			})
		}
	}
}

// cutOnce plays the steps in a sync of their own, cut at the n-th message; false when there are fewer.
func cutOnce(t *testing.T, line *line, n int64, becomes fate, key []string, steps []step, want []string, state string) bool {
	t.Helper()
	sync := fmt.Sprint("sync-", n)
	orders, users := table("orders", properties(idAndV), key...), table("users", properties(idAndV), key...)
	orders.Namespace, users.Namespace = sync, sync
	r := begin(t, line.url, func(o *Options) { o.Identity.SyncID = sync }, nil, orders, users)
	defer closeClient(r.Client)
	met := line.nth(n, becomes)
	for i, step := range steps {
		err := step(r)
		for tries := 1; err != nil; tries++ {
			refusal := sidecar.AsLoadError(err)
			if refusal == nil || refusal.Permanent || tries > 20 {
				t.Fatalf("message %d, step %d: %v", n, i+1, err)
			}
			pause, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			<-pause.Done()
			cancel()
			err = step(r)
		}
	}
	rows := postgrestest.Query(t, line.direct, fmt.Sprintf(`select id, v from %q.orders order by id`, sync))
	equalLines(t, fmt.Sprintf("rows after a cut at message %d", n), rows, want...)
	states := postgrestest.Query(t, line.direct, `select key, state from sync_sidecar.destination_state where sync_id = $1`, sync)
	equalLines(t, fmt.Sprintf("states after a cut at message %d", n), states, state)
	const filled = `select count(*) from sync_sidecar.destination_stream where sync_id = $1 and generation is not null`
	left := postgrestest.Query(t, line.direct, filled, sync)
	equalLines(t, "generations", left, "0")
	return met()
}
