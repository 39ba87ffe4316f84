package main

import (
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// controllersVariables are what Jitsu's sync-controller sets for the sidecar of a read beyond what newPod sets, with the values that it has for what
// nobody chose (jitsucom/bulker, sync-controller/job_runner.go, createPod).
func controllersVariables() []string {
	return []string{"NAMESPACE", "", "TO_SAME_CASE", "", "ADD_META", "", "TABLE_NAME_PREFIX", "", "FULL_SYNC", "", "LOG_LEVEL", "debug",
		"DB_LOG_LEVEL", "info", "STARTED_BY", "", "TASK_TIMEOUT_HOURS", "48", "LOCAL_INGEST_ENDPOINT", "", "GLOBAL_INGEST_ENDPOINT", "", "DEDUPLICATE", "",
		"AWS_ACCESS_KEY_ID", "", "AWS_SECRET_ACCESS_KEY", "", "AWS_DEFAULT_REGION", ""}
}

// Jitsu's sync-controller gives the sidecar's container no arguments, only an environment.
func TestWithoutArgumentsItIsTheSidecar(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		more []string // variables
		want []string // in what it says
		not  string
	}{
		"as it comes": {nil, nil, "set in the environment and not used"},
		"all set": {[]string{"NAMESPACE", "${LEGACY}", "TO_SAME_CASE", "true", "ADD_META", "true", "TABLE_NAME_PREFIX", "t_", "FULL_SYNC", "true",
			"LOG_LEVEL", "DEBUG", "STARTED_BY", `{"trigger":"scheduled"}`, "LOCAL_INGEST_ENDPOINT", "http://ingest.local/t-secret",
			"GLOBAL_INGEST_ENDPOINT", "https://ingest", "CLICKHOUSE_HOST", "ch:9440", "CLICKHOUSE_PASSWORD", "ch-secret",
			"FUNCTIONS_ENV", `{"KEY":"f-secret"}`},
			[]string{"not used: CLICKHOUSE_HOST, CLICKHOUSE_PASSWORD, FUNCTIONS_ENV, GLOBAL_INGEST_ENDPOINT, LOCAL_INGEST_ENDPOINT",
				"FUNCTIONS_ENV is set, but functions are not run here"}, "secret"},
		"no functions": {[]string{"FUNCTIONS_ENV", "{}"}, []string{"not used: FUNCTIONS_ENV"}, "functions are not run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{`+demoCounts+`}`).set(controllersVariables()...).set(test.more...)
			database := p.usePostgres()
			sidecar := p.spawn(p.environ(), p.sidecar)
			p.startSource()
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, exitOK, append(test.want, "read SUCCESS", "300 of 300 rows delivered")...)
			if strings.Contains(got.stderr, test.not) {
				t.Errorf("it says %q: %s", test.not, got.stderr)
			}
			wantLines(t, "task", postgrestest.Query(t, database, `select status from source_task`), "SUCCESS")
			if noise := postgrestest.Query(t, database, `select message from task_log where level = 'DEBUG'`); len(noise) > 0 {
				t.Errorf("task_log: %q", noise)
			}
		})
	}
}

// Without arguments and without a word of a sync in the environment, the help is what is wanted; with arguments, these are.
func TestImpliedMode(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		set  string
		want []string
	}{
		"nothing":       {[]string{"sync-sidecar"}, "", []string{"sync-sidecar"}},
		"COMMAND":       {[]string{"sync-sidecar"}, "COMMAND", []string{"sync-sidecar", "sidecar"}},
		"a pipe":        {[]string{"sync-sidecar"}, "STDOUT_PIPE_FILE", []string{"sync-sidecar", "sidecar"}},
		"the other":     {[]string{"sync-sidecar"}, "STDERR_PIPE_FILE", []string{"sync-sidecar", "sidecar"}},
		"another thing": {[]string{"sync-sidecar"}, "DATABASE_URL", []string{"sync-sidecar"}},
		"arguments":     {[]string{"sync-sidecar", "--version"}, "COMMAND", []string{"sync-sidecar", "--version"}},
	} {
		got := withImpliedMode(test.args, func(variable string) string {
			return map[bool]string{true: "x"}[variable == test.set]
		})
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// A variable that says what is wanted, and nothing that can be done with it: bad configuration, told at once.
func TestImpliedSidecarRefusesBadSettings(t *testing.T) {
	t.Parallel()
	p := newPod(t, "wrong", `{}`)
	sidecar := p.spawn(p.environ(), p.sidecar)
	got := outcome{sidecar.wait(), sidecar.stderr.String()}
	got.want(t, exitUsage, `COMMAND: "wrong" is not one of`)
}
