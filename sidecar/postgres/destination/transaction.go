package destination

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sync-sidecar/sidecar"
)

// settingsSQL bounds what a transaction may wait for, and lets the server notice a client that vanished. What the user of the database has set stays,
// but for limits of whole statements, which a COPY of rows that are still being read cannot keep: those stay where the URL sets them. It tells which
// backend this is, so that it can be found when its connection is lost. Settings that this server does not have are left out.
const settingsSQL = `
select pg_backend_pid(), extract(epoch from now())::text, count(set_config(s.name, w.value, true))
from (values ('lock_timeout', '0', $1::text), ('idle_in_transaction_session_timeout', '0', '300000'), ('tcp_keepalives_idle', '0', '15'),
    ('tcp_keepalives_interval', '0', '5'), ('tcp_keepalives_count', '0', '3'), ('client_connection_check_interval', '0', '5000'),
    ('statement_timeout', $2, '0'), ('transaction_timeout', $2, '0'), ('array_nulls', 'any', 'on')) as w (name, unless, value)
join pg_settings s on s.name = w.name and (s.setting = w.unless or w.unless = 'any' or w.name like 'tcp%')`

// lock timeouts, in milliseconds.
const (
	lockForRows = "30000" // of a load, which waits behind writers of the same rows
	// lockForTable is shorter than a reader is to wait: behind the one who waits to alter a table, all others wait, too.
	lockForTable = "700"
)

// tablePatience is how often a lock on a table is asked for. Somebody who holds it for longer makes the load fail, which its caller tries again.
const (
	tablePatience = 10
	tablePause    = 500 * time.Millisecond
)

// backend is a transaction at the server.
type backend struct {
	pid   int32
	since string // when the transaction began, which no other one of this process did
}

// begin starts a transaction.
func (c *Client) begin(ctx context.Context, lockTimeout string) (pgx.Tx, backend, error) {
	pool, err := c.connections(ctx)
	if err != nil {
		return nil, backend{}, err
	}
	// A transaction waits for others, and must then see what they did, whatever default_transaction_isolation is.
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, backend{}, err
	}
	b, count := backend{}, 0
	if err := tx.QueryRow(ctx, settingsSQL, lockTimeout, c.limits()).Scan(&b.pid, &b.since, &count); err != nil {
		rollback(ctx, tx)
		return nil, backend{}, err
	}
	return tx, b, nil
}

// limits says which limits of statements may be lifted: any, or none where the URL sets one.
func (c *Client) limits() string {
	params := c.config.ConnConfig.RuntimeParams
	if params["statement_timeout"] != "" || params["transaction_timeout"] != "" || params["options"] != "" {
		return "none"
	}
	return "any"
}

// rollback ends a transaction that is not to be. An error of it means that the connection is gone, and the transaction with it.
func rollback(ctx context.Context, tx pgx.Tx) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = tx.Rollback(ctx) //nolint:errcheck // see above
}

// transact runs do in a transaction.
func (c *Client) transact(ctx context.Context, lockTimeout string, do func(pgx.Tx) error) error {
	tx, _, err := c.begin(ctx, lockTimeout)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		rollback(ctx, tx)
		return err
	}
	return tx.Commit(ctx)
}

// alter runs do, which changes what tables are, in a transaction of its own: again, when somebody is using the table at the moment.
func (c *Client) alter(ctx context.Context, do func(pgx.Tx) error) error {
	for try := 1; ; try++ {
		err := c.transact(ctx, lockForTable, do)
		if code := sqlState(err); err == nil || code != lockNotAvailable && code != deadlock || try == tablePatience {
			return err
		}
		select {
		case <-time.After(tablePause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// SQLSTATEs that are dealt with (Postgres' manual, Appendix A).
const (
	lockNotAvailable  = "55P03"
	deadlock          = "40P01"
	uniqueViolation   = "23505"
	notNullViolation  = "23502"
	checkViolation    = "23514"
	noParent          = "23503" // a foreign key
	cardinality       = "21000" // ON CONFLICT DO UPDATE meets a row twice
	noConflictTarget  = "42P10" // no unique index has the columns of ON CONFLICT
	undefinedTable    = "42P01"
	undefinedColumn   = "42703"
	noRight           = "42501"
	duplicateTable    = "42P07"
	duplicateColumn   = "42701"
	duplicateObject   = "42710"
	duplicateSchema   = "42P06"
	queryCanceled     = "57014"
	notInState        = "55000"
	objectInUse       = "55006"
	invalidDefinition = "42P16"
	readOnlyServer    = "25006"
	untranslatable    = "22P05" // into the encoding of the database
	tooLarge          = "54000" // a row for a page, or a key for an index
)

// sqlState is the code of an error of the server; empty when it is none.
func sqlState(err error) string {
	if refusal := (*pgconn.PgError)(nil); errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

// commit ends a transaction. The error is a lostCommit when nobody knows whether it was committed.
func commit(ctx context.Context, tx pgx.Tx) error {
	err := tx.Commit(ctx)
	if err == nil || errors.Is(err, pgx.ErrTxCommitRollback) {
		return err
	}
	if refusal := (*pgconn.PgError)(nil); errors.As(err, &refusal) && refusal.Severity != "FATAL" && refusal.SeverityUnlocalized != "FATAL" {
		return err
	}
	return &lostCommit{cause: err}
}

// lostCommit is a COMMIT without an answer.
type lostCommit struct{ cause error }

// Error says what is not known.
func (e *lostCommit) Error() string { return "the answer to COMMIT was lost: " + e.cause.Error() }

// Unwrap is the cause.
func (e *lostCommit) Unwrap() error { return e.cause }

// attempt is the last attempt at a load: what a later one must know when its outcome is open.
type attempt struct {
	load    string // its id
	rows    sidecar.Rows
	lost    bool    // whether it was committed is not known
	backend backend // may still be at work, where its connection was lost; pid 0 is none
	work    *work   // what is to be remembered once it was
	move    *move
}

// dismissSQL ends the transaction of a connection that was lost. A pooler may have lent its process to another transaction by now, which is left
// alone.
const dismissSQL = `select count(pg_terminate_backend(pid)) from pg_stat_activity where pid = $1 and extract(epoch from xact_start)::text = $2`

// dismiss ends a transaction that nobody can commit any more, and that may hold locks which the next attempt needs. That it ended already is no
// error, and neither is that we must not: then the next attempt waits until the server notices by itself.
func (c *Client) dismiss(ctx context.Context, b backend) {
	if b.pid == 0 {
		return
	}
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pool, err := c.connections(ctx)
	if err != nil {
		return
	}
	_, _ = pool.Exec(ctx, dismissSQL, b.pid, b.since) //nolint:errcheck // see above
}

// settleSQL waits for a transaction that has written the row of its stream, also when that is its first one.
const settleSQL = `insert into @destination_stream as s (sync_id, namespace, name, load) values ($1, $2, $3, '')
on conflict (sync_id, namespace, name) do update set load = s.load returning load`

// settle finds out whether an attempt whose answer was lost was committed.
func (c *Client) settle(ctx context.Context, t *target) (committed bool, err error) {
	c.dismiss(ctx, t.last.backend)
	var load string
	namespace, name := t.key()
	err = c.transact(ctx, lockForRows, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, c.sql(settleSQL), c.options.Identity.SyncID, namespace, name).Scan(&load)
	})
	if err != nil {
		return false, fmt.Errorf("find out whether the last attempt was committed: %w", err)
	}
	return load == t.last.load, nil
}

// settled notes that a load was not committed.
func (c *Client) settled(t *target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.doubt = false
}
