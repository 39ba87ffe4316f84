package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// LockedError says that another run of the same sync is under way.
type LockedError struct {
	SyncID string
	Holder string    // "task T, process P on host H", or what the server told of it
	Since  time.Time // when it took the lock; zero when the server does not tell

	passing bool // the holder is an earlier Pod of the same shard, which is ending
}

// Error names the sync, who runs it, and the next step.
func (e *LockedError) Error() string {
	since := ""
	if !e.Since.IsZero() {
		since = ", since " + e.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("sync %q is already running (%s%s): wait for it to end, or stop it", e.SyncID, e.Holder, since)
}

// Is makes it a sidecar.ErrLocked.
func (e *LockedError) Is(target error) bool { return target == sidecar.ErrLocked }

// missedPings is after how many silent lock pings the server gives the lock up.
const missedPings = 6

// lock is an advisory lock, held by an open transaction on a connection of its own. A transaction because a pooler lends the server's connection
// for no longer, and takes it back with everything in it when the client dies: a lock of the session would stay with the pooler for ever.
// Between pings the transaction has no snapshot, so it does not hold back vacuum. The server ends it when the pings stay away: a machine that
// vanished does not block the sync for the hours that TCP may take to notice.
type lock struct {
	journal *Journal
	claims  []claim // what it takes, in this order
	holder  string  // of this process
	cancel  context.CancelFunc
	done    chan struct{} // closed when keep has returned

	mu sync.Mutex
	// +checklocks:mu
	err error // why it is not held now
}

// Lock makes this the only run of its SyncID until Close or the end of the process; a *LockedError names who is. Without a SyncID there is nothing
// to lock. The lock is kept in the background: see LockError.
func (j *Journal) Lock(ctx context.Context) error {
	if j.identity.SyncID == "" {
		return nil
	}
	select {
	case j.locking <- struct{}{}:
		defer func() { <-j.locking }()
	case <-ctx.Done():
		return j.fail("lock", context.Cause(ctx))
	}
	if j.held() != nil {
		return nil
	}
	l := &lock{journal: j, claims: j.claims(), holder: describeHolder(j.identity.TaskID), done: make(chan struct{})}
	conn, err := l.await(ctx)
	if err != nil {
		return j.fail("lock", err)
	}
	var keeping context.Context
	keeping, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go l.keep(keeping, conn)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lock = l
	return nil
}

// held is the lock that Lock took; nil before.
func (j *Journal) held() *lock {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lock
}

// LockError is nil while the lock is held, or was never asked for. When its connection broke it says so, until the lock could be taken again, which
// is tried in the background. Once another run has it, that is final: a *LockedError, and SaveStates refuses.
func (j *Journal) LockError() error {
	l := j.held()
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// describeHolder is what other runs are told; see holderSQL for how.
func describeHolder(taskID string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return server.Plain(fmt.Sprintf("task %s, process %d on host %s", taskID, os.Getpid(), host))
}

const (
	// transaction_timeout exists since Postgres 17, and would end the lock with it. Settings of the transaction, so that a pooler is content.
	lockSettingsSQL = `select set_config(name, case name when 'transaction_timeout' then '0' else $1 end, true)
from pg_settings where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')`

	tryLockSQL = `select pg_try_advisory_xact_lock($1)`

	tryShareSQL = `select pg_try_advisory_xact_lock_shared($1)`

	// A lock of a 64-bit key is listed by its halves. Another user's query is not shown, its application_name is.
	holderSQL = `select coalesce(substring(a.query from '^/\* (.*?) \*/'), nullif(a.application_name, ''), 'process ' || a.pid || ' of the server'),
    a.xact_start
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.classid::bigint = $1 and l.objid::bigint = $2
    and l.database = (select oid from pg_database where datname = current_database())`

	// strangerSQL leaves out who holds a second lock, too.
	strangerSQL = holderSQL + ` and not exists (
    select from pg_locks k where k.pid = l.pid and k.locktype = 'advisory' and k.granted and k.objsubid = 1 and k.database = l.database
        and k.classid::bigint = $3 and k.objid::bigint = $4)
limit 1`
)

// take connects and takes the lock. The connection that it returns holds it; on an error there is none.
func (l *lock) take(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, l.journal.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if err := l.takeOn(ctx, conn); err != nil {
		l.drop(ctx, conn)
		return nil, err
	}
	return conn, nil
}

func (l *lock) takeOn(ctx context.Context, conn *pgx.Conn) error {
	// First in every statement is the comment that tells others who we are.
	comment := "/* " + l.holder + " */ "
	if _, err := conn.Exec(ctx, comment+"begin"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, comment+lockSettingsSQL, l.journal.lease()); err != nil {
		return err
	}
	for _, claim := range l.claims {
		var err error
		if claim.shared && claim.ofSync {
			err = l.joinSync(ctx, conn, comment, claim)
		} else {
			err = l.takeClaim(ctx, conn, comment, claim)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeClaim takes one lock, or says who holds it.
func (l *lock) takeClaim(ctx context.Context, conn *pgx.Conn, comment string, claim claim) error {
	var taken bool
	err := conn.QueryRow(ctx, comment+claim.trySQL(), claim.key).Scan(&taken)
	if err != nil || taken {
		return err
	}
	refused := &LockedError{Holder: "a process that ended just now", passing: claim.passing}
	if _, err := l.findHolder(ctx, conn, refused, comment+holderSQL, halves(claim.key)...); err != nil {
		return err
	}
	return refused
}

// findHolder asks who holds a lock, and says whether somebody does.
func (l *lock) findHolder(ctx context.Context, conn *pgx.Conn, locked *LockedError, query string, args ...any) (found bool, err error) {
	locked.SyncID = l.journal.identity.SyncID
	var since *time.Time
	err = conn.QueryRow(ctx, query, args...).Scan(&locked.Holder, &since)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if since != nil {
		locked.Since = *since
	}
	return err == nil, err
}

// keep pings the connection that holds the lock, takes the lock again when it breaks, and gives it up when ctx ends.
func (l *lock) keep(ctx context.Context, conn *pgx.Conn) {
	defer close(l.done)
	ticker := time.NewTicker(l.journal.lockPing)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			if conn != nil {
				l.drop(ctx, conn)
			}
			return
		case <-ticker.C:
		}
		var err error
		if conn, err = l.refresh(ctx, conn); err == nil {
			l.set(nil)
			continue
		}
		if ctx.Err() != nil {
			continue
		}
		l.set(err)
		if locked := (*LockedError)(nil); errors.As(err, &locked) {
			return
		}
	}
}

// refresh pings conn, or takes the lock anew when there is none or it does not answer.
func (l *lock) refresh(ctx context.Context, conn *pgx.Conn) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.journal.lockPing)
	defer cancel()
	if conn != nil {
		_, err := conn.Exec(ctx, "/* "+l.holder+" */ select 1")
		if err == nil {
			return conn, nil
		}
		l.drop(ctx, conn)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("the lock of sync %q was lost, and is being taken again: %w", l.journal.identity.SyncID, err)
		}
	}
	conn, err := l.take(ctx)
	locked := (*LockedError)(nil)
	switch {
	case errors.As(err, &locked) && locked.Holder == l.holder:
		return nil, fmt.Errorf("the lock of sync %q is still held by a broken connection of this process", l.journal.identity.SyncID)
	case err != nil && locked == nil:
		return nil, fmt.Errorf("the lock of sync %q was lost, and is being taken again: %w", l.journal.identity.SyncID, err)
	}
	return conn, err
}

func (l *lock) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// drop gives up what conn holds and closes it. Rolling back first makes the lock free when drop returns; the server would notice the close later.
// What fails here the server's lease makes good.
func (l *lock) drop(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.journal.lockPing)
	defer cancel()
	_, _ = conn.Exec(ctx, "rollback") //nolint:errcheck // see above
	_ = conn.Close(ctx)               //nolint:errcheck // see above
	select {
	case <-conn.PgConn().CleanupDone(): // a connection that broke is cleaned up in the background
	case <-ctx.Done():
	}
}

// release ends keep and with it the lock.
func (l *lock) release(ctx context.Context) error {
	l.cancel()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		l.journal.conns.Cut()
		<-l.done
		return ctx.Err()
	}
}
