package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
)

// endSQL ends a task that is on its way, and leaves what it says of its streams.
const endSQL = `update @source_task set status = $2, updated_at = now(), %s where task_id = any ($1::text[]) and status in ('PENDING', 'RUNNING')`

// Settle implements sidecar.Settler.
func (j *Journal) Settle(ctx context.Context, status sidecar.Status) error {
	settle := j.settleTask
	if j.identity.Shard.Active() {
		settle = j.settleShards
	}
	if err := pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) error { return settle(ctx, tx, status) }); err != nil {
		return j.fail("record the end of the task", err)
	}
	return nil
}

// settleTask ends the task of a read that is not shared out. While another run of the sync is at work, the row is that one's to end: Interrupted.
func (j *Journal) settleTask(ctx context.Context, tx pgx.Tx, status sidecar.Status) error {
	free, err := isFree(ctx, tx, lockKey(j.tables.state, j.identity.SyncID))
	if err != nil || !free {
		return err
	}
	return j.endTasks(ctx, tx, []string{j.identity.TaskID}, status, sidecar.InterruptedText)
}

// settleShards ends the tasks of shards that nobody is at work on, and of those that never began, if any has.
func (j *Journal) settleShards(ctx context.Context, tx pgx.Tx, status sidecar.Status) error {
	if tag, err := tx.Exec(ctx, j.sql(wholeSQL), j.identity.Shard.Task); err != nil || tag.RowsAffected() == 0 {
		return err
	}
	parts, err := j.parts(ctx, tx)
	if err != nil {
		return err
	}
	for i, id := range j.identity.Shard.TaskIDs() {
		if parts[i].Status != "" {
			continue
		}
		shard := j.identity
		shard.Shard.Index = i
		free, err := isFree(ctx, tx, shardKey(j.tables.state, shard))
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		statement, args := j.taskStatement(id, sidecar.TaskRecord{Status: status, Error: sidecar.AbsentShardText})
		if _, err := tx.Exec(ctx, j.sql(statement+" where false"), args...); err != nil {
			return err
		}
	}
	if err := j.endLost(ctx, tx, status); err != nil {
		return err
	}
	return j.sumUp(ctx, tx, false)
}

// endLost ends the tasks of shards whose Pods are lost: RUNNING, and nobody holds their locks. One that only lost the connection which holds
// its lock says so when it saves its task again: returnFromLoss. While any other shard is at work it leaves that to it: a lost one may be replaced
// by then.
func (j *Journal) endLost(ctx context.Context, tx pgx.Tx, status sidecar.Status) error {
	parts, err := j.parts(ctx, tx)
	if err != nil {
		return err
	}
	var lost []string
	for i, id := range j.identity.Shard.TaskIDs() {
		if !onItsWay(parts[i].Status) {
			continue
		}
		shard := j.identity
		shard.Shard.Index = i
		free, err := isFree(ctx, tx, shardKey(j.tables.state, shard))
		if err != nil || !free {
			return err
		}
		lost = append(lost, id)
	}
	return j.endTasks(ctx, tx, lost, status, sidecar.LostShardText)
}

// onItsWay says that a task has begun and not ended.
func onItsWay(status sidecar.Status) bool {
	return status == sidecar.StatusPending || status == sidecar.StatusRunning
}

// isFree says that nobody holds a lock: it is taken until the transaction ends.
func isFree(ctx context.Context, tx pgx.Tx, key int64) (free bool, err error) {
	err = tx.QueryRow(ctx, tryLockSQL, key).Scan(&free)
	return free, err
}

// endTasks ends those of the tasks that have not ended.
func (j *Journal) endTasks(ctx context.Context, tx pgx.Tx, tasks []string, status sidecar.Status, why string) error {
	if len(tasks) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, j.sql(fmt.Sprintf(endSQL, j.reasonColumn(3))), tasks, string(status), why)
	return err
}

// reasonColumn sets why a task ended to an argument of the statement, as SaveTask does.
func (j *Journal) reasonColumn(argument int) string {
	if j.tables.taskError {
		return fmt.Sprintf("error = $%d", argument)
	}
	return fmt.Sprintf("description = coalesce(nullif(description, ''), $%d)", argument)
}

// returnFromLoss writes the row of this shard again, by a statement of taskStatement, if another one took it for lost.
func (j *Journal) returnFromLoss(ctx context.Context, tx pgx.Tx, statement string, args []any) error {
	if _, err := tx.Exec(ctx, j.sql(wholeSQL), j.identity.Shard.Task); err != nil {
		return err
	}
	parts, err := j.parts(ctx, tx)
	if err != nil {
		return err
	}
	mine := parts[j.identity.Shard.Index]
	if mine.Status != sidecar.StatusFailed || !slices.Contains([]string{mine.Error, mine.Description}, sidecar.LostShardText) {
		return nil
	}
	if _, err := tx.Exec(ctx, j.sql(statement), args...); err != nil {
		return err
	}
	return j.sumUp(ctx, tx, false)
}
