package main

import (
	"os"
	"strings"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// answerRules are the platform's rules for results (airbyte-platform, ConnectorMessageProcessor and ConnectorJobOutput): the first result counts
// whatever the exit code; exit code 0 without a result is an error; without one, the first error trace is the cause.
func answerRules() map[string]answerRule {
	return map[string]answerRule{
		"spec, then a crash": {command: "spec", source: `echo '{"type":"SPEC","spec":{"connectionSpecification":{}}}'; exit 9`, code: exitOK,
			words: []string{"spec SUCCESS"}, status: "SUCCESS"},
		"two catalogs": {command: "discover", code: exitOK, words: []string{"discover SUCCESS"}, status: "SUCCESS",
			source: `echo '{"type":"CATALOG","catalog":{"streams":[{"name":"first"}]}}'; echo '{"type":"CATALOG","catalog":{"streams":[]}}'`},
		"a catalog, then an error": {command: "discover", config: `{"faults":{"error_trace":{"command":"discover","after_row":1,"message":"too late"}}}`,
			code: exitOK, words: []string{"discover SUCCESS", "too late"}, status: "SUCCESS"},
		"another answer": {command: "spec", source: `echo '{"type":"CATALOG","catalog":{"streams":[]}}'`, code: exitFailed,
			words: []string{"without an answer to spec"}, status: "FAILED", message: "without an answer to spec"},
		"nothing, exit code 0": {command: "check", config: `{"faults":{"exit_code":{"command":"check","code":0}}}`, code: exitFailed,
			words: []string{"without a single Airbyte message"}, status: "FAILED", message: "without a single Airbyte message"},
		"nothing, exit code 7": {command: "check", config: `{"faults":{"exit_code":{"command":"check","code":7}}}`, code: exitFailed,
			words: []string{"exited with code 7"}, status: "FAILED", message: "exited with code 7"},
		"an error as the cause": {command: "check", config: `{"faults":{"error_trace":{"command":"check","message":"no route to the demo database"}}}`,
			code: exitFailed, words: []string{"no route to the demo database"}, status: "FAILED", message: "no route to the demo database"},
		"killed": {command: "discover", config: `{"faults":{"kill_self":{"command":"discover"}}}`, code: exitFailed,
			words: []string{"SIGKILL", "memory"}, status: "FAILED", message: "SIGKILL"},
		"check FAILED": {command: "check", config: `{"api_key":"invalid"}`, code: exitCheckFailed, words: []string{"check FAILED: 401 Unauthorized"},
			status: "FAILED", message: "401 Unauthorized"},
		"check FAILED, then a crash": {command: "check", code: exitCheckFailed,
			source: `echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"no"}}'; exit 1`,
			words:  []string{"check FAILED: no"}, status: "FAILED", message: "no"},
		"check in small letters": {command: "check", source: `echo '{"type":"connection_status","connectionStatus":{"status":"succeeded"}}'`,
			code: exitOK, words: []string{"check SUCCESS"}, status: "SUCCESS"},
		"a config that is no good": {command: "check", config: `{"count":-1}`, code: exitCheckFailed, words: []string{"check FAILED", "count"},
			status: "FAILED", message: "count"},
		"garbage around the answer": {command: "spec", config: `{}`, code: exitOK, words: []string{"spec SUCCESS", "hello there"}, status: "SUCCESS",
			source: `echo hello there; echo '{"type":"FANCY"}'; echo '{"type":"SPEC","spec":{"connectionSpecification":{}}}'; echo '{"type":"SPEC",'`},
	}
}

// answerRule is what a connector does, and what must become of it.
type answerRule struct {
	command, config string
	source          string // in place of the demo source
	code            int
	words           []string // on stderr
	status          string   // in spec.status.json, check.json, catalog.status.json
	message         string   // there
}

func TestAnswersFollowThePlatformsRules(t *testing.T) {
	t.Parallel()
	for name, rule := range answerRules() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, rule.command, rule.config)
			p.withShim = true // for the exit code
			p.script(rule.source)
			p.run().want(t, rule.code, rule.words...)
			var saved struct{ Status, Message, Package string }
			p.read(map[string]string{"spec": "spec.status.json", "check": "check.json", "discover": "catalog.status.json"}[rule.command], &saved)
			if saved.Status != rule.status || !strings.Contains(saved.Message, rule.message) || saved.Package != "sync-sidecar/source-demo" {
				t.Errorf("saved %+v, want %s and %q", saved, rule.status, rule.message)
			}
		})
	}
}

// script makes the connector a shell script; an empty one changes nothing.
func (p *pod) script(text string) {
	p.t.Helper()
	if text == "" {
		return
	}
	p.source = p.path("source.sh")
	if err := os.WriteFile(p.source, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		p.t.Fatal(err)
	}
}

func TestFirstResultIsTheOneKept(t *testing.T) {
	t.Parallel()
	rule := answerRules()["two catalogs"]
	p := newPod(t, rule.command, rule.config)
	p.script(rule.source)
	p.run().want(t, exitOK)
	if got := compactJSON(t, p.file("catalog.json")); got != `{"streams":[{"name":"first"}]}` {
		t.Errorf("catalog.json %s", got)
	}
}

// A failure is recorded in Postgres as the console reads it.
func TestFailedAnswersInPostgres(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command, fault string
		code           int
		sql, want      string
	}{
		"spec": {"spec", `echo '{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.5,"error":{"message":"no spec today"}}}'; exit 1`, exitFailed,
			`select package, version, specs is null, error like '%no spec today%' from source_spec`, "sync-sidecar/source-demo|1.0.0|t|t"},
		"check": {"check", `echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"wrong password"}}'`, exitCheckFailed,
			`select key, status, description from source_check`, "key-1|FAILED|wrong password"},
		"discover": {"discover", `echo >&2 'ERROR no network'; exit 2`, exitFailed,
			`select key, status, description like '%code 2%' from source_catalog`, "key-1|FAILED|t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, test.command, `{}`)
			p.withShim = true
			p.script(test.fault)
			database := p.usePostgres()
			p.run().want(t, test.code, test.command+" FAILED")
			wantLines(t, name, postgrestest.Query(t, database, test.sql), test.want)
			wantLines(t, "task", postgrestest.Query(t, database, `select status from source_task`))
		})
	}
}
