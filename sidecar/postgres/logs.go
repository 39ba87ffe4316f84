package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// Arrays rather than COPY: one round trip, no more rights than INSERT, and any pooler understands it.
const appendLogsSQL = `
insert into @task_log (id, level, logger, message, sync_id, task_id, timestamp)
select id, level, logger, message, $1, $2, time
from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]) as line (id, level, logger, message, time)`

// AppendLogs records log lines, all of a call or none.
func (j *Journal) AppendLogs(ctx context.Context, logs []sidecar.LogRecord) error {
	if len(logs) == 0 {
		return nil
	}
	ids, levels, loggers := make([]string, len(logs)), make([]string, len(logs)), make([]string, len(logs))
	messages, times := make([]string, len(logs)), make([]time.Time, len(logs))
	for i, line := range logs {
		// The console's table has no default for the id.
		id, err := uuid.NewRandom()
		if err != nil {
			return j.fail("append logs", err)
		}
		ids[i], levels[i], loggers[i] = id.String(), server.CleanText(line.Level), server.CleanText(line.Logger)
		messages[i], times[i] = server.CleanText(line.Message), line.Time
	}
	return j.exec(ctx, "append logs", appendLogsSQL, j.identity.SyncID, j.identity.TaskID, ids, levels, loggers, messages, times)
}
