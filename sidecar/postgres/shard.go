package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
	"sync-sidecar/sidecar/share"
)

// A read that is shared out has a task of its own for each shard, and one for the whole. That one's description is the plan of who reads what
// (package share); its status is the sum of all shards', and is written by whichever of them ends last. A shard that is killed leaves both RUNNING:
// its next attempt mends them, whoever ends after it sees that it is lost (see settle.go), or the next run of the sync finds them interrupted.

const (
	historySQL = `select description from @source_task
where sync_id = $1 and task_id <> all ($2::text[]) and description like '{%' order by started_at desc limit 20`

	planSQL = `select coalesce(description, '') from @source_task where task_id = $1`

	// wholeSQL makes the shards take turns at the row of the whole task.
	wholeSQL = `select status, coalesce(description, '') from @source_task where task_id = $1 for update`

	partsSQL = `select task_id, status, coalesce(description, ''), coalesce(%s, '') from @source_task where task_id = any ($1::text[])`

	saveWholeSQL = `update @source_task set status = $2, description = nullif($3, ''), updated_at = now()%s where task_id = $1`

	// staleSQL says that nobody has looked at how the whole task stands for a while.
	staleSQL = `select updated_at < now() - interval '10 seconds' from @source_task where task_id = $1 and status = 'RUNNING'`
)

// Share implements sidecar.Sharer: the first shard that asks decides, by what earlier tasks of the sync brought, and inserts the whole task.
func (j *Journal) Share(ctx context.Context, streams []string) (map[string]int, error) {
	shard := j.identity.Shard
	for i := range streams {
		streams[i] = server.CleanText(streams[i])
	}
	rows, err := j.pool.Query(ctx, j.sql(historySQL), j.identity.SyncID, j.ownTasks())
	if err != nil {
		return nil, j.fail("look for earlier tasks", err)
	}
	history, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, j.fail("look for earlier tasks", err)
	}
	plan, err := share.NewPlan(streams, share.Divide(streams, share.Weights(history), shard.Count))
	if err != nil {
		return nil, j.fail("share the streams out", err)
	}
	statement, args := j.taskStatement(shard.Task, sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: plan})
	// A shard that failed before it came so far has left the row without a plan.
	if err := j.exec(ctx, "share the streams out", statement+" where coalesce(t.description, '') = ''", args...); err != nil {
		return nil, err
	}
	var agreed string
	if err := j.pool.QueryRow(ctx, j.sql(planSQL), shard.Task).Scan(&agreed); err != nil {
		return nil, j.fail("read how the streams are shared out", err)
	}
	shards, err := share.Shards(agreed)
	if err != nil {
		return nil, j.fail(fmt.Sprintf("read how the streams of task %q are shared out", shard.Task), err)
	}
	return shards, nil
}

// saveShard records the status of a shard, and what that makes of the whole task. The first time that a shard is RUNNING begins its row anew,
// whatever its last attempt left there: CANCELLED was that attempt's Pod.
func (j *Journal) saveShard(ctx context.Context, task sidecar.TaskRecord) error {
	running := task.Status == sidecar.StatusRunning || task.Status == sidecar.StatusPending
	j.mu.Lock()
	begins := running && !j.begun
	j.mu.Unlock()
	if !running || begins {
		err := pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) error { return j.moveShard(ctx, tx, task, begins) })
		if err != nil {
			return j.fail("save the task", err)
		}
		j.mu.Lock()
		j.begun = true
		j.mu.Unlock()
		return nil
	}
	statement, args := j.taskStatement(j.identity.TaskID, task)
	tag, err := j.pool.Exec(ctx, j.sql(statement+guardSQL), args...)
	if err == nil && tag.RowsAffected() == 0 { // it has ended, somebody says
		err = pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) error { return j.returnFromLoss(ctx, tx, statement, args) })
	}
	if err != nil {
		return j.fail("save the task", err)
	}
	var stale bool
	err = j.pool.QueryRow(ctx, j.sql(staleSQL), j.identity.Shard.Task).Scan(&stale)
	if err == nil && stale {
		err = pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) error { return j.sumUp(ctx, tx, false) })
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return j.fail("save the whole task", err)
	}
	return nil
}

