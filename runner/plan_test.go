package runner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
)

func readTask() Task {
	return Task{
		Command: sidecar.CommandRead, SyncID: "orders", TaskID: "t1", Image: "registry:5000/airbyte/source-faker:7.2.1",
		Config: []byte(`{"password":"hunter2"}`), Catalog: []byte(`{"streams":[]}`), LoadState: true, LocalDir: "/home/me/sync-data",
		ConnectorEnv: []string{"A=1"}, Secrets: []string{"hunter5\n", `"hunter6"`},
		Settings: map[string]string{
			"BULKER_URL": "http://bulker", "BULKER_AUTH_TOKEN": "hunter3", "DATABASE_URL": "postgres://u:hunter4@db/x", "BATCH_ROWS": "7",
			"TASK_ID": "not yours to set",
		},
		SecretSettings: []string{"BULKER_AUTH_TOKEN", "DATABASE_URL"},
		StartedAt:      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func planLayout() Layout {
	return Layout{Shared: "/shared", Private: "/private", LocalDir: "/private/local", Place: true}
}

func TestPlanOfRead(t *testing.T) {
	plan := NewPlan(readTask(), planLayout())
	wantArgs := []string{
		"read", "--config", "/shared/config/config.json", "--catalog", "/shared/config/catalog.json", "--state", "/shared/config/state.json",
	}
	if !slices.Equal(plan.Connector.Args, wantArgs) {
		t.Errorf("the connector gets %q, want %q", plan.Connector.Args, wantArgs)
	}
	if want := []string{"init", "--place", "/shared/bin", "--load-state"}; !slices.Equal(plan.Init.Args, want) {
		t.Errorf("init gets %q, want %q", plan.Init.Args, want)
	}
	for _, want := range []string{
		"COMMAND=read", "PACKAGE=registry:5000/airbyte/source-faker", "PACKAGE_VERSION=7.2.1", "SYNC_ID=orders", "TASK_ID=t1", "STORAGE_KEY=orders",
		"STARTED_AT=2026-01-02T03:04:05Z", "BULKER_URL=http://bulker", "BATCH_ROWS=7", "LOCAL_DIR=/private/local", "SPOOL_DIR=/private/spool",
		"BULKER_AUTH_TOKEN_FILE=/private/secrets/BULKER_AUTH_TOKEN", "DATABASE_URL_FILE=/private/secrets/DATABASE_URL",
		"STDOUT_PIPE_FILE=/shared/pipes/stdout", "STDERR_PIPE_FILE=/shared/pipes/stderr", "EXIT_STATUS_FILE=/shared/pipes/exit", "LOG_FORMAT=json",
		"SECRETS_FILE=/private/secrets/masked.json",
	} {
		if !slices.Contains(plan.Sidecar.Env, want) {
			t.Errorf("the sidecar's environment lacks %s: %q", want, plan.Sidecar.Env)
		}
	}
	for _, want := range []string{"A=1", "USE_STREAM_CAPABLE_STATE=true", "EXIT_STATUS_FILE=/shared/pipes/exit"} {
		if !slices.Contains(plan.Connector.Env, want) {
			t.Errorf("the connector's environment lacks %s: %q", want, plan.Connector.Env)
		}
	}
}

// I5: secrets travel in files, and those of the sidecar in files that the connector cannot see.
func TestPlanKeepsSecretsInFiles(t *testing.T) {
	plan := NewPlan(readTask(), planLayout())
	for name, step := range map[string]Step{"init": plan.Init, "connector": plan.Connector, "sidecar": plan.Sidecar} {
		if all := strings.Join(append(step.Args, step.Env...), " "); strings.Contains(all, "hunter") {
			t.Errorf("argv or environment of the %s holds a secret: %s", name, all)
		}
	}
	found := map[string]string{}
	for _, file := range plan.Files {
		found[file.Path] = string(file.Content)
		if strings.HasPrefix(file.Path, "/private/") != (file.Mode == 0o600) {
			t.Errorf("%s has mode %o", file.Path, file.Mode)
		}
	}
	for path, want := range map[string]string{
		"/private/secrets/BULKER_AUTH_TOKEN": "hunter3", "/private/secrets/DATABASE_URL": "postgres://u:hunter4@db/x",
		"/shared/config/config.json": `{"password":"hunter2"}`, "/private/secrets/masked.json": `["hunter5\n","\"hunter6\""]`,
	} {
		if found[path] != want {
			t.Errorf("%s holds %q, want %q", path, found[path], want)
		}
	}
}

func TestPlanOfAnotherListener(t *testing.T) {
	task := readTask()
	task.SidecarArgs = []string{"record", "--limit", "5"}
	if plan := NewPlan(task, planLayout()); !slices.Equal(plan.Sidecar.Args, task.SidecarArgs) || !slices.Equal(plan.Connector.Args[:1],
		[]string{"read"}) {
		t.Errorf("%+v", plan.Sidecar)
	}
}

func TestPlanOfOtherCommands(t *testing.T) {
	for command, want := range map[sidecar.Command][]string{
		sidecar.CommandSpec:     {"spec"},
		sidecar.CommandCheck:    {"check", "--config", "/shared/config/config.json"},
		sidecar.CommandDiscover: {"discover", "--config", "/shared/config/config.json"},
	} {
		task := readTask()
		task.Command = command
		plan := NewPlan(task, planLayout())
		if !slices.Equal(plan.Connector.Args, want) {
			t.Errorf("%s: the connector gets %q, want %q", command, plan.Connector.Args, want)
		}
		if slices.Contains(plan.Init.Args, "--load-state") {
			t.Errorf("%s: a state would be loaded", command)
		}
	}
}

func TestPlanWithGivenStateLoadsNone(t *testing.T) {
	task := readTask()
	task.State = []byte(`[]`)
	plan := NewPlan(task, planLayout())
	if slices.Contains(plan.Init.Args, "--load-state") {
		t.Error("init would overwrite the given state")
	}
	if !slices.ContainsFunc(plan.Files, func(f File) bool { return f.Path == "/shared/config/state.json" }) {
		t.Error("the given state is not among the files")
	}
}

func TestPlanDirsComeBeforeWhatIsInThem(t *testing.T) {
	plan := NewPlan(readTask(), planLayout())
	made := map[string]bool{"/": true}
	for _, dir := range plan.Dirs {
		if parent := dir.Path[:max(1, strings.LastIndexByte(dir.Path, '/'))]; !made[parent] {
			t.Errorf("%s comes before its parent", dir.Path)
		}
		made[dir.Path] = true
		if private := strings.HasPrefix(dir.Path, "/private"); private != (dir.Mode == 0o700) {
			t.Errorf("%s has mode %o", dir.Path, dir.Mode)
		}
	}
}
