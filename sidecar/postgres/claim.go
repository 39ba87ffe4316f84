package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// A run that reads a whole sync holds the lock of the sync alone. The shards of a read that is shared out hold it together, and each the lock of its
// own index alone: as their plan gives each stream to one shard, no stream is read twice at once. They first take a lock that is of their task, so
// that whoever holds the sync's lock without that one is of another run. Shards do so one after the other, whatever their task: of two tasks that
// begin in the same moment, one finds the other there.

// claim is one advisory lock that a run takes.
type claim struct {
	key     int64
	shared  bool
	ofSync  bool
	passing bool // who holds it is on its way out
}

func (c claim) trySQL() string {
	if c.shared {
		return tryShareSQL
	}
	return tryLockSQL
}

// claims are the locks of this run.
func (j *Journal) claims() []claim {
	sync := claim{key: lockKey(j.tables.state, j.identity.SyncID), ofSync: true}
	if !j.identity.Shard.Active() {
		return []claim{sync}
	}
	sync.shared = true
	return []claim{{key: companyKey(j.tables.state, j.identity), shared: true}, {key: shardKey(j.tables.state, j.identity), passing: true}, sync}
}

// lockKey is of the sync in this very table, whatever schema name or search path led to it. Locks are per database.
func lockKey(table uint32, syncID string) int64 {
	return keyOf(fmt.Sprintf("sync-sidecar %d %s", table, syncID))
}

// companyKey is of all shards of a read.
func companyKey(table uint32, id sidecar.Identity) int64 {
	return keyOf(fmt.Sprintf("sync-sidecar shards %d %q %q", table, id.SyncID, id.Shard.Task))
}

// shardKey is of one shard.
func shardKey(table uint32, id sidecar.Identity) int64 {
	return keyOf(fmt.Sprintf("sync-sidecar shard %d %q %q %d", table, id.SyncID, id.Shard.Task, id.Shard.Index))
}

// turnKey is of the shard, among all of the sync, that is taking its locks.
func turnKey(table uint32, syncID string) int64 {
	return keyOf(fmt.Sprintf("sync-sidecar turn %d %q", table, syncID))
}

func keyOf(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// halves are a key as pg_locks lists it.
func halves(key int64) []any { return []any{int64(uint64(key) >> 32), int64(uint32(uint64(key)))} }

// await takes the lock. The Pod before this one of a shard is waited for: one that was deleted without grace runs on for a moment. So is a server
// that has no connection left.
func (l *lock) await(ctx context.Context) (*pgx.Conn, error) {
	patience, pause := time.NewTimer(2*l.journal.lockPing), l.journal.lockPing/10
	defer patience.Stop()
	for {
		conn, err := l.take(ctx)
		locked := (*LockedError)(nil)
		if passing := errors.As(err, &locked) && locked.passing; !passing && !server.IsUnavailable(err) {
			return conn, err
		}
		select {
		case <-time.After(pause):
		case <-patience.C:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// How often a shard asks whether it is its turn: at first, and after a while.
const (
	turnPause   = 10 * time.Millisecond
	longestTurn = time.Second
)

// joinSync takes the sync's lock together with other shards of the read, unless another run reads the sync. One shard of the sync at a time does
// that. Its turn is a lock of another transaction, which ends at once, and nobody waits with that connection in hand: a pooler may have few.
func (l *lock) joinSync(ctx context.Context, conn *pgx.Conn, comment string, sync claim) error {
	for pause := turnPause; ; pause = min(2*pause, longestTurn) {
		mine := false
		err := pgx.BeginFunc(ctx, l.journal.pool, func(tx pgx.Tx) (err error) {
			if _, err = tx.Exec(ctx, lockSettingsSQL, l.journal.lease()); err != nil {
				return err
			}
			if mine, err = isFree(ctx, tx, turnKey(l.journal.tables.state, l.journal.identity.SyncID)); err != nil || !mine {
				return err
			}
			if err := l.checkCompany(ctx, conn, comment, sync); err != nil {
				return err
			}
			return l.takeClaim(ctx, conn, comment, sync)
		})
		if err != nil || mine {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // no secret: or all would ask at once again
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// checkCompany refuses a shard whose sync another run reads.
func (l *lock) checkCompany(ctx context.Context, conn *pgx.Conn, comment string, sync claim) error {
	stranger := &LockedError{}
	company := companyKey(l.journal.tables.state, l.journal.identity)
	found, err := l.findHolder(ctx, conn, stranger, comment+strangerSQL, append(halves(sync.key), halves(company)...)...)
	if err != nil || !found {
		return err
	}
	return stranger
}

// lease is how long the server keeps a transaction open that says nothing.
func (j *Journal) lease() string {
	return fmt.Sprintf("%dms", (missedPings * j.lockPing).Milliseconds())
}
