package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRunPrintsResultsToStdoutAlone(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	for _, test := range []struct {
		command string
		args    []string
		want    []string // in stdout
		isJSON  bool
	}{
		{"spec", nil, []string{"connectionSpecification"}, true},
		{"spec", []string{"--output", "table"}, []string{"api_key", "secret"}, false},
		{"check", []string{"--config", "{}"}, []string{"SUCCEEDED"}, false},
		{"check", []string{"--config", "{}", "-o", "json"}, []string{`"status": "SUCCEEDED"`}, true},
		{"discover", []string{"--config", "{}"}, []string{`"customers"`}, true},
		{"discover", []string{"--config", "{}", "-o", "table"}, []string{"customers", "incremental", "updated_at"}, false},
		{"read", []string{"--config", `{"count":1000}`}, []string{"customers", "300", "1,000", "SUCCESS", "rows in", "sync-data"}, false},
		{"read", []string{"--config", `{"count":1000}`, "--sync-id", "again", "-o", "json", "--streams", "orders,products"},
			[]string{`{"event":"log",`, `{"event":"report",`, `"rows":600`, `"status":"SUCCESS"`}, false},
	} {
		got := c.demo(test.command, test.args...)
		if got.code != 0 {
			t.Errorf("%s %q: exit code %d, %s", test.command, test.args, got.code, got.stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s %q: stdout lacks %s: %s", test.command, test.args, want, got.stdout)
			}
		}
		if json.Valid([]byte(got.stdout)) != test.isJSON {
			t.Errorf("%s %q: JSON or not: %s", test.command, test.args, got.stdout)
		}
	}
}

func TestRunExitCodesAndWords(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	if err := os.WriteFile(filepath.Join(c.dir, "broken.json"), []byte("{\n \"a\": 1,,\n}"), 0o600); err != nil {
		t.Fatal(err)
	}
	demo := c.programs.Demo
	for _, test := range []struct {
		name string
		args []string
		code int
		want []string // in stderr
	}{
		{"no connector", []string{"check", "--config", "{}"}, exitUsage, []string{"--image", "--exec"}},
		{"two connectors", []string{"spec", "--exec", demo, "some/image"}, exitUsage, []string{"some/image"}},
		{"two images", []string{"check", "some/image", "--config", "{}", "another"}, exitUsage, []string{`also "another"`}},
		{"flags behind the image", []string{"check", "some/image", "--config", "broken.json"}, exitUsage, []string{"broken.json:2:9:"}},
		{"no config", []string{"check", "--exec", demo}, exitUsage, []string{"--config", "run spec"}},
		{"broken config", []string{"check", "--exec", demo, "--config", "broken.json"}, exitUsage, []string{"broken.json:2:9:"}},
		{"no such file", []string{"check", "--exec", demo, "--config", "none.json"}, exitUsage, []string{"none.json"}},
		{"a folder", []string{"check", "--exec", demo, "--config", "tmp"}, exitUsage, []string{"folder"}},
		{"config is a list", []string{"check", "--exec", demo, "--config", "[]"}, exitUsage, []string{"object"}},
		{"unset variable", []string{"check", "--exec", demo, "--config", `{"a":"${NOT_SET_HERE}"}`}, exitUsage, []string{"NOT_SET_HERE"}},
		{"discovered catalog", []string{"read", "--exec", demo, "--config", "{}", "--catalog", `{"streams":[{"name":"a"}]}`}, exitUsage,
			[]string{"discover"}},
		{"unknown stream", []string{"read", "--exec", demo, "--config", "{}", "--streams", "custmers"}, exitUsage,
			[]string{`did you mean "customers"`}},
		{"unknown flag", []string{"spec", "--exec", demo, "--nope"}, exitUsage, []string{"-nope", "--help"}},
		{"unknown output", []string{"spec", "--exec", demo, "--output", "xml"}, exitUsage, []string{"json or table"}},
		{"bad setting", []string{"read", "--exec", demo, "--config", "{}", "--batch-rows", "0"}, exitUsage, []string{"BATCH_ROWS"}},
		{"bad memory", []string{"spec", "--image", "x", "--memory", "lots"}, exitUsage, []string{"512m"}},
		{"bad env", []string{"spec", "--exec", demo, "--env", "=x"}, exitUsage, []string{"--env"}},
		{"no such program", []string{"spec", "--exec", "/nowhere/source"}, exitEnvironment, []string{"/nowhere/source"}},
		{"no Engine", []string{"spec", "--image", "x"}, exitEnvironment, []string{"none.sock", "DOCKER_HOST"}},
		{"unreachable Bulker", []string{"read", "--exec", demo, "--config", "{}", "--bulker-url", "http://127.0.0.1:1"}, exitEnvironment,
			[]string{"127.0.0.1:1"}},
		{"check fails", []string{"check", "--exec", demo, "--config", `{"api_key":"invalid"}`}, exitCheckFailed, nil},
		{"partial", []string{"read", "--exec", demo, "--config", `{"faults":{"error_trace":{"stream":"orders","message":"gone"}}}`}, exitPartial,
			[]string{"gone"}},
		{"failed", []string{"read", "--exec", demo, "--config", `{"faults":{"exit_code":{"code":9}}}`, "--streams", "orders"}, exitFailed,
			[]string{"9"}},
		{"timeout", []string{"read", "--exec", demo, "--config", `{"rate":10}`, "--timeout", "1s"}, exitTimeout, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			own := newCommandLine(t)
			own.dir, own.env = c.dir, append(own.env, "DOCKER_HOST=unix:///nowhere/none.sock", "LOCAL_DIR="+t.TempDir())
			got := own.run(append([]string{"run"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d: %s", got.code, test.code, got.stderr)
			}
			if got.code == exitUsage && got.stdout != "" {
				t.Errorf("stdout has %s", got.stdout)
			}
			for _, want := range test.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("stderr lacks %s: %s", want, got.stderr)
				}
			}
		})
	}
}

func TestRunGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	config := `{"counts":{"orders":50},"grow":5}`
	for _, test := range []struct {
		args []string
		rows int // in the file, afterwards
	}{
		{nil, 50},
		{nil, 55},
		{[]string{"--full-refresh"}, 50}, // a source that starts again has not grown yet
		{nil, 50},                        // begins again, and keeps one row per key
	} {
		got := c.demo("read", append([]string{"--config", config, "--streams", "orders"}, test.args...)...)
		if got.code != 0 {
			t.Fatalf("%q: exit code %d: %s", test.args, got.code, got.stderr)
		}
		content, err := os.ReadFile(filepath.Join(c.dir, "sync-data", "source-demo", "rows", "orders.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		if rows := bytes.Count(content, []byte("\n")); rows != test.rows {
			t.Errorf("%q: %d rows, want %d", test.args, rows, test.rows)
		}
	}
}

// I5: neither --verbose nor any file shows what is secret in the config.
func TestRunKeepsSecrets(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.env = append(c.env, "DEMO_KEY=hunter2-hunter2")
	config := `{"api_key":"${DEMO_KEY}","faults":{"stderr_text":{"text":"key is hunter2-hunter2"}}}`
	got := c.demo("read", "--config", config, "--verbose")
	if got.code != 0 || !strings.Contains(got.stderr, "key is ") {
		t.Fatal(got.stderr)
	}
	if strings.Contains(got.stdout+got.stderr, "hunter2") {
		t.Errorf("shown: %s %s", got.stdout, got.stderr)
	}
	err := filepath.WalkDir(c.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte("hunter2")) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A connector with single-use tokens gets what it made of its configuration, as long as the caller gives the same one, and not a moment longer.
func TestRunUsesWhatTheConnectorMadeOfItsConfig(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	updated := filepath.Join(c.dir, "sync-data", "source-demo", "config.updated.json")
	for _, round := range []struct{ given, used string }{
		{"first", "first-rotated-1"}, {"first", "first-rotated-2"}, {"second", "second-rotated-1"}, {"first", "first-rotated-1"},
	} {
		got := c.demo("check", "--config", fmt.Sprintf(`{"emit_control":true,"api_key":"%s"}`, round.given))
		if got.code != 0 {
			t.Fatal(got.stderr)
		}
		content, err := os.ReadFile(updated)
		if err != nil || !strings.Contains(string(content), `"`+round.used+`"`) {
			t.Errorf("given %s: %s, %v; want %s", round.given, content, err, round.used)
		}
		info, err := os.Stat(updated)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	if err := os.WriteFile(updated, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := c.demo("check", "--config", `{"emit_control":true,"api_key":"first"}`)
	if got.code != exitEnvironment || !strings.Contains(got.stderr, "move it away") {
		t.Errorf("a damaged one: exit code %d, %s", got.code, got.stderr)
	}
}

func TestRunIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config  string
		signals []syscall.Signal
		code    int
	}{
		"once":  {`{"count":1000000,"rate":1000}`, []syscall.Signal{syscall.SIGINT}, exitSignal + 2},
		"TERM":  {`{"count":1000000,"rate":1000}`, []syscall.Signal{syscall.SIGTERM}, exitSignal + 15},
		"twice": {`{"count":1000000,"rate":1000}`, []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, exitSignal + 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommandLine(t)
			command, stdout, stderr := c.command("run", "read", "--exec", c.programs.Demo, "--config", test.config, "--state-age", "100ms")
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			waitForFile(t, filepath.Join(c.dir, "sync-data", "source-demo", "rows", "customers.ndjson"))
			for _, number := range test.signals {
				if err := command.Process.Signal(number); err != nil {
					t.Error(err)
				}
			}
			if code := codeOf(t, command.Wait()); code != test.code {
				t.Errorf("exit code %d, want %d: %s", code, test.code, stderr)
			}
			c.clean()
			if len(test.signals) == 1 && (!strings.Contains(stdout.String(), "CANCELLED") || !strings.Contains(stderr.String(), "cancelled by SIG")) {
				t.Errorf("stdout %s\nstderr %s", stdout, stderr)
			}
		})
	}
}

// `run … 2>&1 | head` takes its reader away in the middle: the run goes on, cleans up, and says nothing any more.
func TestRunOutlivesItsReader(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command, stdout, _ := c.command("run", "read", "--exec", c.programs.Demo, "--config", `{"count":1000}`, "--verbose")
	command.Stderr = writer
	if err := errors.Join(command.Start(), reader.Close(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	if code := codeOf(t, command.Wait()); code != exitOK || !strings.Contains(stdout.String(), "1,000") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	c.clean()
}
