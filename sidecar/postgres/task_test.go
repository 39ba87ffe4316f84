package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

const taskStatusSQL = "select status from source_task"

func saveStatus(t *testing.T, j *Journal, status sidecar.Status) {
	t.Helper()
	must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: status, Description: "of " + string(status)}))
}

func TestSaveTask(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	const row = `select sync_id, task_id, package, version, started_at at time zone 'UTC', started_by, status, description, error, metrics
		from source_task`
	const head = `sync-1|task-1|airbyte/source-faker|7.2.1|2026-05-04 03:02:01|{"trigger": "manual"}|`
	must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: `{"users":{"events":1}}`}))
	equalLines(t, "running", postgrestest.Query(t, url, row), head+`RUNNING|{"users":{"events":1}}|-|-`)
	postgrestest.Exec(t, url, "update source_task set updated_at = '2020-01-01'")
	must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusFailed, Description: `{}`, Error: "out\x00 of memory"}))
	equalLines(t, "failed", postgrestest.Query(t, url, row), head+"FAILED|{}|out\ufffd of memory|-")
	equalLines(t, "updated_at", postgrestest.Query(t, url, "select updated_at > now() - interval '1 minute' from source_task"), "t")
}

func TestSaveTaskKeepsTheConsolesStarter(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	id := testIdentity()
	id.StartedBy = ""
	j := openAs(t, url, id)
	postgrestest.Exec(t, url, `insert into source_task (sync_id, task_id, package, version, status, description, started_by)
		values ('sync-1', 'task-1', 'p', 'v', 'RUNNING', 'Started', '{"trigger": "scheduled"}')`)
	saveStatus(t, j, sidecar.StatusSuccess)
	equalLines(t, "row", postgrestest.Query(t, url, "select status, started_by from source_task"), `SUCCESS|{"trigger": "scheduled"}`)
}

// A late writer never undoes CANCELLED, and RUNNING never replaces an end.
func TestSaveTaskGuard(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	ends := []sidecar.Status{"SUCCESS", "PARTIAL", "FAILED", "TIME_EXCEEDED", "SKIPPED"}
	allowed := func(before, after sidecar.Status) bool {
		switch before {
		case sidecar.StatusPending, sidecar.StatusRunning:
			return true
		case sidecar.StatusCancelled:
			return after == sidecar.StatusCancelled
		}
		return after != sidecar.StatusPending && after != sidecar.StatusRunning
	}
	all := append([]sidecar.Status{"PENDING", "RUNNING", "CANCELLED"}, ends...)
	for _, before := range all {
		for _, after := range all {
			task := fmt.Sprintf("%s to %s", before, after)
			j.identity.TaskID = task
			postgrestest.Exec(t, url, `insert into source_task (sync_id, task_id, package, version, status, description, updated_at)
				values ('s', $1, 'p', 'v', $2, 'before', '2020-01-01')`, task, string(before))
			saveStatus(t, j, after)
			want := string(before) + "|before|t"
			if allowed(before, after) {
				want = fmt.Sprintf("%s|of %s|f", after, after)
			}
			got := postgrestest.Query(t, url, "select status, description, updated_at = '2020-01-01' from source_task where task_id = $1", task)
			equalLines(t, task, got, want)
		}
	}
}

// Whatever the order in which they arrive, a cancel wins.
func TestSaveTaskRace(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	saveStatus(t, j, sidecar.StatusRunning)
	var group sync.WaitGroup
	for _, status := range strings.Fields(strings.Repeat("RUNNING ", 20) + "CANCELLED" + strings.Repeat(" RUNNING", 20)) {
		group.Go(func() {
			if err := j.SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.Status(status)}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	saveStatus(t, j, sidecar.StatusSuccess)
	equalLines(t, "status", postgrestest.Query(t, url, taskStatusSQL), "CANCELLED")
}
