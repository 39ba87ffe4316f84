package main

import (
	"net/url"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// A sync that Bulker does not know: the error says what SYNC_ID is for, before the connector is listened to.
func TestUnknownDestination(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`)
	server := p.useBulker(bulkertest.Options{Destinations: []string{"another"}})
	p.run().want(t, exitEnvironment, "destination not found", "SYNC_ID")
	wantCounts(t, tableCounts(t, server), map[string]int64{})
	if got := p.file("state.json"); strings.Contains(got, "updated_at\":\"20") {
		t.Errorf("a state ahead of its rows: %s", got)
	}
}

// A database user who may not make tables: the error says which right is missing, before a connector is listened to.
func TestUserWithoutRights(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	postgrestest.Exec(t, database, `create role visitor login password 'sesame-pw'; revoke create on schema public from public`)
	t.Cleanup(func() { postgrestest.Exec(t, database, `drop role visitor`) })
	parsed, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	parsed.User = url.UserPassword("visitor", "sesame-pw")
	p := newPod(t, "read", `{}`).set("DATABASE_URL", parsed.String())
	sidecar := p.startSidecar()
	got := outcome{sidecar.wait(), sidecar.stderr.String()}
	got.want(t, exitEnvironment, "DATABASE_URL", "permission denied")
	p.wantSecret(got, "", "sesame")
}

// The end of a pod before its connector came, or while it thinks: CANCELLED, or a result that says so, at once.
func TestSignalsBeforeRows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command string
		source  string // "-" is none
		sql     string
		want    string
	}{
		"read, no source":     {"read", "-", `select status from source_task`, "CANCELLED"},
		"read, silent source": {"read", "sleep 60", `select status from source_task`, "CANCELLED"},
		"discover":            {"discover", "sleep 60", `select status, description like '%signal%' from source_catalog`, "FAILED|t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, test.command, `{}`).set("SHUTDOWN_GRACE", "2s") // half of it is the source's, to end by itself
			database := p.usePostgres()
			p.script(test.source)
			sidecar := p.startSidecar()
			if test.source != "-" {
				p.startSource()
			}
			table := map[string]string{"read": "source_task", "discover": "source_catalog"}[test.command]
			eventually(t, func() bool {
				return len(postgrestest.Query(t, database, `select 1 from information_schema.tables where table_name = $1`, table)) > 0 &&
					len(postgrestest.Query(t, database, `select 1 from `+table)) > 0
			}, func() string { return "it does not begin: " + sidecar.stderr.String() })
			sidecar.signal(syscall.SIGTERM)
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, exitSignal+15, test.command+" CANCELLED")
			wantLines(t, table, postgrestest.Query(t, database, test.sql), test.want)
		})
	}
}

// The answer of a connector is of no use when it cannot be recorded; the last line says that there was one.
func TestAnswerThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	postgres := postgrestest.Start(t)
	p := newPod(t, "check", `{"faults":{"silence":{"command":"check","seconds":2}}}`).set("DATABASE_URL", postgres.DSN(), "JOURNAL_TIMEOUT", "500ms")
	sidecar := p.startSidecar()
	p.script(`echo '{"type":"LOG","log":{"level":"INFO","message":"here"}}'; while [ ! -e ` + p.path("go") + ` ]; do sleep 0.05; done
echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}'`)
	p.startSource()
	sidecar.stderr.await(t, "here")
	postgres.Kill(t)
	p.put("go", "")
	got := outcome{sidecar.wait(), sidecar.stderr.String()}
	got.want(t, exitEnvironment)
	mustContain(t, "the last line", got.lastLine(), "check SUCCESS", "could not be recorded")
}

// Streams that the source does not have, and streams whose states would be one and the same.
func TestOddCatalogs(t *testing.T) {
	t.Parallel()
	t.Run("unknown to the source", func(t *testing.T) {
		t.Parallel()
		p := newPod(t, "read", `{`+demoCounts+`}`)
		p.configure(incrementalStreams("customers", "nowhere")...)
		p.run().want(t, exitPartial, "read PARTIAL", `stream "nowhere": the connector stopped before the end of this stream`)
		if task := p.task(); task.Streams["customers"].Status != "SUCCESS" || task.Streams["nowhere"].Status != "FAILED" {
			t.Errorf("task %+v", task)
		}
	})
	t.Run("one key for two", func(t *testing.T) {
		t.Parallel()
		p := newPod(t, "read", `{}`)
		p.configure(configured{name: "b.c", namespace: "a", mode: "incremental", destination: "append"},
			configured{name: "c", namespace: "a.b", mode: "incremental", destination: "append"})
		sidecar := p.startSidecar()
		got := outcome{sidecar.wait(), sidecar.stderr.String()}
		got.want(t, exitUsage, "CATALOG_FILE", `"a.b.c"`)
	})
}
