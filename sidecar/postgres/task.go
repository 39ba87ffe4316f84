package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// The guard: a task on its way takes any status; an ended one takes another end (a late verdict corrects an early one), but CANCELLED only
// itself, as somebody wanted it so. Statuses that we do not know, such as the console's SKIPPED, are ends.
const guardSQL = `
where t.status in ('PENDING', 'RUNNING') or t.status = excluded.status
    or (t.status <> 'CANCELLED' and excluded.status not in ('PENDING', 'RUNNING'))`

const saveTaskSQL = `
insert into @source_task as t (sync_id, task_id, package, version, started_at, updated_at, status, description%[1]s)
values ($1, $2, $3, $4, coalesce($5::timestamptz, now()), now(), $6, nullif($7, '')%[2]s)
on conflict (task_id) do update
set updated_at = excluded.updated_at, status = excluded.status, description = excluded.description%[3]s`

// SaveTask records the status of the task, and that it is alive: updated_at moves with every call that the guard lets through. One that the guard
// stops is no error. In a table without the column error, the error stands in for an empty description, as upstream did. Of a shard the status of the
// whole task is recorded, too.
func (j *Journal) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	if j.identity.Shard.Active() {
		return j.saveShard(ctx, task)
	}
	statement, args := j.taskStatement(j.identity.TaskID, task)
	return j.exec(ctx, "save the task", statement+guardSQL, args...)
}

// taskStatement is the statement that writes the row of a task, without a guard, and its arguments.
func (j *Journal) taskStatement(taskID string, task sidecar.TaskRecord) (statement string, args []any) {
	id := j.identity
	description, taskError := j.taskTexts(task)
	var startedAt any
	if !id.StartedAt.IsZero() {
		startedAt = id.StartedAt
	}
	args = []any{id.SyncID, taskID, id.Package, id.PackageVersion, startedAt, string(task.Status), description}
	var columns, values, updates string
	if j.tables.taskError {
		args = append(args, taskError)
		columns += ", error"
		values += fmt.Sprintf(", nullif($%d, '')", len(args))
		updates += ", error = excluded.error"
	}
	if j.tables.startedBy {
		args = append(args, id.StartedBy)
		columns += ", started_by"
		values += fmt.Sprintf(", nullif($%d, '')::jsonb", len(args))
		updates += ", started_by = coalesce(excluded.started_by, t.started_by)"
	}
	return fmt.Sprintf(saveTaskSQL, columns, values, updates), args
}

// taskTexts are description and error as the table takes them.
func (j *Journal) taskTexts(task sidecar.TaskRecord) (description, taskError string) {
	description, taskError = server.CleanText(task.Description), server.CleanText(task.Error)
	if !j.tables.taskError && description == "" {
		description = taskError
	}
	return description, taskError
}

// A task that another began later than this one may be waiting for its turn.
const interruptedSQL = `
update @source_task set status = 'FAILED', updated_at = now(), %s
where sync_id = $1 and task_id <> all ($2::text[]) and status = 'RUNNING' and started_at < $3
returning task_id`

// Interrupted implements sidecar.InterruptionFinder. Call it with the lock held. Other shards of this read, and the whole of it, may well be running.
func (j *Journal) Interrupted(ctx context.Context) ([]string, error) {
	id := j.identity
	if id.SyncID == "" || id.StartedAt.IsZero() {
		return nil, nil
	}
	rows, err := j.pool.Query(ctx, j.sql(fmt.Sprintf(interruptedSQL, j.reasonColumn(4))), id.SyncID, j.ownTasks(), id.StartedAt, sidecar.InterruptedText)
	if err != nil {
		return nil, j.fail("look for interrupted tasks", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, j.fail("record interrupted tasks", err)
	}
	return tasks, nil
}

// ownTasks are those that belong to this read.
func (j *Journal) ownTasks() []string {
	if shard := j.identity.Shard; shard.Active() {
		return append(shard.TaskIDs(), shard.Task)
	}
	return []string{j.identity.TaskID}
}