// moveShard writes the row of a shard that begins or ends.
func (j *Journal) moveShard(ctx context.Context, tx pgx.Tx, task sidecar.TaskRecord, begins bool) error {
	if j.held() == nil {
		// A shard that could not begin. Where its predecessor is still at work, the row is that one's.
		key := shardKey(j.tables.state, j.identity)
		var free bool
		if err := tx.QueryRow(ctx, tryLockSQL, key).Scan(&free); err != nil {
			return err
		}
		if !free {
			return &LockedError{SyncID: j.identity.SyncID, Holder: "another Pod of " + j.identity.Shard.String()}
		}
	}
	// The whole before its parts: every shard locks in this order.
	tag, err := tx.Exec(ctx, j.sql(wholeSQL), j.identity.Shard.Task)
	if err == nil && tag.RowsAffected() == 0 && !begins {
		err = j.failWhole(ctx, tx, task)
	}
	if err != nil {
		return err
	}
	statement, args := j.taskStatement(j.identity.TaskID, task)
	cancelled := false
	if begins {
		parts, err := j.parts(ctx, tx)
		if err != nil {
			return err
		}
		for _, part := range parts {
			cancelled = cancelled || part.Status == sidecar.StatusCancelled
		}
		statement += ", started_at = excluded.started_at"
	} else {
		statement += guardSQL
	}
	if _, err := tx.Exec(ctx, j.sql(statement), args...); err != nil {
		return err
	}
	if !begins {
		if err := j.endLost(ctx, tx, sidecar.StatusFailed); err != nil {
			return err
		}
	}
	return j.sumUp(ctx, tx, cancelled)
}

// failWhole records a whole task whose streams were never shared out, since its shards fail before that. One that does not fail shares them out
// still.
func (j *Journal) failWhole(ctx context.Context, tx pgx.Tx, task sidecar.TaskRecord) error {
	if !j.tables.taskError { // the error would stand in for the plan
		return nil
	}
	shard := j.identity.Shard
	failed := sidecar.TaskRecord{Status: task.Status, Error: fmt.Sprintf("shard %d %s: %s", shard.Index, task.Status, task.Error)}
	statement, args := j.taskStatement(shard.Task, failed)
	_, err := tx.Exec(ctx, j.sql(statement+" where false"), args...)
	return err
}

// sumUp writes the row of the whole task. CANCELLED stays when no shard has been: then somebody else has written that. byShard says that one had been
// before, in this transaction.
func (j *Journal) sumUp(ctx context.Context, tx pgx.Tx, byShard bool) error {
	whole := j.identity.Shard.Task
	var status sidecar.Status
	var plan string
	err := tx.QueryRow(ctx, j.sql(wholeSQL), whole).Scan(&status, &plan)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // somebody has removed it: the shards' own rows are there
	}
	if err != nil {
		return err
	}
	parts, err := j.parts(ctx, tx)
	if err != nil {
		return err
	}
	record, err := share.Sum(plan, parts)
	if err != nil {
		return nil //nolint:nilerr // another program has written its description: it is that one's now
	}
	for _, part := range parts {
		byShard = byShard || part.Status == sidecar.StatusCancelled
	}
	if status == sidecar.StatusCancelled && !byShard {
		return nil
	}
	description, taskError := j.taskTexts(record)
	args, errorColumn := []any{whole, string(record.Status), description}, ""
	if j.tables.taskError {
		args, errorColumn = append(args, taskError), ", error = nullif($4, '')"
	}
	_, err = tx.Exec(ctx, j.sql(fmt.Sprintf(saveWholeSQL, errorColumn)), args...)
	return err
}

// parts are the rows of the shards.
func (j *Journal) parts(ctx context.Context, tx pgx.Tx) ([]share.Part, error) {
	column := "error"
	if !j.tables.taskError {
		column = "''"
	}
	ids := j.identity.Shard.TaskIDs()
	rows, err := tx.Query(ctx, j.sql(fmt.Sprintf(partsSQL, column)), ids)
	if err != nil {
		return nil, err
	}
	found := map[string]share.Part{}
	var id string
	var part share.Part
	_, err = pgx.ForEachRow(rows, []any{&id, &part.Status, &part.Description, &part.Error}, func() error {
		found[id] = part
		return nil
	})
	if err != nil {
		return nil, err
	}
	parts := make([]share.Part, len(ids))
	for i, id := range ids {
		parts[i] = found[id]
	}
	return parts, nil
}
