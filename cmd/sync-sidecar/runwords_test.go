package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// connector writes a script that answers discover with one stream, and does what read says.
func (c *commandLine) connector(streams, read string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, "connector.sh")
	text := "#!/bin/sh\ncase $1 in\ndiscover) printf '%s\\n' '{\"type\":\"CATALOG\",\"catalog\":{\"streams\":" + streams + "}}';;\n*) " + read + "\nesac\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		c.t.Fatal(err)
	}
	return path
}

const (
	oneStream = `[{"name":"orders","json_schema":{},"supported_sync_modes":["full_refresh"]}]`
	traceback = `Traceback (most recent call last):
  File "/airbyte/main.py", line 9, in <module>
    launch(SourceOrders(), sys.argv[1:])
  File "/airbyte/source.py", line 42, in read
    raise ConnectionError("orders.example.com: 403 Forbidden")
ConnectionError: orders.example.com: 403 Forbidden`
	argparse = `usage: main.py [-h] {spec,check,discover,read} ...
main.py: error: unrecognized arguments: --state`
	exception = `Exception in thread "main" java.lang.IllegalStateException: no connection
	at io.airbyte.Source.read(Source.java:12)
Caused by: java.sql.SQLException: password expired
	at org.postgresql.Driver.connect(Driver.java:7)
	... 3 more`
)

// What a connector said last stands whole before the verdict, as long as it is short; --verbose has shown all of it, --quiet wants none.
func TestRunShowsTheLastWordsOfAConnector(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{"Python": traceback, "argparse": argparse, "Java": exception} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommandLine(t)
			connector := c.connector(oneStream, "cat >&2 <<'END'\n"+said+"\nEND\nexit 1;;")
			whole := "the last that the connector said:\n    " + strings.ReplaceAll(strings.ReplaceAll(said, "\t", "    "), "\n", "\n    ") + "\n"
			for flag, want := range map[string]bool{"": true, "--quiet": false, "--verbose": false} {
				got := c.run(append([]string{"run", "read"}, strings.Fields(flag+" --config {} --exec "+connector)...)...)
				if got.code != exitFailed || strings.Contains(got.stderr, whole) != want {
					t.Errorf("%q: exit code %d, %s\nwant %t:\n%s", flag, got.code, got.stderr, want, whole)
				}
				if last := strings.LastIndex(strings.TrimSpace(got.stderr), "\n"); !strings.HasPrefix(got.stderr[last+1:], "sync-sidecar: ") {
					t.Errorf("%q: the cause is not the last line: %s", flag, got.stderr)
				}
			}
		})
	}
}

func TestRunKeepsTheLastWordsShort(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	connector := c.connector(oneStream, `i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo "line $i" >&2; done; printf '%100000d\n' 7 >&2; exit 1;;`)
	got := c.run("run", "read", "--config", "{}", "--exec", connector)
	_, words, _ := strings.Cut(got.stderr, "the last that the connector said:\n")
	if lines := strings.Count(words, "\n"); lines != 31 || !strings.Contains(words, "line 5000") || len(words) > 5000 {
		t.Errorf("%d lines, %d bytes: %s", lines, len(words), words)
	}
}

