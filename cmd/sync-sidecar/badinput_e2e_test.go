package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// Bad input ends the sidecar before a connector is listened to: with a line that names the thing, the cause and, where it is not plain, the next
// step, and with nothing half-created.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(p *pod)
		code  int
		words []string
	}{
		"unknown command": {func(p *pod) { p.set("COMMAND", "write") }, exitUsage, []string{`COMMAND: "write" is not one of spec, check, discover, read`}},
		"no command":      {func(p *pod) { p.set("COMMAND", "") }, exitUsage, []string{"COMMAND"}},
		"several variables": {func(p *pod) {
			p.set("STARTED_AT", "yesterday", "STARTED_BY", "{", "BATCH_ROWS", "0", "LOG_LEVEL", "LOUD", "ALIVE_ON", "hope", "TASK_TIMEOUT_HOURS", "0",
				"OVERSIZE_ROWS", "keep", "BULKER_URL", "bulker:3042", "SILENCE_TIMEOUT", "soon", "SPOOL_LIMIT", "1GB", "ADD_META", "si")
		}, exitUsage, []string{`STARTED_AT: "yesterday"`, "STARTED_BY: ", "BATCH_ROWS: ", `LOG_LEVEL: "LOUD"`, `ALIVE_ON: "hope"`, "TASK_TIMEOUT_HOURS: ",
			`OVERSIZE_ROWS: "keep"`, "BULKER_URL: ", `SILENCE_TIMEOUT: "soon" is not a duration`, `SPOOL_LIMIT: "1GB" is not a whole number`,
			`ADD_META: "si" is not true or false`}},
		"no numbers": {func(p *pod) { p.set("SILENCE_TIMEOUT", "soon") }, exitUsage, []string{"SILENCE_TIMEOUT", "soon"}},
		"no catalog": {func(p *pod) { p.remove("config/catalog.json") }, exitUsage,
			[]string{"CATALOG_FILE", "config/catalog.json", "no such file"}},
		"broken catalog": {func(p *pod) { p.put("config/catalog.json", "{\n\"streams\": [\n{]}") }, exitUsage,
			[]string{"CATALOG_FILE", "line 3, column 2"}},
		"discovered catalog": {func(p *pod) { p.put("config/catalog.json", `{"streams":[{"name":"a","json_schema":{}}]}`) }, exitUsage,
			[]string{"CATALOG_FILE", "stream"}},
		"empty catalog": {func(p *pod) { p.put("config/catalog.json", `{"streams":[]}`) }, exitUsage, []string{"CATALOG_FILE", "choose at least one"}},
		"sync mode": {func(p *pod) { p.configure(configured{name: "orders", mode: "sometimes", destination: "append"}) }, exitUsage,
			[]string{"CATALOG_FILE", "orders", "sometimes"}},
		"broken state": {func(p *pod) { p.put("config/state.json", "[\n{\"type\":\"STREAM\"") }, exitUsage,
			[]string{"STATE_FILE", "config/state.json", "line 2"}},
		"state of a kind":   {func(p *pod) { p.put("config/state.json", `"x"`) }, exitUsage, []string{"STATE_FILE", "config/state.json"}},
		"namespace":         {func(p *pod) { p.set("NAMESPACE", "${OTHER}") }, exitUsage, []string{"NAMESPACE", "${OTHER}", "${SOURCE_NAMESPACE}"}},
		"no sync at Bulker": {func(p *pod) { p.set("BULKER_URL", "http://127.0.0.1:1", "SYNC_ID", "") }, exitUsage, []string{"SYNC_ID", "BULKER_URL"}},
		"secret file":       {func(p *pod) { p.set("DATABASE_URL_FILE", p.path("none")) }, exitUsage, []string{"DATABASE_URL_FILE", p0("none")}},
		"a secret twice": {func(p *pod) { p.set("BULKER_AUTH_TOKEN", "sesame-pw", "BULKER_AUTH_TOKEN_FILE", p.path("none")) }, exitUsage,
			[]string{"BULKER_AUTH_TOKEN_FILE: is set, and so is BULKER_AUTH_TOKEN"}},
		"config is a folder": {func(p *pod) { p.set("CONFIG_FILE", p.path("config")) }, exitUsage, []string{"CONFIG_FILE", "directory"}},
		"database URL":       {func(p *pod) { p.set("DATABASE_URL", "postgres://me:p%zz@h/d") }, exitUsage, []string{"DATABASE_URL"}},
		"no folder":          {func(p *pod) { p.put("file", ""); p.set("LOCAL_DIR", p.path("file")) }, exitEnvironment, []string{p0("file")}},
		"no Postgres": {func(p *pod) { p.set("DATABASE_URL", "postgres://me:sesame-pw@"+deadAddress(p.t)+"/d") }, exitEnvironment,
			[]string{"DATABASE_URL", "refused"}},
		"no Bulker": {func(p *pod) { p.set("BULKER_URL", "http://"+deadAddress(p.t), "BULKER_AUTH_TOKEN", "sesame-pw") }, exitEnvironment,
			[]string{"BULKER_URL", "refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`)
			test.spoil(p)
			sidecar := p.startSidecar()
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, test.code, test.words...)
			if strings.Contains(got.stderr, "sesame") {
				t.Error("a secret is shown: " + got.stderr)
			}
			lines := strings.Count(got.stderr, "\n") - strings.Count(got.stderr, "waiting up to") // which is said while it waits
			if lines > 1 && name != "several variables" {
				t.Errorf("%d lines where one says it: %s", lines, got.stderr)
			}
			for _, pattern := range []string{"data/*/rows", "data/*/state.json", "exit-status"} {
				if left := globNames(t, p.path(pattern)); len(left) > 0 {
					t.Errorf("half-created: %v", left)
				}
			}
			if task := p.file("task.json"); task != "" && !strings.Contains(task, `"FAILED"`) { // a session that did not begin is told, too (I2)
				t.Errorf("the task %s", task)
			}
			p.tidy()
		})
	}
}

