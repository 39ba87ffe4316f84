package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// state runs a `state` command for the sync "one".
func (c *commandLine) state(args ...string) ended {
	c.t.Helper()
	return c.run(append(append([]string{"state"}, args...), "--sync-id", "one")...)
}

// lines is how many rows of a stream the local folder holds.
func (c *commandLine) lines(stream string) int {
	c.t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, "sync-data/one/rows", stream+".ndjson"))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.Count(string(content), "\n")
}

// read reads the demonstration connector as the sync "one".
func (c *commandLine) read(config string, args ...string) {
	c.t.Helper()
	got := c.demo("read", append([]string{"--sync-id", "one", "--config", config}, args...)...)
	if got.code != 0 {
		c.t.Fatalf("read: exit code %d: %s", got.code, got.stderr)
	}
}

// A sync in the local folder: its states are shown, go into a file and come back, and are forgotten.
func TestStateInTheLocalFolder(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.wants("nothing", c.state("show"), exitFailed, `"one"`, "sync-data", "nor of any other")
	if _, err := os.Stat(filepath.Join(c.dir, "sync-data")); err == nil {
		t.Error("a look made a folder")
	}
	c.read(`{"count":100}`)
	c.wants("no sync", c.run("state", "show"), exitUsage, "--sync-id", "there are one")
	c.wants("another sync", c.run("state", "show", "--sync-id", "two"), exitFailed, `"two"`, "there are those of one")
	c.wants("show", c.state("show"), exitOK, "customers  STREAM  20", "updated_at=20", "orders ")
	c.wants("some", c.state("show", "--streams", "cust*,orders"), exitOK, "customers", "orders")
	if got := c.state("show", "--streams", "cust*"); strings.Contains(got.stdout, "orders") {
		t.Errorf("--streams shows others: %s", got.stdout)
	}
	c.wants("no such stream", c.state("show", "--streams", "nobody"), exitFailed, `"nobody"`, "customers, orders, products")
	var list []stateJSON
	if got := c.state("show", "-o", "json"); json.Unmarshal([]byte(got.stdout), &list) != nil || len(list) != 3 || list[0].UpdatedAt == nil {
		t.Errorf("JSON: %s", got.stdout)
	}

	exported := c.state("export")
	c.wants("export", exported, exitOK, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"customers"}`)
	c.file("state.json", exported.stdout)
	if same := c.state("diff", "state.json"); same.code != exitOK || same.stdout != "" {
		t.Errorf("the same: %+v", same)
	}
	c.read(`{"count":100,"grow":10}`)
	before := c.lines("orders")
	c.wants("diff", c.state("diff", "state.json"), exitFailed, "orders", "in state.json", "updated_at=")
	if other := c.state("diff", "state.json", "--streams", "customers", "-o", "json"); strings.Contains(other.stdout, "orders") {
		t.Errorf("--streams compares others: %s", other.stdout)
	}
	c.wants("import", c.state("import", "state.json"), exitOK, "3 states (customers, orders, products)", `"one"`, "sync-data/one")
	c.wants("the same again", c.state("diff", "state.json"), exitOK)
	c.read(`{"count":100,"grow":10}`)
	if after := c.lines("orders"); after != before {
		t.Errorf("orders has %d rows, want %d: a state that was known before cuts the rows after it", after, before)
	}

	c.wants("nobody to ask", c.state("reset"), exitUsage, "--yes")
	c.wants("reset of one", c.state("reset", "--streams", "orders", "--yes"), exitOK, "1 state (orders)")
	c.read(`{"count":100}`) // which is 60 orders; with grow there were 10 more
	if after := c.lines("orders"); after != 60 || before != 70 {
		t.Errorf("orders has %d rows after %d, want 60 after 70: what starts over replaces them", after, before)
	}
	c.wants("reset", c.state("reset", "-y"), exitOK, "3 states")
	c.wants("nothing is left", c.state("show"), exitFailed, "no state")
	c.wants("nothing to reset", c.state("reset", "-y"), exitFailed, "no state")
	c.wants("diff with nothing", c.state("diff", "state.json"), exitFailed, "customers")
}

// What cannot be is said before anything is changed.
func TestStateRefuses(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.read(`{"count":20,"state_type":"LEGACY"}`)
	for _, test := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no file", []string{"import"}, exitUsage, []string{"which file", "state import FILE"}},
		{"two files", []string{"diff", "a", "b"}, exitUsage, []string{`also "b"`}},
		{"an argument", []string{"show", "one"}, exitUsage, []string{`"one"`, "--sync-id"}},
		{"no such file", []string{"import", "none.json"}, exitUsage, []string{"none.json", "no such file"}},
		{"no JSON", []string{"import", "broken.json"}, exitUsage, []string{"broken.json:1:"}},
		{"no state", []string{"import", "empty.json"}, exitUsage, []string{"empty.json", "state reset"}},
		{"a catalog", []string{"import", "catalog.json"}, exitUsage, []string{"catalog.json: is a CATALOG message"}},
		{"a part of a LEGACY one", []string{"reset", "--yes", "--streams", "orders"}, exitUsage, []string{"LEGACY", "as a whole"}},
		{"a part beside a LEGACY one", []string{"import", "users.json", "--streams", "users"}, exitUsage, []string{"as a whole"}},
		{"another output", []string{"show", "-o", "xml"}, exitUsage, []string{"json or table"}},
		{"a flag too much", []string{"export", "--yes"}, exitUsage, []string{"-yes", "state export --help"}},
	} {
		c.file("broken.json", `{"a":`)
		c.file("empty.json", `[]`)
		c.file("catalog.json", `{"type":"CATALOG","catalog":{"streams":[]}}`)
		c.file("users.json", `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"n":1}}}]`)
		c.wants(test.name, c.state(test.args...), test.code, test.want...)
	}
	c.wants("it is as it was", c.state("show"), exitOK, "(all streams)  LEGACY")
	for _, file := range []string{"broken.json", "empty.json", "catalog.json", "none.json"} {
		c.wants(file, c.run("state", "import", file, "--sync-id", "another"), exitUsage, file)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "sync-data/another")); err == nil {
		t.Error("a wrong file made a folder")
	}
	c.wants("export of a LEGACY one", c.state("export"), exitOK, `{"`)
	c.wants("another kind", c.state("import", "users.json"), exitOK, "LEGACY, and what takes its place STREAM")
	state := `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"n":%d}}}}` + "\n"
	c.file("said.jsonl", `{"type":"LOG","log":{"level":"INFO","message":"x"}}`+"\n"+fmt.Sprintf(state, 7)+fmt.Sprintf(state, 8))
	c.wants("lines of a connector", c.state("import", "said.jsonl"), exitOK, "1 state (users)")
	c.wants("the last counts", c.state("show"), exitOK, "n=8")
}

