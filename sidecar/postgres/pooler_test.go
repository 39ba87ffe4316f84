package postgres

import (
	"fmt"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// PgBouncer gives each transaction whatever connection is free: prepared statements, settings and locks of a session would get lost or into
// other hands.
func TestThroughAPooler(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	pooled := postgrestest.Pooler(t, url) + "&schema=newjitsu&pgbouncer=true"
	first, second := openTask(t, pooled, "first"), openTask(t, pooled, "second")
	useAll(t, first)
	refusal := locked(second.Lock(within(t)))
	if refusal == nil || refusal.Since.IsZero() || refusal.Holder != first.lock.holder {
		t.Fatalf("got %v", refusal)
	}
	// More calls at once than PgBouncer has connections, beside the one that the lock keeps.
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			for n := range 20 {
				for _, j := range []*Journal{first, second} {
					err := j.SaveStates(within(t), []sidecar.SavedState{state(fmt.Sprint("stream-", i), fmt.Sprint(n))})
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	const sum = "select count(*), sum(state::int) from newjitsu.source_state where stream like 'stream-%'"
	equalLines(t, "states", postgrestest.Query(t, url, sum), "12|228")
	must(t, first.LockError())
	must(t, first.Close(within(t)))
	equalLines(t, "locks that stayed with the pooler", postgrestest.Query(t, url, lockHolderSQL))
	must(t, second.Lock(within(t)))
}

// A client that dies in PgBouncer's arms leaves no lock behind.
func TestLockBehindAPoolerEndsWithTheClient(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	pooled := postgrestest.Pooler(t, url)
	first, second := openTask(t, pooled, "first"), openTask(t, pooled, "second")
	l := &lock{journal: first, claims: first.claims(), holder: "first"}
	_, err := l.take(within(t))
	must(t, err)
	if locked(second.Lock(within(t))) == nil {
		t.Fatal("two hold the lock")
	}
	first.conns.Cut()
	eventually(t, "the lock is free", func() bool { return second.Lock(within(t)) == nil })
}