// p0 is the end of a path in the pod's folder.
func p0(name string) string { return string(filepath.Separator) + name }

func (p *pod) put(name, text string) {
	p.t.Helper()
	put(p.t, p.path(name), text)
}

func (p *pod) remove(name string) {
	p.t.Helper()
	if err := os.Remove(p.path(name)); err != nil {
		p.t.Fatal(err)
	}
}

// deadAddress is one that nobody listens at.
func deadAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// A password that is wrong is not shown; neither is the one in the URL when the database does not exist.
func TestWrongDatabase(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	for name, test := range map[string]struct {
		replace, by string
		words       []string
	}{
		"password": {":", ":sesame-pw", []string{"DATABASE_URL", "password authentication failed"}},
		"name":     {"/test_", "/none_", []string{"DATABASE_URL", "does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`).set("DATABASE_URL", spoiltURL(t, database, name))
			sidecar := p.startSidecar()
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, exitEnvironment, test.words...)
			password := passwordOf(t, database)
			if strings.Contains(got.stderr, "sesame") || strings.Contains(got.stderr, password) {
				t.Error("a secret is shown: " + got.stderr)
			}
		})
	}
}

// A token that Bulker refuses is told before the connector is listened to. Bulker repeats the token in its answer; nobody else does.
func TestWrongToken(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`)
	server := p.useBulker(bulkertest.Options{Token: "right"})
	database := p.usePostgres()
	p.set("BULKER_AUTH_TOKEN", "sesame-token-1", "LOGS_CONNECTION_ID", "logs-1")
	got := p.run()
	got.want(t, exitEnvironment, "token", "401", "BULKER_AUTH_TOKEN")
	wantCounts(t, tableCounts(t, server), map[string]int64{})
	wantLines(t, "task", postgrestest.Query(t, database, `select status, error like '%BULKER_AUTH_TOKEN%' from source_task`), "FAILED|t")
	wantLines(t, "states", postgrestest.Query(t, database, `select stream from source_state`))
	p.wantSecret(got, database, "sesame-token-1")
}

// Pipes are found to be none only when they are opened; nothing is made at their places, and no task stays RUNNING.
func TestBadPipes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pipe  string
		words []string
	}{
		"missing": {"none", []string{"/none", "sync-sidecar init"}},
		"a file":  {"config/config.json", []string{"config.json", "regular file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`).set("STDERR_PIPE_FILE", "")
			p.set("STDERR_PIPE_FILE", p.path("stderr"), "STDOUT_PIPE_FILE", p.path(test.pipe))
			sidecar := p.startSidecar()
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, exitEnvironment, test.words...)
			if left := globNames(t, p.path("none*")); len(left) > 0 {
				t.Errorf("half-created: %v", left)
			}
			if task := p.file("task.json"); strings.Contains(task, "RUNNING") {
				t.Error("the task is said to run: " + task)
			}
		})
	}
}

// SPOOL_DIR that cannot be a folder is found out before anything runs.
func TestBadSpool(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{}`)
	p.useBulker(bulkertest.Options{})
	p.set("SPOOL_DIR", p.path("config/catalog.json"))
	sidecar := p.startSidecar()
	outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, exitEnvironment, "SPOOL_DIR", "catalog.json")
	if task := p.file("task.json"); !strings.Contains(task, "FAILED") {
		t.Error(task)
	}
}

// A slip on the command line is told on one line, not at the end of a page of help; nothing is printed where results belong.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	programs := built(t)
	for args, want := range map[string]string{
		"sidecar --silence-timeout soon": "see sync-sidecar sidecar --help",
		"sidecar --nope":                 "-nope; see sync-sidecar sidecar --help",
		"sidecar extra":                  `sidecar takes no arguments, but got "extra"`,
		"init --nope":                    "-nope; see sync-sidecar init --help",
		"exec --nope":                    "-nope; see sync-sidecar exec --help",
		"run --nope":                     "-nope; see sync-sidecar run read --help",
		"run read --nope":                "-nope; see sync-sidecar run read --help",
		"--nope":                         "-nope; see sync-sidecar --help",
		"nope":                           "manifest, init, exec, sidecar, catalog, completion, man\n",
		"run nope":                       `"nope" is not one of spec, check, discover, read`,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			c := &commandLine{t: t, programs: programs, dir: t.TempDir()}
			got := c.run(strings.Fields(args)...)
			if got.code != exitUsage || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, want) {
				t.Errorf("exit code %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
			}
		})
	}
	for _, variable := range []string{"PIPE_OPEN_TIMEOUT", "NONE"} {
		c := &commandLine{t: t, programs: programs, dir: t.TempDir(), env: []string{variable + "=soon"}}
		got := c.run("exec", "--stdout-pipe", "none", "--", "true")
		if told := strings.Contains(got.stderr, variable+`: "soon" is not a duration`); told != (variable != "NONE") {
			t.Errorf("exec: %s", got.stderr)
		}
	}
}