// A GLOBAL state is shown by its streams; one of these can be taken out of it.
func TestStateGlobal(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.read(`{"count":20,"state_type":"GLOBAL"}`)
	c.wants("show", c.state("show"), exitOK, "(all streams)  GLOBAL", "orders         GLOBAL")
	c.wants("export of a part", c.state("export", "--streams", "orders"), exitUsage, "as a whole")
	c.wants("reset of one", c.state("reset", "--streams", "orders", "-y"), exitOK, "shared_state", "1 state (orders)")
	if got := c.state("show"); strings.Contains(got.stdout, "orders") || !strings.Contains(got.stdout, "customers") {
		t.Errorf("after a reset of orders: %s", got.stdout)
	}
	exported := c.state("export")
	c.wants("export", exported, exitOK, `[{"type":"GLOBAL","global":{`)
	c.file("state.json", exported.stdout)
	c.wants("reset", c.state("reset", "-y"), exitOK)
	c.wants("import", c.state("import", "state.json"), exitOK, "(all streams)")
	c.wants("the same", c.state("diff", "state.json"), exitOK)
}

// Of long states a table shows where they differ.
func TestStateDiffShowsTheDifference(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	long := `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"a":"` + strings.Repeat("x", 200) + `","n":%d}}}]`
	c.file("one.json", fmt.Sprintf(long, 17))
	c.file("two.json", fmt.Sprintf(long, 18))
	c.wants("import", c.state("import", "one.json"), exitOK)
	c.wants("diff", c.state("diff", "two.json"), exitFailed, "…xx", "n=17  …xx", "n=18\n")
}

