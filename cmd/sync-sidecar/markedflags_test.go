package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/secret"
)

// anotherServer are the flags of a server that nothing in this program names.
func anotherServer() []cli.Flag {
	return []cli.Flag{
		secretFlag(categoryDestination, "warehouse-token", "WAREHOUSE_TOKEN", "token"),
		addressFlag(categoryDestination, "warehouse-url", "WAREHOUSE_URL", "address"),
		secretAddressFlag(categoryDestination, "warehouse-dsn", "WAREHOUSE_DSN", "address with a password"),
	}
}

// runTask is the task that arguments of `run read` ask for when anotherServer's flags are among its own, and the masker for it. Its callers do not
// run in parallel: the library's flag for help is one for all commands.
func runTask(t *testing.T, env environment, args ...string) (task runner.Task, masker *secret.Masker, err error) {
	t.Helper()
	given := []string{"--exec", "/bin/source", "--config", "{}", "--catalog", `{"streams":[{"stream":{"name":"a"}}]}`, "--local-dir", t.TempDir()}
	err = parse(t, append(runFlags(sidecar.CommandRead), anotherServer()...), append(given, args...), func(c *cli.Context) (err error) {
		task, err = (&runMode{env: env, cli: c, command: sidecar.CommandRead}).task()
		masker = newRunMasker(task, c.Command.Flags)
		return err
	})
	return task, masker, err
}

// I5: that its flag is declared as one is all that a secret setting needs, on its way from the person who runs the sync to the sidecar.
func TestASecretNeedsNothingButItsFlag(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment{getenv: func(name string) string { return map[string]string{"WAREHOUSE_TOKEN_FILE": file}[name] }}
	task, masker, err := runTask(t, env, "--warehouse-url", "http://u:hunter3@localhost", "--warehouse-dsn", "db://u:hunter4@localhost/x")
	if err != nil {
		t.Fatal(err)
	}
	const text, masked = "hunter2 hunter3 hunter4", "*** *** ***"
	if got := masker.Mask(text); got != masked {
		t.Errorf("run shows %s", got)
	}
	for _, name := range []string{"WAREHOUSE_URL", "WAREHOUSE_DSN"} {
		if !slices.Contains(task.AddressSettings, name) {
			t.Errorf("containers may not reach what %s names", name)
		}
	}
	plan := runner.NewPlan(task, runner.Layout{Shared: filepath.Join(dir, "shared"), Private: filepath.Join(dir, "private"), LocalDir: dir})
	for name, step := range map[string]runner.Step{"init": plan.Init, "connector": plan.Connector, "sidecar": plan.Sidecar} {
		if all := strings.Join(append(step.Args, step.Env...), " "); strings.Contains(all, "hunter2") || strings.Contains(all, "hunter4") {
			t.Errorf("argv or environment of the %s holds a secret: %s", name, all)
		}
	}
	if got := sidecarMasks(t, plan, text); got != masked {
		t.Errorf("the sidecar shows %s", got)
	}
}

// sidecarMasks is a text as the sidecar of a plan shows it when anotherServer's flags are among its own.
func sidecarMasks(t *testing.T, plan runner.Plan, text string) string {
	t.Helper()
	for _, dir := range plan.Dirs {
		if err := os.MkdirAll(dir.Path, dir.Mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range plan.Files {
		if err := os.WriteFile(file.Path, file.Content, file.Mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, pair := range plan.Sidecar.Env {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	env := environment{getenv: os.Getenv}
	var masked string
	err := parse(t, append(sidecarCommand(env).Flags, anotherServer()...), nil, func(c *cli.Context) error {
		s, err := readSettings(c, env, sidecar.CommandRead)
		masked = newMasker(s).Mask(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return masked
}

// The other ways to give a secret, and to give it wrongly.
func TestASecretIsGivenOnce(t *testing.T) {
	set := environment{getenv: func(name string) string { return map[string]string{"WAREHOUSE_TOKEN_FILE": "/nowhere/token"}[name] }}
	unset := environment{getenv: func(string) string { return "" }}
	if task, _, err := runTask(t, unset, "--warehouse-token", "hunter2"); err != nil || task.Settings["WAREHOUSE_TOKEN"] != "hunter2" {
		t.Errorf("by the flag: %v, %v", task.Settings, err)
	}
	if _, _, err := runTask(t, set, "--warehouse-token", "hunter2"); err == nil || !strings.Contains(err.Error(), "are both set") {
		t.Errorf("twice: %v", err)
	}
	if _, _, err := runTask(t, set); err == nil || !strings.Contains(err.Error(), "WAREHOUSE_TOKEN_FILE: open /nowhere/token") {
		t.Errorf("no such file: %v", err)
	}
}

// An address without a flag that marks it would be that of a container, not of the machine, inside one; a secret would be in its environment.
func TestMarkedFlagsOfToday(t *testing.T) {
	task, _, err := runTask(t, environment{getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"BULKER_AUTH_TOKEN", "DESTINATION_URL", "DATABASE_URL", "OTEL_EXPORTER_OTLP_HEADERS", "WAREHOUSE_TOKEN", "WAREHOUSE_DSN"}
	if !reflect.DeepEqual(task.SecretSettings, want) {
		t.Errorf("secrets %q, want %q", task.SecretSettings, want)
	}
	want = []string{"BULKER_URL", "DESTINATION_URL", "DATABASE_URL", "WAREHOUSE_URL", "WAREHOUSE_DSN"}
	if !reflect.DeepEqual(task.AddressSettings, want) {
		t.Errorf("addresses %q, want %q", task.AddressSettings, want)
	}
}
