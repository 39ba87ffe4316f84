package destination

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// Only the run that took a sync over last commits, whatever became of its lock (I1). Where a read is shared out, the sync is taken over by the read
// as a whole, whose shards all name it, and each shard by its Pod.

const (
	takeOverSQL = `insert into @destination_sync (sync_id, run, task_id) values ($1, $2, $3)
on conflict (sync_id) do update set run = excluded.run, task_id = excluded.task_id, started_at = now()`

	// joinSQL leaves the row alone that an earlier shard of the read has written: others are committing by it.
	joinSQL = takeOverSQL + ` where destination_sync.run <> excluded.run`

	takeOverShardSQL = `insert into @destination_shard (sync_id, shard, run) values ($1, $2, $3)
on conflict (sync_id, shard) do update set run = excluded.run, started_at = now()`

	// fenceSQL makes a later run wait for this transaction, and lets us see whether there was one.
	fenceSQL = `select run from @destination_sync where sync_id = $1 for share`

	fenceShardSQL = `select run from @destination_shard where sync_id = $1 and shard = $2 for share`
)

// takeOver makes this the run that commits. It waits for those that are committing.
func (c *Client) takeOver(ctx context.Context, tx pgx.Tx) error {
	id := c.options.Identity
	if !id.Shard.Active() {
		_, err := tx.Exec(ctx, c.sql(takeOverSQL), id.SyncID, c.run, id.TaskID)
		return err
	}
	if _, err := tx.Exec(ctx, c.sql(joinSQL), id.SyncID, c.wholeRun(), server.CleanText(id.Shard.Task)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, c.sql(takeOverShardSQL), id.SyncID, id.Shard.Index, c.run)
	return err
}

// wholeRun is what destination_sync says of a read that is shared out.
func (c *Client) wholeRun() string {
	return "shards of task " + server.CleanText(c.options.Identity.Shard.Task)
}

// mayCommit keeps later runs from taking over before the transaction has ended. The error is final when one has done so already.
func (c *Client) mayCommit(ctx context.Context, tx pgx.Tx) error {
	id := c.options.Identity
	run, err := holderOf(ctx, tx, c.sql(fenceSQL), id.SyncID)
	switch {
	case err != nil:
		return err
	case !id.Shard.Active():
		if run != c.run {
			return c.errTakenOver()
		}
		return nil
	case run != c.wholeRun():
		return c.errTakenOver()
	}
	if run, err = holderOf(ctx, tx, c.sql(fenceShardSQL), id.SyncID, id.Shard.Index); err == nil && run != c.run {
		err = c.errTakenOver()
	}
	return err
}

// holderOf is the run that a row names; empty where there is no row.
func holderOf(ctx context.Context, tx pgx.Tx, query string, args ...any) (run string, err error) {
	if err = tx.QueryRow(ctx, query, args...).Scan(&run); isNoRows(err) {
		err = nil
	}
	return run, err
}

// errTakenOver is final.
func (c *Client) errTakenOver() error {
	return &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("another run of sync %q has begun meanwhile and goes on from what was committed: "+
		"this one commits no more", c.options.Identity.SyncID), Cause: sidecar.ErrLocked}
}
