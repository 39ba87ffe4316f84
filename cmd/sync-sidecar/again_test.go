package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar/pipe"
)

// A sidecar that is started again on a volume without init forgets how the connector ended, and loads what was saved: the connector goes on.
func TestPrepareGoesOn(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`,"grow":5,"emit_control":true}`)
	p.withShim = true
	p.set("PREPARE", "true")
	p.set("CONFIG_UPDATE_FILE", p.path("data/rotated.json"))
	for run, want := range []string{"300 of 300 rows", "15 of 15 rows", "15 of 15 rows"} {
		p.set("TASK_ID", "task-"+string(rune('1'+run)))
		put(t, p.path("config/state.json"), "[]") // so that --state is on the connector's command line
		got := p.run()
		got.want(t, exitOK, want)
	}
	rotated, err := os.ReadFile(p.path("data/rotated.json"))
	if err != nil {
		t.Fatal(err)
	}
	p.env["COMMAND"] = "check"
	p.run()
	if used, err := os.ReadFile(p.path("config/config.json")); err != nil || string(used) != string(rotated) {
		t.Errorf("the configuration is %s (%v), want the one that the connector made of it: %s", used, err, rotated)
	}
}

// What `exec` that waits already has written is not what an earlier run left.
func TestPrepareForgetsOnlyWhatIsOver(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("STDOUT_PIPE_FILE", filepath.Join(folder, "stdout"))
	t.Setenv("STDERR_PIPE_FILE", filepath.Join(folder, "stderr"))
	t.Setenv("LOCAL_DIR", filepath.Join(folder, "data"))
	status := filepath.Join(folder, "exit-status")
	for _, test := range []struct {
		write func(string) error
		want  pipe.Phase
	}{
		{pipe.WriteRunning, pipe.Running},
		{func(path string) error { return pipe.WriteExitStatus(path, pipe.ExitStatus{Code: 1}) }, pipe.Absent},
	} {
		if err := test.write(status); err != nil {
			t.Fatal(err)
		}
		if code, text := runApp(t, environment{}, "sidecar", "--command", "spec", "--prepare", "--pipe-open-timeout", "1ms"); code == exitUsage {
			t.Fatal(text)
		}
		if got, err := pipe.ReadExitStatus(status); err != nil || got.Phase != test.want {
			t.Errorf("the exit status is %+v (%v), want phase %v", got, err, test.want)
		}
	}
}

func TestDueAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for content, want := range map[string]time.Time{
		"2026-05-04T02:30:00Z\n": now.Add(-32*time.Minute - time.Second).Add(time.Hour),
		"2026-05-04T01:00:00Z\n": now.Add(-2*time.Hour - 2*time.Minute - time.Second).Add(time.Hour), // it is over: at once
		"2027-01-01T00:00:00Z\n": now,                                                                // a clock was wrong
		"no time":                now,
		"":                       now,
	} {
		path := filepath.Join(t.TempDir(), lastBeginFile)
		put(t, path, content)
		if got, err := dueAfter(path, time.Hour, now); err != nil || !got.Equal(want) {
			t.Errorf("after %q: %v (%v), want %v", content, got, err, want)
		}
	}
	if got, err := dueAfter(filepath.Join(t.TempDir(), "none"), time.Hour, now); err != nil || !got.Equal(now) {
		t.Errorf("the first time: %v (%v)", got, err)
	}
}

// A signal ends the wait for the next turn, at once.
func TestEveryEndsWithASignal(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("STDOUT_PIPE_FILE", filepath.Join(folder, "stdout"))
	put(t, filepath.Join(folder, lastBeginFile), time.Now().UTC().Format(time.RFC3339))
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	code, text := runApp(t, environment{signals: signals}, "sidecar", "--command", "spec", "--every", "1h")
	if code != exitSignal+15 || !strings.Contains(text, "waited for its next turn") {
		t.Errorf("exit code %d, %q", code, text)
	}
	if code, text = runApp(t, environment{}, "sidecar", "--command", "spec", "--every", "-1h"); code != exitUsage || !strings.Contains(text, "EVERY") {
		t.Errorf("exit code %d, %q", code, text)
	}
}

