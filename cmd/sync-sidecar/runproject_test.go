package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/runner"
	"sync-sidecar/runner/project"
	"sync-sidecar/runner/schema"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// projectSchema is the JSON Schema of project files.
const projectSchema = "../../docs/project.schema.json"

// The schema is made from the flags, and holds every example of the documents.
func TestDocsProjectSchema(t *testing.T) {
	t.Parallel()
	want, err := project.Schema(projectOptions())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(projectSchema, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := readDoc(t, projectSchema); got != string(want) {
		t.Errorf("%s is not what the flags say: go test ./cmd/sync-sidecar -run TestDocs -update", projectSchema)
	}
	compiled, err := schema.Compile(want)
	if err != nil {
		t.Fatal(err)
	}
	page, examples := readDoc(t, "../../docs/project.md"), 0
	for _, block := range strings.Split(page, "```yaml\n")[1:] {
		example, _, _ := strings.Cut(block, "```")
		if _, err := project.Parse("example", []byte(example), projectOptions()); err != nil {
			t.Errorf("%s\n%v", example, err)
		}
		if found := violations(t, compiled, example); len(found) > 0 {
			t.Errorf("%s\n%v", example, found)
		}
		examples++
	}
	if examples == 0 {
		t.Error("docs/project.md has no example")
	}
	for _, wrong := range []string{"syncs: {a: {imag: x}}", "defaults: {}", "syncs: {}", "syncs: {a: {image: [x]}}", "syncs: {read: {}}",
		"syncs: {a: {sync-id: x}}"} {
		if len(violations(t, compiled, wrong)) == 0 {
			t.Errorf("the schema takes %s", wrong)
		}
		if _, err := project.Parse("wrong", []byte(wrong), projectOptions()); err == nil {
			t.Errorf("the program takes %s", wrong)
		}
	}
}

// readDoc reads a document.
func readDoc(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// violations are what does not fit the schema.
func violations(t *testing.T, compiled *schema.Schema, text string) []schema.Problem {
	t.Helper()
	document, err := runner.FromYAML("example", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := schema.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Check(decoded)
}

// projectLine is a command line in a folder with a project of three syncs.
func projectLine(t *testing.T) *commandLine {
	t.Helper()
	c := newCommandLine(t)
	c.file("orders.yaml", "counts: {customers: 3, products: 2, orders: 5}\n")
	c.file("sync-sidecar.yaml", `
defaults:
  exec: `+c.programs.Demo+`
  config: {count: 20}
  local-dir: data
syncs:
  all-of-it: {}
  orders:
    config: orders.yaml
    streams: orders
  bad:
    config: {count: 20, api_key: "${API_KEY}", faults: {error_trace: {stream: orders, message: "gone"}}}
`)
	return c
}

func TestRunASyncOfAProject(t *testing.T) {
	t.Parallel()
	c := projectLine(t)
	c.wants("read", c.run("run", "orders"), exitOK, "orders     5", "data/orders")
	c.wants("flags behind", c.run("run", "orders", "--full-refresh", "--streams", "customers"), exitOK, "customers     3")
	c.wants("another command", c.run("run", "check", "orders"), exitOK, "SUCCEEDED")
	c.wants("in words", c.run("run", "read", "all-of-it"), exitOK, "data/all-of-it")
	c.wants("completion", c.run("__complete", "--", "run", "or"), exitOK, "orders\ta sync of sync-sidecar.yaml")
	c.wants("a state", c.run("state", "show", "--sync-id", "orders"), exitOK, "orders     STREAM")
	c.wants("an unset variable", c.run("run", "bad"), exitUsage, "sync-sidecar.yaml:12: config", "API_KEY")
	c.env = append(c.env, "API_KEY=key-sesame")
	got := c.run("run", "bad")
	c.wants("a failure", got, exitPartial, "gone")
	if strings.Contains(got.stdout+got.stderr, "key-sesame") {
		t.Errorf("a secret is shown: %+v", got)
	}
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"no such sync", []string{"run", "ordes"}, []string{`no sync "ordes"`, `did you mean "orders"?`, "spec, check, discover, read"}},
		{"a command behind", []string{"run", "orders", "check"}, []string{"run check orders"}},
		{"no sync of a state", []string{"state", "show"}, []string{"--sync-id", "all-of-it, orders, bad"}},
		{"several, and one is none", []string{"run", "read", "orders", "x"}, []string{`no sync "x"`}},
		{"twice", []string{"run", "orders", "orders"}, []string{"twice"}},
		{"all, and one", []string{"run", "--all", "orders"}, []string{"--all"}},
		{"no such file", []string{"run", "--project", "none.yaml", "orders"}, []string{"none.yaml", "no such file"}},
		{"another name", []string{"run", "orders", "--sync-id", "x"}, []string{"--sync-id", `"orders"`}},
		{"which", []string{"run", "--project", "sync-sidecar.yaml"}, []string{"which sync", "--all"}},
		{"one file for several", []string{"run", "--all", "--report", "x.json"}, []string{"--report"}},
		{"no jobs", []string{"run", "--all", "--jobs", "0"}, []string{"--jobs 0"}},
	} {
		c.wants(test.name, c.run(test.args...), exitUsage, test.want...)
	}
	other := newCommandLine(t)
	other.wants("no project", other.run("run", "orders"), exitUsage, `"orders" is not one of spec, check, discover, read`, "sync-sidecar.yaml")
	other.wants("no project for all", other.run("run", "--all"), exitUsage, "no sync-sidecar.yaml")
	other.file("sync-sidecar.yaml", "syncs:\n  a:\n    imag: x\n")
	other.wants("a broken one", other.run("run", "a"), exitUsage, `sync-sidecar.yaml:3: "imag"`, `"image"`)
	other.wants("an image in a folder with a broken one", other.run("run", "read", "some/image", "--config", "none.json"), exitUsage, "none.json")
}

// A project elsewhere: its paths are relative to it.
func TestRunAProjectElsewhere(t *testing.T) {
	t.Parallel()
	c := projectLine(t)
	folder := filepath.Join(c.dir, "conf")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sync-sidecar.yaml", "orders.yaml"} {
		if err := os.Rename(filepath.Join(c.dir, name), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.wants("read", c.run("run", "--project", "conf/sync-sidecar.yaml", "orders"), exitOK, "orders     5", "conf/data/orders")
}

// A sync can deliver to a server that is named by a variable.
func TestRunAProjectIntoPostgres(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	database := postgrestest.Database(t)
	c.env = append(c.env, "WAREHOUSE="+database)
	c.file("sync-sidecar.yaml", "syncs:\n  one:\n    exec: "+c.programs.Demo+"\n    config: {count: 20}\n    destination-url: ${WAREHOUSE}\n")
	got := c.run("run", "one")
	c.wants("read", got, exitOK, "SUCCESS")
	wantLines(t, "tables", postgrestest.Query(t, database, demoTables), "6|2|12")
	c.wants("state", c.run("state", "show", "--sync-id", "one"), exitOK, "orders")
	c.wants("reset", c.run("state", "reset", "-y", "--sync-id", "one"), exitOK, "position of the rows")
	wantLines(t, "states", postgrestest.Query(t, database, positions), "0|0")
}

// A value of a flag that can be repeated may hold commas, on the command line and in a project file.
func TestRunTakesCommas(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.file("spec.sh", `printf %s "$OPTIONS" > options; echo '{"type":"SPEC","spec":{"connectionSpecification":{}}}'`)
	c.file("sync-sidecar.yaml", "syncs: {one: {exec: sh spec.sh, env: {OPTIONS: '-c,-d'}}}\n")
	for want, args := range map[string][]string{"-a,-b": {"--exec", "sh spec.sh", "--env", "OPTIONS=-a,-b"}, "-c,-d": {"one"}} {
		c.wants(want, c.run(append([]string{"run", "spec"}, args...)...), exitOK)
		if got := readDoc(t, filepath.Join(c.dir, "options")); got != want {
			t.Errorf("the connector was given %q, want %q", got, want)
		}
	}
}
