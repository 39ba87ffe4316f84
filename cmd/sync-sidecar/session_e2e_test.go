package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// Two runs of one sync would write over each other's rows and states: the second one refuses, says who is there, and touches nothing.
func TestSecondSidecarOfOneSync(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string]bool{"local": false, "servers": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"count":1000000,"rate":50}`).set("SHUTDOWN_GRACE", "2s")
			second := newPod(t, "read", `{}`).set("TASK_ID", "task-2")
			status := func() string { return p.task().Status }
			if servers {
				database := p.usePostgres()
				p.useBulker(bulkertest.Options{})
				second.set("DATABASE_URL", database, "BULKER_URL", p.env["BULKER_URL"])
				status = func() string {
					return strings.Join(postgrestest.Query(t, database, `select task_id || status from source_task where task_id = 'task-1'`), " ")
				}
			} else {
				second.set("LOCAL_DIR", p.env["LOCAL_DIR"])
			}
			first := p.startSidecar()
			p.startSource()
			first.stderr.await(t, "Marking stream customers as STARTED")
			before := status()
			refused := second.startSidecar()
			got := outcome{refused.wait(), refused.stderr.String()}
			got.want(t, exitEnvironment)
			words := []string{"sync-1"}
			if servers {
				words = append(words, "task-1")
			}
			mustContain(t, "the refusal", got.stderr, words...)
			if after := status(); after != before || !strings.Contains(after, "RUNNING") {
				t.Errorf("task %s, and after the refusal %s", before, after)
			}
			first.signal(syscall.SIGTERM)
			if code := first.wait(); code != exitSignal+15 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// Secrets may be in files, as Kubernetes and Compose mount them.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`)
	database := p.usePostgres()
	server := p.useBulker(bulkertest.Options{Token: "sesame-token-1"})
	p.put("token", "sesame-token-1\n")
	p.put("database", database+"\n")
	p.set("BULKER_AUTH_TOKEN", "", "BULKER_AUTH_TOKEN_FILE", p.path("token"), "DATABASE_URL_FILE", p.path("database"))
	delete(p.env, "DATABASE_URL")
	got := p.run()
	got.want(t, exitOK, "read SUCCESS")
	wantCounts(t, tableCounts(t, server), map[string]int64{"customers": 30, "products": 20, "orders": 250})
	p.wantSecret(got, database, "sesame", passwordOf(t, database))
}

// With LOG_FORMAT=json every line on stderr is one JSON object, and the last one is the report.
func TestReportForPrograms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command, config string
		code            int
		status          string
	}{
		"read":    {"read", `{` + demoCounts + `,"faults":{"stdout_text":{},"stderr_text":{}}}`, exitOK, "SUCCESS"},
		"partial": {"read", `{` + demoCounts + `,"faults":{"error_trace":{"stream":"orders"}}}`, exitPartial, "PARTIAL"},
		"check":   {"check", `{"api_key":"invalid"}`, exitCheckFailed, "FAILED"},
		"spec":    {"spec", `{}`, exitOK, "SUCCESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, test.command, test.config).set("LOG_FORMAT", "json")
			got := p.run()
			got.want(t, test.code)
			for line := range strings.Lines(got.stderr) {
				if !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
			var last struct {
				Event  string
				Report struct {
					Command  string
					Status   string
					ExitCode int `json:"exit_code"`
					Result   json.RawMessage
					Streams  []struct {
						Stream, Status string
						Rows, Read     int64
					}
				}
			}
			if err := json.Unmarshal([]byte(got.lastLine()), &last); err != nil {
				t.Fatal(err)
			}
			r := last.Report
			if last.Event != "report" || r.Command != test.command || r.Status != test.status || r.ExitCode != test.code {
				t.Errorf("the report %+v", last)
			}
			if test.command == "read" && (len(r.Streams) != 3 || r.Streams[0].Rows != 30 || r.Streams[0].Status != "SUCCESS") {
				t.Errorf("streams %+v", r.Streams)
			}
			if test.command != "read" && len(r.Result) == 0 {
				t.Error("the report lacks the result")
			}
		})
	}
}

// LOG_LEVEL is for the person at the terminal, DB_LOG_LEVEL for what is stored; neither changes the verdict.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		level, stored   string
		shows, hides    string
		keeps, keepsNot string
	}{
		"quiet terminal": {"ERROR", "TRACE", "a ERROR message", "a WARN message", "a TRACE message", "never"},
		"quiet store":    {"TRACE", "ERROR", "a TRACE message", "never", "a ERROR message", "a WARN message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{`+demoCounts+`,"faults":{"log_levels":{}}}`).set("LOG_LEVEL", test.level, "DB_LOG_LEVEL", test.stored)
			got := p.run()
			got.want(t, exitOK, test.shows)
			mustContain(t, "log.txt", p.file("log.txt"), test.keeps)
			if strings.Contains(got.stderr, test.hides) || strings.Contains(p.file("log.txt"), test.keepsNot) {
				t.Errorf("stderr %s\nlog.txt %s", got.stderr, p.file("log.txt"))
			}
		})
	}
}
