package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Several syncs: each as if it was alone, and a table of all; the exit code is the worst.
func TestRunAllSyncsOfAProject(t *testing.T) {
	t.Parallel()
	c := projectLine(t)
	c.wants("an unset variable", c.run("run", "--all"), exitUsage, "API_KEY")
	c.file("wrong.yaml", "defaults: {exec: x, local-dir: '${DIR}'}\nsyncs:\n  a: {config: {k: '${KEY}'}}\n  b: {full-refresh: '${AT}', config: {}}\n")
	c.env = append(c.env, "AT=on")
	wrong := c.run("run", "--project", "wrong.yaml", "--all")
	c.wants("all that is wrong", wrong, exitUsage, "DIR", "wrong.yaml:3: config: not set in the environment: KEY", `:4: full-refresh: true or false`)
	if strings.Count(wrong.stderr, "DIR") != 1 {
		t.Errorf("what two syncs share is said twice: %s", wrong.stderr)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "data")); err == nil {
		t.Error("something ran although a variable is not set")
	}
	c.env = append(c.env, "API_KEY=key-sesame")
	for _, jobs := range []string{"1", "3"} {
		got := c.run("run", "--all", "--jobs", jobs, "--full-refresh")
		c.wants("all", got, exitPartial, "== orders", "sync       rows", "all-of-it    20", "SUCCESS", "PARTIAL", "bad: ", "gone", "bad       | ",
			"1 of 3 syncs did not succeed: bad")
		if strings.Contains(got.stdout+got.stderr, "key-sesame") {
			t.Errorf("a secret is shown: %+v", got)
		}
	}
	c.wants("two of them", c.run("run", "orders", "all-of-it", "-q"), exitOK, "all-of-it", "SUCCESS")
	c.wants("check", c.run("run", "check", "--all"), exitOK, "SUCCEEDED", "bad")
	var summed struct {
		Syncs []struct {
			Sync     string          `json:"sync"`
			ExitCode int             `json:"exit_code"`
			Report   json.RawMessage `json:"report"`
		} `json:"syncs"`
	}
	got := c.run("run", "--all", "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &summed); err != nil || len(summed.Syncs) != 3 || summed.Syncs[2].ExitCode != exitPartial ||
		!strings.Contains(string(summed.Syncs[1].Report), `"rows": 0`) {
		t.Errorf("JSON: %v %s%s", err, got.stdout, got.stderr)
	}
}

// Ctrl-C stops what runs, once, and begins nothing more.
func TestRunAllIsStopped(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.file("sync-sidecar.yaml", `
defaults: {exec: `+c.programs.Demo+`, config: {count: 1000, rate: 20}}
syncs: {a: {}, b: {}, c: {}}
`)
	command, stdout, stderr := c.command("run", "--all", "--jobs", "2")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	c.await("a", "RUNNING")
	c.await("b", "RUNNING")
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code := codeOf(t, command.Wait())
	if code != 130 || !strings.Contains(stdout.String(), "NOT BEGUN") || strings.Count(stdout.String(), "CANCELLED") < 2 {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	c.clean()
}

// await waits until the task of a sync is in a status.
func (c *commandLine) await(sync, status string) {
	c.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		text, err := os.ReadFile(filepath.Join(c.dir, "sync-data", sync, "task.json"))
		if err == nil && strings.Contains(string(text), status) {
			return
		}
		time.Sleep(10 * time.Millisecond) // polling with a deadline
	}
	c.t.Errorf("sync %s is not %s within a minute", sync, status)
}

// Killed, it can tell its runs nothing: they notice, and end as they should.
func TestRunAllIsKilled(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.file("sync-sidecar.yaml", `
defaults: {exec: `+c.programs.Demo+`, config: {count: 1000, rate: 20}}
syncs: {a: {}, b: {}}
`)
	command, _, _ := c.command("run", "--all", "--jobs", "2")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	c.await("a", "RUNNING")
	c.await("b", "RUNNING")
	if running := processesIn(t, c.dir); len(running) < 5 {
		t.Errorf("run --all, two runs and two connectors should be seen: %s", strings.Join(running, "; "))
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	c.await("a", "CANCELLED")
	c.await("b", "CANCELLED")
	c.awaitAlone()
}

// awaitAlone waits until no process is in the folder of the command line, for what a killed one leaves behind.
func (c *commandLine) awaitAlone() {
	c.t.Helper()
	var left []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if left = processesIn(c.t, c.dir); len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond) // polling with a deadline
	}
	c.t.Errorf("still running after half a minute: %s", strings.Join(left, "; "))
}

// processesIn are the command lines of those that work in a folder, or below it.
func processesIn(t *testing.T, folder string) (commands []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil || len(links) == 0 {
		t.Fatalf("list processes: %v %v", links, err)
	}
	for _, link := range links {
		at, err := os.Readlink(link)
		if err != nil || at != folder && !strings.HasPrefix(at, folder+"/") {
			continue // ended meanwhile, or a zombie: it has no folder, and writes nothing
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
		if err == nil {
			commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return commands
}

func TestWorst(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ codes, want []int }{
		{[]int{0, 0}, []int{0}}, {[]int{0, 4, 0}, []int{4}}, {[]int{1, 4}, []int{1}}, {[]int{1, 3, 2}, []int{3}}, {[]int{6, 5}, []int{6}},
		{[]int{3, 130, 1}, []int{130}},
	} {
		var ended []endedRun
		for _, code := range test.codes {
			ended = append(ended, endedRun{name: "x", code: code})
		}
		if got := exitCode(worst(ended)); !slices.Equal([]int{got}, test.want) {
			t.Errorf("%v: %d, want %v", test.codes, got, test.want)
		}
	}
}
