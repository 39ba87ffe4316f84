package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

func TestSaveSpec(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	const rows = "select package, version, specs, error from source_spec"
	failed := sidecar.Result{Command: sidecar.CommandSpec, Status: sidecar.StatusFailed, Message: "no such image"}
	must(t, j.SaveResult(within(t), failed))
	equalLines(t, "failed", postgrestest.Query(t, url, rows), "airbyte/source-faker|7.2.1|-|no such image")
	found := sidecar.Result{Command: sidecar.CommandSpec, Status: sidecar.StatusSuccess, Payload: json.RawMessage(`{"title":"a\u0000\ud800b"}`)}
	must(t, j.SaveResult(within(t), found))
	equalLines(t, "found", postgrestest.Query(t, url, rows), "airbyte/source-faker|7.2.1|{\"title\": \"a\ufffd\ufffdb\"}|-")
	must(t, j.SaveResult(within(t), failed))
	equalLines(t, "failed later", postgrestest.Query(t, url, rows), "airbyte/source-faker|7.2.1|{\"title\": \"a\ufffd\ufffdb\"}|no such image")
}

func TestSaveCheck(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	const rows = "select package, version, key, status, description from source_check"
	j := open(t, url)
	must(t, j.SaveResult(within(t), sidecar.Result{Command: sidecar.CommandCheck, Status: sidecar.StatusFailed, Message: "wrong\x00 password"}))
	equalLines(t, "failed", postgrestest.Query(t, url, rows), "airbyte/source-faker|7.2.1|key-1|FAILED|wrong\ufffd password")
	newer := testIdentity()
	newer.PackageVersion = "7.3.0"
	must(t, openAs(t, url, newer).SaveResult(within(t), sidecar.Result{Command: sidecar.CommandCheck, Status: sidecar.StatusSuccess}))
	equalLines(t, "again", postgrestest.Query(t, url, rows), "airbyte/source-faker|7.3.0|key-1|SUCCESS|-")
}

func TestSaveCatalog(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	const rows = "select package, version, key, catalog, status, description from source_catalog"
	const row = "airbyte/source-faker|7.2.1|key-1|"
	for _, step := range []struct {
		result sidecar.Result
		want   string
	}{
		{sidecar.Result{Status: sidecar.StatusRunning}, "-|RUNNING|-"},
		{sidecar.Result{Status: sidecar.StatusFailed, Message: "no network"}, "-|FAILED|no network"},
		{sidecar.Result{Status: sidecar.StatusSuccess, Payload: json.RawMessage(`{"streams":[]}`)}, `{"streams": []}|SUCCESS|-`},
		{sidecar.Result{Status: sidecar.StatusRunning}, `{"streams": []}|RUNNING|-`},
		{sidecar.Result{Status: sidecar.StatusFailed, Message: "gone", Payload: json.RawMessage(`{"half":1}`)}, `{"streams": []}|FAILED|gone`},
		{sidecar.Result{Status: sidecar.StatusSuccess, Payload: json.RawMessage(`{"streams":[1]}`)}, `{"streams": [1]}|SUCCESS|-`},
	} {
		step.result.Command = sidecar.CommandDiscover
		must(t, j.SaveResult(within(t), step.result))
		equalLines(t, fmt.Sprint(step.result.Status), postgrestest.Query(t, url, rows), row+step.want)
	}
}

func TestSaveResultOfRead(t *testing.T) {
	t.Parallel()
	j := open(t, postgrestest.Database(t))
	err := j.SaveResult(within(t), sidecar.Result{Command: sidecar.CommandRead})
	if err == nil || !strings.Contains(err.Error(), `"read"`) {
		t.Errorf("got %v", err)
	}
}

func TestAppendLogs(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := open(t, url)
	must(t, j.AppendLogs(within(t), nil))
	start := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	lines := make([]sidecar.LogRecord, 2000)
	for i := range lines {
		lines[i] = sidecar.LogRecord{Time: start.Add(time.Duration(i) * time.Second), Level: "INFO", Logger: "source", Message: fmt.Sprint("line ", i)}
	}
	lines[7] = sidecar.LogRecord{Time: start, Level: "ERROR", Logger: "sidecar", Message: "a \x00 b \xff c {\"quoted\", \\ 'too'}\nnull"}
	must(t, j.AppendLogs(within(t), lines))
	must(t, j.AppendLogs(within(t), lines[:1]))
	const count = "select count(*), count(distinct id) from task_log where sync_id = 'sync-1' and task_id = 'task-1'"
	equalLines(t, "count", postgrestest.Query(t, url, count), "2001|2001")
	equalLines(t, "odd line", postgrestest.Query(t, url, "select level, logger, message from task_log where logger = 'sidecar'"),
		"ERROR|sidecar|a \ufffd b \ufffd c {\"quoted\", \\ 'too'}\nnull")
	const times = "select distinct timestamp at time zone 'UTC' from task_log where message = 'line 0'"
	equalLines(t, "times", postgrestest.Query(t, url, times), "2026-01-02 03:04:05.678")
}
