package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/postgres/server"
)

// lockHolderSQL finds the server's process that holds a lock; the tests' databases have one lock each.
const lockHolderSQL = `select pid from pg_locks where locktype = 'advisory' and granted
	and database = (select oid from pg_database where datname = current_database())`

func openTask(t *testing.T, url, task string) *Journal {
	t.Helper()
	id := testIdentity()
	id.TaskID = task
	return openAs(t, url, id)
}

func locked(err error) *LockedError {
	found := (*LockedError)(nil)
	if errors.As(err, &found) {
		return found
	}
	return nil
}

func TestLockRefusesASecondRun(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	first, second := openTask(t, url, "first"), openTask(t, url+"&schema=public", "second") // another road to the same tables
	before := time.Now().Add(-time.Second)
	must(t, first.Lock(within(t)))
	must(t, first.Lock(within(t)))
	err := second.Lock(within(t))
	refusal := locked(err)
	if refusal == nil || IsUnavailable(err) {
		t.Fatalf("got %v, want a refusal", err)
	}
	host, hostErr := os.Hostname()
	must(t, hostErr)
	if want := server.Plain(fmt.Sprintf("task first, process %d on host %s", os.Getpid(), host)); refusal.Holder != want || refusal.SyncID != "sync-1" {
		t.Errorf("the holder of %q is %q, want %q", refusal.SyncID, refusal.Holder, want)
	}
	if refusal.Since.Before(before) || refusal.Since.After(time.Now().Add(time.Second)) {
		t.Errorf("held since %s", refusal.Since)
	}
	for _, want := range []string{`sync "sync-1" is already running (task first, process `, ", since 20", "wait for it to end, or stop it"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	must(t, first.Close(within(t)))
	must(t, second.Lock(within(t)))
	must(t, second.LockError())
}

func TestLockIsOfOneSync(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	must(t, open(t, url).Lock(within(t)))
	must(t, open(t, url+"&schema=another").Lock(within(t)))
	for _, sync := range []string{"sync-2", "", ""} {
		id := testIdentity()
		id.SyncID = sync
		j := openAs(t, url, id)
		must(t, j.Lock(within(t)))
		must(t, j.LockError())
	}
	equalLines(t, "locks", postgrestest.Query(t, url, "select count(*) from ("+lockHolderSQL+") as held"), "3")
}

// The next run may start the moment that this one has ended.
func TestLockIsFreeWhenDropped(t *testing.T) {
	t.Parallel()
	j := open(t, postgrestest.Database(t))
	l := &lock{journal: j, claims: []claim{{key: 1}}, holder: "test"}
	for range 30 {
		conn, err := l.take(within(t))
		must(t, err)
		l.drop(within(t), conn)
		var held int
		must(t, j.pool.QueryRow(within(t), "select count(*)::int from ("+lockHolderSQL+") as held").Scan(&held))
		if held != 0 {
			t.Fatal("the lock outlived its drop")
		}
	}
}

// A sync runs for hours, and vacuum must not wait for it.
func TestLockDoesNotHoldBackVacuum(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	must(t, open(t, url).Lock(within(t)))
	const holder = "select state, backend_xmin, backend_xid from pg_stat_activity where pid in (" + lockHolderSQL + ")"
	eventually(t, "nothing is held", func() bool {
		got := postgrestest.Query(t, url, holder)
		return len(got) == 1 && got[0] == "idle in transaction|-|-"
	})
}

// Who is not allowed to see the query of another user still learns its task.
func TestLockRefusalForAnotherUser(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	must(t, openTask(t, url, "first").Lock(within(t)))
	err := openTask(t, guest(t, url, "grant select, insert, update, delete on all tables in schema public to %s"), "second").Lock(within(t))
	if refusal := locked(err); refusal == nil || refusal.Holder != "sync-sidecar first" || !refusal.Since.IsZero() {
		t.Errorf("got %v", err)
	}
}

func TestLockIsTakenAgain(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	must(t, j.Lock(within(t)))
	before := postgrestest.Query(t, url, lockHolderSQL)
	postgrestest.Exec(t, url, "select pg_terminate_backend($1::int)", mustInt(t, before[0]))
	eventually(t, "another connection holds the lock", func() bool {
		now := postgrestest.Query(t, url, lockHolderSQL)
		return len(now) == 1 && now[0] != before[0]
	})
	eventually(t, "the journal knows", func() bool { return j.LockError() == nil })
	must(t, j.SaveStates(within(t), []sidecar.SavedState{state("a", "1")}))
}

// The second waits in the server's queue, so that it has the lock the moment that the first loses it.
func TestLockTakenOverEndsSaving(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	must(t, j.Lock(within(t)))
	holder := postgrestest.Query(t, url, lockHolderSQL)
	conn, err := pgx.Connect(within(t), url+"&application_name=intruder")
	must(t, err)
	defer conn.Close(context.Background())
	waiting := make(chan error, 1)
	go func() {
		_, err := conn.Exec(within(t), "select pg_advisory_lock($1)", j.lock.claims[0].key)
		waiting <- err
	}()
	eventually(t, "the intruder waits", func() bool {
		return len(postgrestest.Query(t, url, "select from pg_locks where locktype = 'advisory' and not granted")) == 1
	})
	postgrestest.Exec(t, url, "select pg_terminate_backend($1::int)", mustInt(t, holder[0]))
	must(t, <-waiting)
	eventually(t, "the journal knows", func() bool { return locked(j.LockError()) != nil })
	if got := locked(j.LockError()).Holder; got != "intruder" {
		t.Errorf("the holder is %q", got)
	}
	err = j.SaveStates(within(t), []sidecar.SavedState{state("a", "1")})
	if locked(err) == nil || IsUnavailable(err) {
		t.Errorf("states were saved without the lock: %v", err)
	}
	must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusFailed}))
	equalLines(t, "rows", postgrestest.Query(t, url, "select (select count(*) from source_state), (select count(*) from source_task)"), "0|1")
}

