package postgres

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// What Jitsu's sync-controller writes into the tables beside a sidecar (jitsucom/bulker, sync-sidecar/db/db.go, which sync-controller/task_manager.go
// uses): rows that it upserts by the names of the primary keys, of a task only while that is RUNNING, and columns that are its own.
const (
	controllerTask = `insert into source_task as t (sync_id, task_id, package, version, started_at, updated_at, status, error, started_by)
values ('sync-1', 'task-1', 'airbyte/source-faker', '7.2.1', '2026-05-04 03:02:01Z', now(), $1, $2, '{"trigger": "scheduled"}')
on conflict on constraint source_task_pkey do update set updated_at = excluded.updated_at, status = excluded.status, error = excluded.error,
    started_by = excluded.started_by where t.status = 'RUNNING'`

	controllerMetrics = `update source_task set updated_at = now(), metrics = '{"mem_usage": 7}' where task_id = 'task-1' and status = 'RUNNING'`

	controllerCancel = `update source_task set status = 'CANCELLED' where task_id = 'task-1' and status = 'RUNNING'`

	controllerStale = `update source_task set status = 'FAILED', error = 'interrupted' where status = 'RUNNING' and updated_at < now() + interval '1 h'`

	controllerCatalog = `insert into source_catalog as c (package, version, key, timestamp, status, description)
values ('airbyte/source-faker', '7.2.1', 'key-1', now(), $1, $2)
on conflict on constraint source_catalog_pkey do update set timestamp = excluded.timestamp, status = excluded.status,
    description = excluded.description where $1 = 'RUNNING' or c.status = 'RUNNING'`

	controllerSpec = `insert into source_spec as s (package, version, timestamp, error) values ('airbyte/source-faker', '7.2.1', now(), $1)
on conflict on constraint source_spec_pkey do update set timestamp = excluded.timestamp, error = excluded.error where s.specs is null`

	controllerCheck = `insert into source_check (package, version, key, status, description, timestamp)
values ('airbyte/source-faker', '7.2.1', 'key-1', 'FAILED', $1, now()) on conflict on constraint source_check_pkey do nothing`
)

// The sidecar may well be the one that made the tables. What it recorded stays, whatever the controller makes of the Pod's end.
func TestControllerBesideUs(t *testing.T) {
	t.Parallel()
	const look = `select status, coalesce(error, '-'), started_by->>'trigger', coalesce(metrics->>'mem_usage', '-') from source_task`
	for name, test := range map[string]struct {
		before []string // statements of the controller while the sidecar works
		ends   sidecar.Status
		want   string
	}{
		"it goes well":              {nil, sidecar.StatusSuccess, "SUCCESS|-|scheduled|7"},
		"a part of it":              {nil, sidecar.StatusPartial, "PARTIAL|-|scheduled|7"},
		"it takes too long":         {nil, sidecar.StatusTimeExceeded, "TIME_EXCEEDED|-|scheduled|7"},
		"somebody cancels it":       {[]string{controllerCancel}, sidecar.StatusPartial, "CANCELLED|-|scheduled|7"},
		"it is cancelled, and says": {[]string{controllerCancel}, sidecar.StatusCancelled, "CANCELLED|-|scheduled|7"},
		"it is taken for stale":     {[]string{controllerStale}, sidecar.StatusSuccess, "SUCCESS|-|scheduled|7"},
		"it is killed":              {nil, "", "FAILED|pod logs|scheduled|7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.Database(t)
			id := testIdentity()
			id.StartedBy = "" // as of a Pod whose query had none
			j := openAs(t, url, id)
			postgrestest.Exec(t, url, controllerTask, "RUNNING", "")
			saveStatus(t, j, sidecar.StatusRunning)
			for _, statement := range append([]string{controllerMetrics}, test.before...) {
				postgrestest.Exec(t, url, statement)
			}
			if test.ends != "" {
				saveStatus(t, j, test.ends)
			}
			postgrestest.Exec(t, url, controllerTask, "FAILED", "pod logs")
			equalLines(t, "task", postgrestest.Query(t, url, look), test.want)
		})
	}
}

// The same for answers: the controller records a failed Pod only where no answer is.
func TestControllerBesideOurAnswers(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	postgrestest.Exec(t, url, controllerCatalog, "RUNNING", "")
	for _, result := range []sidecar.Result{
		{Command: sidecar.CommandSpec, Status: sidecar.StatusSuccess, Payload: []byte(`{"s":1}`)},
		{Command: sidecar.CommandCheck, Status: sidecar.StatusFailed, Message: "no such account"},
		{Command: sidecar.CommandDiscover, Status: sidecar.StatusSuccess, Payload: []byte(`{"streams":[]}`)},
	} {
		must(t, j.SaveResult(within(t), result))
	}
	postgrestest.Exec(t, url, controllerSpec, "pod logs")
	postgrestest.Exec(t, url, controllerCheck, "pod logs")
	postgrestest.Exec(t, url, controllerCatalog, "FAILED", "pod logs")
	got := postgrestest.Query(t, url, `select (select coalesce(error, '') || specs::text from source_spec),
		(select status || ' ' || description from source_check), (select status || ' ' || coalesce(description, '-') from source_catalog)`)
	if want := `{"s": 1}|FAILED no such account|SUCCESS -`; strings.Join(got, "") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
