package destination

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
)

// A run whose journal is elsewhere holds an advisory lock where its rows are, too. So whoever changes the position of its rows, and knows nothing of
// that journal, sees that it is under way. Runs share the lock, as shards do: what keeps another run out is the journal's.

const (
	defaultPing = 10 * time.Second // of the connection that holds the lock
	missedPings = 6                // after so many the server gives the lock up

	// A transaction holds the lock, as the journal's does: a pooler lends a connection for no longer.
	presenceSettingsSQL = `select set_config(name, case name when 'transaction_timeout' then '0' else $1 end, true)
from pg_settings where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')`

	presentSQL = `select pg_try_advisory_xact_lock_shared($1)`

	aloneSQL = `select pg_try_advisory_xact_lock($1)`

	presentWhoSQL = `select coalesce(nullif(a.application_name, ''), 'process ' || a.pid || ' of the server'), a.xact_start
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.classid::bigint = $1 and l.objid::bigint = $2
    and l.database = (select oid from pg_database where datname = current_database())
limit 1`
)

// presence holds the lock until it is ended.
type presence struct {
	client *Client
	query  string
	ping   time.Duration
	end    context.CancelFunc
	held   sync.WaitGroup
}

// presenceKey is of the sync among the positions of this schema. Locks are per database.
func (c *Client) presenceKey() int64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "sync-sidecar rows %q %q", c.options.Schema, c.options.Identity.SyncID))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// announce holds the lock of a run from now on. A connection that breaks, or that there is no room for, is made again: the run goes on without.
func (c *Client) announce(ctx context.Context) {
	c.mu.Lock()
	announced := c.present != nil
	c.mu.Unlock()
	if announced || !c.options.Announce {
		return
	}
	p := &presence{client: c, query: presentSQL, ping: c.options.Ping}
	conn, err := p.take(ctx)
	if err != nil {
		conn = nil // keep tries again
	}
	p.hold(ctx, conn)
}

// Alone makes sure that no run of the sync is under way that says so (Options.Announce). The error is a sidecar.ErrLocked where one is.
func (c *Client) Alone(ctx context.Context) error {
	p := &presence{client: c, query: aloneSQL, ping: c.options.Ping}
	conn, err := p.take(ctx)
	if errors.Is(err, sidecar.ErrLocked) {
		return err
	}
	if err != nil {
		return c.explain(ctx, nil, fmt.Errorf("look whether a run is under way: %w", err))
	}
	p.hold(ctx, conn)
	return nil
}

// hold keeps the lock in the background until Client.Close.
func (p *presence) hold(ctx context.Context, conn *pgx.Conn) {
	ctx, p.end = context.WithCancel(context.WithoutCancel(ctx))
	p.held.Go(func() { p.keep(ctx, conn) })
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	p.client.present = p
}

// keep pings the connection until ctx ends, and makes it again when it breaks.
func (p *presence) keep(ctx context.Context, conn *pgx.Conn) {
	ticker := time.NewTicker(p.ping)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			p.drop(ctx, conn)
			return
		case <-ticker.C:
		}
		conn = p.refresh(ctx, conn)
	}
}

// refresh is the connection, or another one; nil when there is none now.
func (p *presence) refresh(ctx context.Context, conn *pgx.Conn) *pgx.Conn {
	ctx, cancel := context.WithTimeout(ctx, p.ping)
	defer cancel()
	if conn != nil {
		if _, err := conn.Exec(ctx, "select 1"); err == nil {
			return conn
		}
		p.drop(ctx, conn)
	}
	conn, err := p.take(ctx)
	if err != nil {
		return nil // the next ping tries again
	}
	return conn
}

// take connects and takes the lock.
func (p *presence) take(ctx context.Context) (conn *pgx.Conn, err error) {
	if conn, err = pgx.ConnectConfig(ctx, p.client.config.ConnConfig); err != nil {
		return nil, err
	}
	if err = p.takeOn(ctx, conn); err != nil {
		p.drop(ctx, conn)
		return nil, err
	}
	return conn, nil
}

func (p *presence) takeOn(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "begin"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, presenceSettingsSQL, fmt.Sprintf("%dms", (missedPings*p.ping).Milliseconds())); err != nil {
		return err
	}
	key, taken := p.client.presenceKey(), false
	if err := conn.QueryRow(ctx, p.query, key).Scan(&taken); err != nil || taken {
		return err
	}
	who, since := "a process that ended just now", (*time.Time)(nil)
	err := conn.QueryRow(ctx, presentWhoSQL, int64(uint64(key)>>32), int64(uint32(uint64(key)))).Scan(&who, &since)
	if err != nil && !isNoRows(err) {
		return err
	}
	if since != nil {
		who += ", since " + since.UTC().Format(time.RFC3339)
	}
	return &busyError{syncID: p.client.options.Identity.SyncID, who: who}
}

// busyError says that a run of the sync is under way.
type busyError struct{ syncID, who string }

// Error names the sync, who runs it, and the next step.
func (e *busyError) Error() string {
	return fmt.Sprintf("sync %q is already running (%s): wait for it to end, or stop it", e.syncID, e.who)
}

// Is makes it a sidecar.ErrLocked.
func (e *busyError) Is(target error) bool { return target == sidecar.ErrLocked }

// drop closes a connection, if there is one, and with it gives up the lock. Rolling back first makes the lock free when drop returns.
func (p *presence) drop(ctx context.Context, conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.ping)
	defer cancel()
	_, _ = conn.Exec(ctx, "rollback") //nolint:errcheck // what fails here the server's lease makes good
	_ = conn.Close(ctx)               //nolint:errcheck // see above
	select {
	case <-conn.PgConn().CleanupDone(): // a connection that broke is cleaned up in the background
	case <-ctx.Done():
	}
}