// A process whose machine vanished does not say so: the server frees the lock when the pings stay away.
func TestLockOfASilentProcessEnds(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	silent, j := openTask(t, url, "silent"), openTask(t, url, "next")
	l := &lock{journal: silent, claims: silent.claims(), holder: "silent"}
	conn, err := l.take(within(t))
	must(t, err)
	defer conn.Close(context.Background())
	if locked(j.Lock(within(t))) == nil {
		t.Fatal("two hold the lock")
	}
	start := time.Now()
	eventually(t, "the lock is free", func() bool { return j.Lock(within(t)) == nil })
	if waited := time.Since(start); waited > 10*missedPings*silent.lockPing {
		t.Errorf("it took %s", waited)
	}
}

// A connection can be dead for us and alive for the server, which then still has our own lock: that is not another run.
func TestLockOfABrokenConnectionIsOurs(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	url := server.DSN()
	j := open(t, url)
	must(t, j.Lock(within(t)))
	pid := mustInt(t, postgrestest.Query(t, url, lockHolderSQL)[0])
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	eventually(t, "the journal knows", func() bool {
		err := j.LockError()
		return err != nil && strings.Contains(err.Error(), "broken connection of this process")
	})
	if locked(j.LockError()) != nil {
		t.Error("it takes itself for another")
	}
	must(t, syscall.Kill(pid, syscall.SIGCONT))
	eventually(t, "the lock is back", func() bool { return j.LockError() == nil })
}

func TestLockSurvivesARestart(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	j := open(t, server.DSN())
	must(t, j.Lock(within(t)))
	server.Kill(t)
	eventually(t, "the loss is noticed", func() bool { return j.LockError() != nil })
	if err := j.LockError(); !IsUnavailable(err) || !strings.Contains(err.Error(), `lock of sync "sync-1" was lost`) {
		t.Errorf("got %v", err)
	}
	server.Restart(t)
	eventually(t, "the lock is back", func() bool { return j.LockError() == nil })
	if locked(openTask(t, server.DSN(), "second").Lock(within(t))) == nil {
		t.Error("two hold the lock")
	}
}

func mustInt(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