// A failed discover ends a read, with the same words.
func TestRunShowsTheLastWordsOfDiscover(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	path := filepath.Join(c.dir, "connector.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'main.py: error: no' >&2; exit 2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := c.run("run", "read", "--config", "{}", "--exec", path)
	if got.code != exitFailed || !strings.Contains(got.stderr, "said:\n    main.py: error: no\nsync-sidecar: discover failed: ") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// What the sidecar refuses is told once, in its words alone, and by the names that the caller knows.
func TestRunTellsARefusalOnce(t *testing.T) {
	t.Parallel()
	const twice = `{"streams":[{"stream":{"name":"a.b","json_schema":{}},"sync_mode":"full_refresh","destination_sync_mode":"overwrite"},` +
		`{"stream":{"name":"a_b","json_schema":{}},"sync_mode":"full_refresh","destination_sync_mode":"overwrite"}]}`
	for name, test := range map[string]struct {
		args []string
		code int
		want string // how the last line begins
		log  bool   // there are lines of the sidecar's log before it: it had begun
	}{
		"setting": {[]string{"check", "--batch-rows", "0", "--load-concurrency", "0"}, exitUsage,
			"BATCH_ROWS: 0 is less than 1; LOAD_CONCURRENCY: 0 is less than 1\n", false},
		"server": {[]string{"read", "--bulker-url", "http://127.0.0.1:1", "--startup-timeout", "1ms", "--catalog", "twice.json"}, exitEnvironment,
			"cannot reach bulker", true},
		"tables": {[]string{"read", "--catalog", "twice.json", "--namespace", "${OTHER}"}, exitUsage, `twice.json: NAMESPACE="${OTHER}"`, true},
		"catalog": {[]string{"read", "--bulker-url", "http://127.0.0.1:1", "--catalog", "wrong.json"}, exitUsage,
			`wrong.json: catalog stream 0 ("a"): sync_mode`, false},
		"state": {[]string{"read", "--catalog", "twice.json", "--state", `[{"type":"STREAM"}]`}, exitUsage, "--state: state entry 0", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommandLine(t)
			put(t, filepath.Join(c.dir, "twice.json"), twice)
			put(t, filepath.Join(c.dir, "wrong.json"), `{"streams":[{"stream":{"name":"a"},"sync_mode":"sometimes"}]}`)
			got := c.run(append(append([]string{"run"}, test.args...), "--config", "{}", "--exec", c.programs.Demo)...)
			last := strings.LastIndex("\n"+got.stderr, "\nsync-sidecar: "+test.want)
			if got.code != test.code || last < 0 || last > 0 && !test.log || strings.Count(got.stderr[last:], "\n") != 1 {
				t.Errorf("exit code %d, want %d and at the end %s: %s", got.code, test.code, test.want, got.stderr)
			}
			for _, not := range []string{"without a verdict", "SIGTERM", c.dir + "/tmp"} {
				if strings.Contains(got.stderr, not) {
					t.Errorf("stderr has %q: %s", not, got.stderr)
				}
			}
		})
	}
}

// A connector complains of the files that it was given: they are gone when the message is read, so it names what the caller gave.
func TestRunNamesTheCallersFiles(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	put(t, filepath.Join(c.dir, "mine.json"), "{}")
	got := c.run("run", "check", "--config", "mine.json", "--exec", c.connector(oneStream, `echo "cannot use $3" >&2; exit 1;;`))
	if got.code != exitFailed || !strings.Contains(got.stderr, "cannot use mine.json\n") || strings.Contains(got.stderr, c.dir+"/tmp") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// What a person should know although it changed no verdict stands in the result of a read, and on stderr beside other results.
func TestRunShowsWarnings(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	stray := `echo '{"type":"RECORD","record":{"stream":"strangers","emitted_at":1,"data":{}}}';;`
	read := c.run("run", "read", "--quiet", "--config", "{}", "--exec", c.connector(oneStream, stray))
	if read.code != exitOK || !strings.Contains(read.stdout, "warning: ") || !strings.Contains(read.stdout, "strangers") || read.stderr != "" {
		t.Errorf("exit code %d\n%s%s", read.code, read.stdout, read.stderr)
	}
	failing := c.connector(oneStream, `echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}'; exit 3;;`)
	for flag, want := range map[string]string{"--verbose": "exited with code 3", "--quiet": ""} {
		check := c.run("run", "check", flag, "--config", "{}", "--exec", failing)
		_, warning, _ := strings.Cut(check.stderr, "\nwarning: ")
		if check.code != exitOK || check.stdout != "SUCCEEDED\n" || !strings.Contains(warning, want) || want == "" && check.stderr != "" {
			t.Errorf("%s: exit code %d\n%s%s", flag, check.code, check.stdout, check.stderr)
		}
	}
}

// A stream that can only be read incrementally is, with or without a cursor, and that is said; discover's own warnings are said too.
func TestRunReadsIncrementallyWhatCanOnlyBe(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	connector := c.connector(`[{"name":"orders","json_schema":{},"supported_sync_modes":["incremental"]}]`, `cat "$5" >&2;;`)
	got := c.run("run", "read", "--verbose", "--config", "{}", "--exec", connector)
	said := `WARN  run: stream "orders": it can only be read incrementally`
	if !strings.Contains(got.stderr, `"sync_mode":"incremental"`) || !strings.Contains(got.stderr, said) {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// Names and messages of a connector cannot move the cursor, forge a line or turn the text around, wherever they are printed.
func TestRunMakesControlCharactersVisible(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	const name = `or\u001b[2Jders\nsync-sidecar: all is well\u202e`
	streams := `[{"name":"` + name + `","json_schema":{},"supported_sync_modes":["full_refresh"]}]`
	const trace = `{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1,"error":{"message":"broke ` + name + `"}}}`
	connector := c.connector(streams, `printf '%s\n' '`+trace+`'; exit 1;;`)
	for _, args := range [][]string{{"read"}, {"read", "--verbose"}, {"discover", "--output", "table"}} {
		got := c.run(append(append([]string{"run"}, args...), "--config", "{}", "--exec", connector)...)
		all := got.stdout + got.stderr
		if strings.ContainsAny(all, "\x1b\u202e") || strings.Contains(all, "\nsync-sidecar: all is well") {
			t.Errorf("%q: %q", args, all)
		}
		if !strings.Contains(got.stdout, `or\x1b[2Jders\nsync`) {
			t.Errorf("%q: the name is not in %q", args, got.stdout)
		}
	}
}

// SYNC_ID and TASK_TIMEOUT_HOURS count for run as they do for the sidecar; a flag goes before its variable.
func TestRunTakesVariablesOfTheSync(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.env = append(c.env, "SYNC_ID=nightly", "TASK_TIMEOUT_HOURS=0.0003")
	got := c.demo("read", "--config", `{"rate":10}`)
	if _, err := os.Stat(filepath.Join(c.dir, "sync-data", "nightly", "task.json")); err != nil || got.code != exitTimeout {
		t.Errorf("exit code %d, %v: %s", got.code, err, got.stderr)
	}
	got = c.demo("read", "--config", `{"count":10}`, "--sync-id", "other", "--timeout", "1m", "--output", "json")
	report, err := lastReport(got.stdout)
	if err != nil || got.code != exitOK || !strings.HasSuffix(report.Destination, "/other") {
		t.Errorf("exit code %d, %v: %+v %s", got.code, err, report, got.stderr)
	}
	c.env = append(c.env, "SYNC_ID=../up")
	if got := c.demo("read", "--config", "{}"); got.code != exitUsage || !strings.Contains(got.stderr, `SYNC_ID (--sync-id) "../up"`) {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}
