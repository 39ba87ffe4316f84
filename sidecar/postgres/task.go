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
const saveTaskSQL = `
insert into @source_task as t (sync_id, task_id, package, version, started_at, updated_at, status, description%[1]s)
values ($1, $2, $3, $4, coalesce($5::timestamptz, now()), now(), $6, nullif($7, '')%[2]s)
on conflict (task_id) do update
set updated_at = excluded.updated_at, status = excluded.status, description = excluded.description%[3]s
where t.status in ('PENDING', 'RUNNING') or t.status = excluded.status
    or (t.status <> 'CANCELLED' and excluded.status not in ('PENDING', 'RUNNING'))`

// SaveTask records the status of the task, and that it is alive: updated_at moves with every call that the guard lets through. One that the guard
// stops is no error. In a table without the column error, the error stands in for an empty description, as upstream did.
func (j *Journal) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	id := j.identity
	description, taskError := server.CleanText(task.Description), server.CleanText(task.Error)
	if !j.tables.taskError && description == "" {
		description = taskError
	}
	var startedAt any
	if !id.StartedAt.IsZero() {
		startedAt = id.StartedAt
	}
	args := []any{id.SyncID, id.TaskID, id.Package, id.PackageVersion, startedAt, string(task.Status), description}
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
	return j.exec(ctx, "save the task", fmt.Sprintf(saveTaskSQL, columns, values, updates), args...)
}

// A task that another began later than this one may be waiting for its turn.
const interruptedSQL = `
update @source_task set status = 'FAILED', updated_at = now(), %s
where sync_id = $1 and task_id <> $2 and status = 'RUNNING' and started_at < $3
returning task_id`

// Interrupted implements sidecar.InterruptionFinder. Call it with the lock held.
func (j *Journal) Interrupted(ctx context.Context) ([]string, error) {
	id := j.identity
	if id.SyncID == "" || id.StartedAt.IsZero() {
		return nil, nil
	}
	reason := "description = coalesce(nullif(description, ''), $4)" // as in SaveTask
	if j.tables.taskError {
		reason = "error = $4"
	}
	rows, err := j.pool.Query(ctx, j.sql(fmt.Sprintf(interruptedSQL, reason)), id.SyncID, id.TaskID, id.StartedAt, sidecar.InterruptedText)
	if err != nil {
		return nil, j.fail("look for interrupted tasks", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, j.fail("record interrupted tasks", err)
	}
	return tasks, nil
}
