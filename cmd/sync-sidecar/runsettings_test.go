package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// parse runs flags through a command's real definition and hands its context to look.
func parse(t *testing.T, flags []cli.Flag, args []string, look func(*cli.Context) error) error {
	t.Helper()
	command := &cli.Command{Name: "x", Flags: flags, Action: look}
	app := &cli.App{Commands: []*cli.Command{command}, ExitErrHandler: func(*cli.Context, error) {}}
	return oneApp(t, app, append([]string{"app", "x"}, args...)...)
}

// What run plans has to be what the sidecar understands: the planned environment goes through the sidecar's own flags.
func TestPlannedSettingsAreUnderstoodByTheSidecar(t *testing.T) {
	dir := t.TempDir()
	layout := runner.Layout{Shared: filepath.Join(dir, "shared"), Private: filepath.Join(dir, "private"), LocalDir: filepath.Join(dir, "local")}
	var task runner.Task
	args := []string{"--exec", "/bin/source", "--config", "{}", "--catalog", `{"streams":[{"stream":{"name":"a"}}]}`, "--batch-rows", "7",
		"--bulker-url", "http://bulker:3042", "--bulker-auth-token", "s3cret", "--database-url", "postgres://u:hunter2@db/x", "--deduplicate=false",
		"--silence-timeout", "5m", "--timeout", "90m", "--add-meta", "--sync-id", "orders", "--local-dir", dir}
	env := environment{getenv: func(string) string { return "" }}
	args = append(args, "--env", "API_TOKEN=hunter3")
	err := parse(t, runFlags(sidecar.CommandRead), args, func(c *cli.Context) (err error) {
		task, err = (&runMode{env: env, cli: c, command: sidecar.CommandRead}).task()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	plan := runner.NewPlan(task, layout)
	planned := map[string]string{}
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
		planned[name] = value
		t.Setenv(name, value)
	}
	var got settings
	sidecarEnv := environment{getenv: func(name string) string { return planned[name] }}
	command := sidecarCommand(sidecarEnv)
	err = parse(t, command.Flags, nil, func(c *cli.Context) (err error) {
		got, err = readSettings(c, sidecarEnv, sidecar.CommandRead)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{
		"sync":        {got.config.Identity.SyncID, "orders"},
		"task":        {got.config.Identity.TaskID, task.TaskID},
		"package":     {got.config.Identity.Package, "source"},
		"started":     {got.config.Identity.StartedAt, task.StartedAt.UTC().Round(0)},
		"batch rows":  {got.config.Load.Batch.Rows, int64(7)},
		"timeout":     {got.config.Deadlines.Task, 90 * time.Minute},
		"silence":     {got.config.Deadlines.Silence, 5 * time.Minute},
		"bulker":      {got.bulker.url, "http://bulker:3042"},
		"token":       {got.bulker.token, "s3cret"},
		"database":    {got.journal.URL, "postgres://u:hunter2@db/x"},
		"deduplicate": {got.bulker.deduplicate, false},
		"meta":        {got.config.AddMeta, true},
		"spool":       {got.config.Load.Spool.Dir, layout.SpoolDir()},
		"local":       {got.localDir, layout.LocalDir},
		"catalog":     {got.catalog, filepath.Join(layout.ConfigDir(), "catalog.json")},
		"update":      {got.config.ConfigUpdateFile, filepath.Join(layout.LocalDir, "orders", runner.ConfigUpdateFile)},
		"json":        {got.json, true},
		"secrets":     {got.secrets, []string{"hunter3"}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: the sidecar understands %v, run meant %v", name, pair[0], pair[1])
		}
	}
}

func TestSecretFilesAreReadHere(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		env     map[string]string
		args    []string
		want    string
		problem string
	}{
		{"from the file", map[string]string{"BULKER_AUTH_TOKEN_FILE": token}, nil, "s3cret", ""},
		{"from the flag", nil, []string{"--bulker-auth-token", "other"}, "other", ""},
		{"both", map[string]string{"BULKER_AUTH_TOKEN_FILE": token}, []string{"--bulker-auth-token", "other"}, "", "both set"},
		{"no such file", map[string]string{"BULKER_AUTH_TOKEN_FILE": "/nowhere/token"}, nil, "", "/nowhere/token"},
	} {
		var got map[string]string
		env := environment{getenv: func(name string) string { return test.env[name] }}
		err := parse(t, runFlags(sidecar.CommandSpec), test.args, func(c *cli.Context) (err error) {
			got, err = (&runMode{env: env, cli: c, command: sidecar.CommandSpec}).settings()
			return err
		})
		if (err == nil) != (test.problem == "") || (err != nil && !strings.Contains(err.Error(), test.problem)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.problem)
		}
		if err == nil && got["BULKER_AUTH_TOKEN"] != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got["BULKER_AUTH_TOKEN"], test.want)
		}
	}
}

func TestConnectorEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "connector.env")
	if err := os.WriteFile(file, []byte("# comment\nB=2\nA='1 1'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment{getenv: func(name string) string { return map[string]string{"PASSED": "on"}[name] }}
	collect := func(args ...string) ([]string, error) {
		var got []string
		err := parse(t, runFlags(sidecar.CommandSpec), args, func(c *cli.Context) (err error) {
			got, err = (&runMode{env: env, cli: c, command: sidecar.CommandSpec}).connectorEnv()
			return err
		})
		return got, err
	}
	got, err := collect("--env-file", file, "--env", "A=3", "--env", "PASSED")
	if want := []string{"B=2", "A='1 1'", "A=3", "PASSED=on"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, args := range [][]string{{"--env", "NOT_SET"}, {"--env-file", file + ".none"}} {
		if _, err := collect(args...); err == nil || !strings.Contains(err.Error(), args[0]) {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

// A flag of run must not have the name of a setting that it passes on: one of the two would never be reached.
func TestNoFlagOfRunHidesASetting(t *testing.T) {
	for _, command := range []sidecar.Command{sidecar.CommandSpec, sidecar.CommandCheck, sidecar.CommandDiscover, sidecar.CommandRead} {
		seen := map[string]bool{}
		for _, flag := range runFlags(command) {
			for _, name := range flag.Names() {
				if seen[name] {
					t.Errorf("%s: --%s is there twice", command, name)
				}
				seen[name] = true
			}
		}
	}
}

func TestVerdictOfASignalKeepsTheCause(t *testing.T) {
	received := make(chan os.Signal, 1)
	ctx, end := untilSignal(t.Context(), received, func(sidecar.Signalled) {}, func(sidecar.Signalled) {})
	defer end()
	plain := errors.New("cause")
	if err := cancelledBy(ctx, plain); !errors.Is(err, plain) || strings.Contains(err.Error(), "cancelled") {
		t.Errorf("without a signal: %v", err)
	}
	received <- syscall.SIGTERM
	<-ctx.Done()
	for _, test := range []struct {
		give error
		want string
	}{
		{plain, "cancelled by SIGTERM: cause"}, {runner.ErrStopped, "cancelled by SIGTERM"}, {context.Canceled, "cancelled by SIGTERM"},
		{withCode(exitPartial, nil), "cancelled by SIGTERM"},
	} {
		if err := cancelledBy(ctx, test.give); err.Error() != test.want || exitCode(err) != exitSignal+15 {
			t.Errorf("%v: %v, exit code %d", test.give, err, exitCode(err))
		}
	}
	if err := cancelledBy(ctx, nil); err != nil {
		t.Errorf("a success: %v", err)
	}
}
