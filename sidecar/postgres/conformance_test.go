package postgres

import (
	"encoding/json"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t) // to make a schema takes a tenth of the time
	var schemas atomic.Int32
	sidecartest.VerifyJournal(t, func(t testing.TB) sidecartest.JournalFixture {
		t.Helper()
		return fixture(t, database, fmt.Sprint("schema", schemas.Add(1)))
	})
}

// fixture looks into the tables of a schema.
func fixture(t testing.TB, database, schema string) sidecartest.JournalFixture {
	t.Helper()
	journal, tables := database+"&schema="+schema, database+"&search_path="+schema
	return sidecartest.JournalFixture{
		Open:    func(identity sidecar.Identity) sidecar.Journal { return openHere(t, journal, identity) },
		Task:    func(identity sidecar.Identity) sidecar.TaskRecord { return taskOf(t, tables, identity.TaskID) },
		Result:  func(_ sidecar.Identity, command sidecar.Command) sidecar.Result { return resultOf(t, tables, command) },
		Logs:    func(sidecar.Identity) []sidecar.LogRecord { return logsOf(t, tables) },
		Refuses: []byte(`{"n":1e200000}`),
		Hold: func(identity sidecar.Identity) func() {
			return sidecartest.HoldInProcess(t, "TestLockHolder", journal, identity)
		},
		Secrets: []string{passwordOf(t, database)},
	}
}

// TestLockHolder is the process of "the lock ends with its process".
func TestLockHolder(t *testing.T) { //nolint:paralleltest // it is alone in its process
	sidecartest.HoldLock(t, openHere)
}

func openHere(t testing.TB, address string, identity sidecar.Identity) sidecar.Journal {
	t.Helper()
	journal, err := Open(t.Context(), Options{URL: address, Identity: identity})
	must(t, err)
	return journal
}

func passwordOf(t testing.TB, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	must(t, err)
	password, _ := parsed.User.Password()
	return password
}

// texts runs a query for JSON arrays of texts.
func texts(t testing.TB, address, query string, args ...any) [][]string {
	t.Helper()
	var rows [][]string
	for _, row := range postgrestest.Query(t, address, query, args...) {
		var columns []string
		must(t, json.Unmarshal([]byte(row), &columns))
		rows = append(rows, columns)
	}
	return rows
}

func taskOf(t testing.TB, address, task string) sidecar.TaskRecord {
	t.Helper()
	const query = "select json_build_array(status, coalesce(description, ''), coalesce(error, '')) from source_task where task_id = $1"
	for _, columns := range texts(t, address, query, task) {
		return sidecar.TaskRecord{Status: sidecar.Status(columns[0]), Description: columns[1], Error: columns[2]}
	}
	return sidecar.TaskRecord{}
}

func resultOf(t testing.TB, address string, command sidecar.Command) sidecar.Result {
	t.Helper()
	query := map[sidecar.Command]string{
		sidecar.CommandSpec:     "select json_build_array('', coalesce(error, ''), coalesce(specs::text, '')) from source_spec", // it has no status
		sidecar.CommandCheck:    "select json_build_array(status, coalesce(description, ''), '') from source_check",
		sidecar.CommandDiscover: "select json_build_array(status, coalesce(description, ''), coalesce(catalog::text, '')) from source_catalog",
	}[command]
	for _, columns := range texts(t, address, query) {
		return sidecar.Result{Command: command, Status: sidecar.Status(columns[0]), Message: columns[1], Payload: []byte(columns[2])}
	}
	return sidecar.Result{}
}

func logsOf(t testing.TB, address string) []sidecar.LogRecord {
	t.Helper()
	const query = `select json_build_array(to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), level, logger, message)
		from task_log order by timestamp`
	var logs []sidecar.LogRecord
	for _, columns := range texts(t, address, query) {
		at, err := time.Parse(time.RFC3339, columns[0])
		must(t, err)
		logs = append(logs, sidecar.LogRecord{Time: at, Level: columns[1], Logger: columns[2], Message: columns[3]})
	}
	return logs
}