// Secrets in states are shown to nobody; a state file has to hold them.
func TestStateShowsNoSecret(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.file("state.json", `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"access_token":"tok-sesame-123","n":1}}}]`)
	c.file("other.json", `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"access_token":"tok-sesame-456","n":1}}}]`)
	c.wants("import", c.state("import", "state.json"), exitOK)
	for _, args := range [][]string{{"show"}, {"show", "-o", "json"}, {"diff", "other.json"}, {"diff", "other.json", "-o", "json"}} {
		if got := c.state(args...); strings.Contains(got.stdout+got.stderr, "tok-sesame") || !strings.Contains(got.stdout, "n") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	c.wants("diff", c.state("diff", "other.json"), exitFailed, "differs in a secret")
	c.wants("export", c.state("export"), exitOK, "tok-sesame-123")
}

// While a sync runs nobody changes its states, and it is said who it is; to look at them is fine.
func TestStateOfARunningSync(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.read(`{"count":20}`)
	c.file("state.json", c.state("export").stdout)
	running, _, _ := c.command("run", "read", "--exec", c.programs.Demo, "--sync-id", "one", "--config", `{"count":1000,"rate":50}`, "--full-refresh")
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !c.isRunning() && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // polling with a deadline
	}
	got := c.meanwhile("state", "import", "state.json", "--sync-id", "one")
	c.wants("import", got, exitEnvironment, "in use by task", "process")
	c.wants("reset", c.meanwhile("state", "reset", "-y", "--sync-id", "one"), exitEnvironment, "in use by task")
	c.wants("show", c.meanwhile("state", "show", "--sync-id", "one"), exitOK, "STREAM")
	if err := running.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = running.Wait()
	c.wants("afterwards", c.state("reset", "-y"), exitOK)
}

// meanwhile runs a command while another of this folder is under way.
func (c *commandLine) meanwhile(args ...string) ended {
	c.t.Helper()
	command, stdout, stderr := c.command(args...)
	code := codeOf(c.t, command.Run())
	return ended{code, stdout.String(), stderr.String()}
}

// isRunning says that a read of the sync has begun and not ended.
func (c *commandLine) isRunning() bool {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "sync-data/one/task.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.Contains(string(text), "RUNNING")
}

// terminal is a pseudoterminal: what a person would sit at, and the program's end.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// At a terminal a person is asked, with what will be forgotten.
func TestStateResetAsks(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.read(`{"count":20}`)
	for _, test := range []struct {
		answer string
		code   int
	}{{"n\n", exitFailed}, {"\n", exitFailed}, {"yes\n", exitOK}} {
		person, program := terminal(t)
		command, stdout, _ := c.command("state", "reset", "--sync-id", "one")
		command.Stdin, command.Stderr = program, program
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		asked := make([]byte, 4096)
		n, err := person.Read(asked)
		if err != nil || !strings.Contains(string(asked[:n]), "forget 3 states (customers, orders, products)") {
			t.Errorf("asked %q (%v)", asked[:n], err)
		}
		if _, err := person.WriteString(test.answer); err != nil {
			t.Fatal(err)
		}
		if code := codeOf(t, command.Wait()); code != test.code {
			t.Errorf("%q: exit code %d, want %d: %s", test.answer, code, test.code, stdout.String())
		}
	}
	c.wants("show", c.state("show"), exitFailed, "no state")
}