func TestShowRows(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`,"api_key":"s3cret-key"}`)
	p.set("SHOW_ROWS", "2")
	got := p.run()
	got.want(t, exitOK, "read SUCCESS")
	if strings.Count(got.stderr, "\n  {\"id\":") != 6 || !strings.Contains(got.stderr, "rows/orders.ndjson\n") {
		t.Errorf("stderr is\n%s", got.stderr)
	}
	log, err := os.ReadFile(p.path("data/sync-1/log.txt"))
	if err != nil || strings.Contains(string(log), `"id":1`) {
		t.Errorf("rows are in the log (%v):\n%s", err, log)
	}
}

func TestFirstLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rows")
	put(t, path, strings.Repeat("ä", 5000)+"\nsecond\n\nno line feed")
	lines, err := firstLines(path, 10)
	if err != nil || !slices.Equal(lines, []string{strings.Repeat("ä", 100) + "…", "second", "", "no line feed"}) {
		t.Errorf("%q, %v", lines, err)
	}
	if lines, err := firstLines(path+"-none", 1); len(lines) != 0 || err != nil {
		t.Errorf("of no file: %q, %v", lines, err)
	}
	if lines, err := firstLines(path, 1); len(lines) != 1 || err != nil {
		t.Errorf("one: %q, %v", lines, err)
	}
}

// init fills secrets in from files, uses what the connector made of that very configuration, and forgets a catalog that was found for it.
func TestInitConfig(t *testing.T) {
	folder := t.TempDir()
	given, used := filepath.Join(folder, "given"), filepath.Join(folder, "used")
	secrets, data := filepath.Join(folder, "secrets"), filepath.Join(folder, "data")
	for _, path := range []string{given, used, secrets, data} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(given, "config.json"), `{"token":"${TOKEN}","price":"$${X}"}`)
	put(t, filepath.Join(used, "catalog.json"), `{}`)
	updated := filepath.Join(data, "updated.json")
	run := func() (int, string) {
		return runApp(t, environment{executable: os.Args[0]}, "init",
			"--stdout-pipe", filepath.Join(folder, "out"), "--stderr-pipe", filepath.Join(folder, "err"),
			"--copy-config", given+":"+used, "--config-secrets", secrets, "--config-update-file", updated, "--forget-catalog")
	}
	if code, text := run(); code != exitUsage || !strings.Contains(text, "${TOKEN}") {
		t.Errorf("without the secret: exit code %d, %q", code, text)
	}
	put(t, filepath.Join(secrets, "TOKEN"), "first\n")
	config := func(want string) {
		t.Helper()
		if code, text := run(); code != exitOK {
			t.Fatalf("exit code %d, %q", code, text)
		}
		if got, err := os.ReadFile(filepath.Join(used, "config.json")); err != nil || string(got) != want {
			t.Errorf("the configuration is %s (%v), want %s", got, err, want)
		}
	}
	config(`{"price":"${X}","token":"first"}`)
	if _, err := os.Stat(filepath.Join(used, "catalog.json")); !os.IsNotExist(err) {
		t.Errorf("the catalog of an earlier run is still there: %v", err)
	}
	put(t, updated, `{"token":"rotated"}`)
	config(`{"token":"rotated"}`)
	put(t, filepath.Join(secrets, "TOKEN"), "second\n")
	config(`{"price":"${X}","token":"second"}`)
	put(t, filepath.Join(given, "catalog.json"), `{"streams":[]}`)
	config(`{"price":"${X}","token":"second"}`)
	if _, err := os.Stat(filepath.Join(used, "catalog.json")); err != nil {
		t.Error(err)
	}
}

// `catalog --if-needed` starts nothing where there is nothing to do.
func TestCatalogIfNeeded(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	catalog := filepath.Join(folder, "catalog.json")
	run := func(command string) int {
		code, _ := runApp(t, environment{}, "catalog", "--if-needed", "--command", command, "--catalog-file", catalog, "--config-file", catalog+"-none",
			"--", "/no/such/program")
		return code
	}
	if code := run("check"); code != exitOK {
		t.Errorf("for check: exit code %d", code)
	}
	if code := run("read"); code == exitOK {
		t.Error("for read without a catalog nothing was asked")
	}
	put(t, catalog, "{}")
	if code := run("read"); code != exitOK {
		t.Errorf("with a catalog: exit code %d", code)
	}
}
