package runner

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"sync-sidecar/sidecar"
)

// Layout says where the parts of a run find their folders, as they see them.
type Layout struct {
	// Shared is seen by all three: pipes, config, and the binary where it has to be placed.
	Shared string
	// Private is never seen by the connector: secrets, the spool, and LOCAL_DIR where the caller's folder cannot be used itself.
	Private string
	// LocalDir is LOCAL_DIR of the sidecar and init.
	LocalDir string
	// Place says that init has to put the binary into BinaryDir for the connector.
	Place bool
	// AwaitVerdict says that the connector's container ends as the sync did. An engine that looks after all three needs no such thing.
	AwaitVerdict bool
}

// PipesDir is where the pipes and the exit status file are.
func (l Layout) PipesDir() string { return path.Join(l.Shared, "pipes") }

// ConfigDir holds config.json, catalog.json and state.json.
func (l Layout) ConfigDir() string { return path.Join(l.Shared, "config") }

// BinaryDir is where init places the binary.
func (l Layout) BinaryDir() string { return path.Join(l.Shared, "bin") }

// Binary is the binary that init places.
func (l Layout) Binary() string { return path.Join(l.BinaryDir(), "sync-sidecar") }

// SpoolDir is SPOOL_DIR of the sidecar.
func (l Layout) SpoolDir() string { return path.Join(l.Private, "spool") }

func (l Layout) secretsDir() string { return path.Join(l.Private, "secrets") }

// Plan is everything that carrying out a task needs to know, for any engine.
type Plan struct {
	Task   Task
	Layout Layout
	// Dirs are made before anything starts; Files are written into them, absolute by Layout. The connector may run as any user, so Shared
	// ones are open to all; what keeps others out is that nobody else has the volume, or that its parent folder is 0700.
	Dirs  []Dir
	Files []File

	Init      Step
	Connector Step
	Sidecar   Step
	// InitTimeout bounds the init step.
	InitTimeout time.Duration
}

// Step is one process: the mode of our binary with its arguments, and its environment as KEY=VALUE. Of the connector, Args are the arguments of
// its own program (`read --config …`); the engine puts `exec --` and its entrypoint before them.
type Step struct {
	Args []string
	Env  []string
}

// Dir is a folder to make.
type Dir struct {
	Path string
	Mode fs.FileMode
}

// File is a file to write.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
}

// initTimeout is plenty: init makes two pipes, copies one file, and reads the state from the journal.
const initTimeout = 2 * time.Minute

// Modes of what the connector shares: any user may be the connector, and some connectors write their migrated config back.
const (
	openDir     fs.FileMode = 0o777
	openFile    fs.FileMode = 0o666
	privateDir  fs.FileMode = 0o700
	privateFile fs.FileMode = 0o600
)

// NewPlan makes the plan of a valid task.
func NewPlan(task Task, layout Layout) Plan {
	plan := Plan{Task: task, Layout: layout, InitTimeout: initTimeout}
	plan.Dirs = []Dir{
		{layout.Shared, openDir}, {layout.PipesDir(), openDir}, {layout.ConfigDir(), openDir}, {layout.BinaryDir(), openDir},
		{layout.Private, privateDir}, {layout.SpoolDir(), privateDir}, {layout.secretsDir(), privateDir},
	}
	for name, content := range map[string][]byte{ConfigFile: task.Config, CatalogFile: task.Catalog, StateFile: task.State, CAFile: task.CA} {
		if content != nil {
			plan.Files = append(plan.Files, File{path.Join(layout.ConfigDir(), name), openFile, content})
		}
	}
	slices.SortFunc(plan.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	plan.Connector = connectorStep(task, layout)
	settings, secrets := settingsOf(task, layout)
	plan.Files = append(plan.Files, secrets...)
	plan.Sidecar = Step{Args: []string{"sidecar"}, Env: settings}
	if task.Round > 0 {
		plan.Sidecar.Args = append(plan.Sidecar.Args, "--stream-limit-round", strconv.Itoa(task.Round))
	}
	if task.SidecarArgs != nil {
		plan.Sidecar.Args = task.SidecarArgs
	}
	plan.Init = Step{Args: []string{"init"}, Env: settings}
	if layout.Place {
		plan.Init.Args = append(plan.Init.Args, "--place", layout.BinaryDir())
	}
	if task.Settings["SHARDS"] != "" && task.Command == sidecar.CommandRead {
		plan.Init.Args = append(plan.Init.Args, "--take-share")
	}
	if task.LoadState && task.State == nil && task.Command == sidecar.CommandRead {
		plan.Init.Args = append(plan.Init.Args, "--load-state")
	}
	return plan
}

// connectorStep is the command line of the protocol: `spec`; `check|discover --config F`; `read --config F --catalog F [--state F]`. The shim
// drops the --state pair when there is no such file, since connectors take an empty state for a broken one.
func connectorStep(task Task, layout Layout) Step {
	args := []string{string(task.Command)}
	if task.Command != sidecar.CommandSpec {
		args = append(args, "--config", path.Join(layout.ConfigDir(), ConfigFile))
	}
	if task.Command == sidecar.CommandRead {
		args = append(args, "--catalog", path.Join(layout.ConfigDir(), CatalogFile), "--state", path.Join(layout.ConfigDir(), StateFile))
	}
	// What the platform sets for every connector: without the first, older Java connectors fall back to LEGACY states (RuntimeEnvVarFactory.kt).
	env := []string{"USE_STREAM_CAPABLE_STATE=true", "AUTO_DETECT_SCHEMA=true", "DEPLOYMENT_MODE=OSS"}
	if task.CA != nil { // where OpenSSL and Go look, where Python's requests does, where curl does, and Node; the last is for exec, and Java
		for _, name := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CONNECTOR_CA_FILE"} {
			env = append(env, name+"="+path.Join(layout.ConfigDir(), CAFile))
		}
	}
	env = append(env, task.ConnectorEnv...)
	return Step{Args: args, Env: append(env, pipeEnv(layout)...)}
}

// pipeEnv is what init, shim and sidecar agree on.
func pipeEnv(layout Layout) []string {
	env := []string{
		"STDOUT_PIPE_FILE=" + path.Join(layout.PipesDir(), "stdout"),
		"STDERR_PIPE_FILE=" + path.Join(layout.PipesDir(), "stderr"),
		"EXIT_STATUS_FILE=" + path.Join(layout.PipesDir(), "exit"),
	}
	if !layout.AwaitVerdict {
		env = append(env, "NO_WAIT_VERDICT=true")
	}
	return env
}

// settingsOf is the environment of init and sidecar, and the files that hold its secrets (I5: the environment of a container can be read by
// whoever can inspect it, and outlives the run in its logs).
func settingsOf(task Task, layout Layout) (env []string, secrets []File) {
	name, version := task.Package()
	own := map[string]string{
		"COMMAND": string(task.Command), "PACKAGE": name, "PACKAGE_VERSION": version, "SYNC_ID": task.SyncID, "STORAGE_KEY": task.SyncID,
		"CONFIG_FILE":  path.Join(layout.ConfigDir(), ConfigFile),
		"CATALOG_FILE": path.Join(layout.ConfigDir(), CatalogFile),
		"STATE_FILE":   path.Join(layout.ConfigDir(), StateFile),
		"LOCAL_DIR":    layout.LocalDir, "SPOOL_DIR": layout.SpoolDir(),
		"LOG_FORMAT": "json", "CONFIG_UPDATE_FILE": path.Join(layout.LocalDir, task.SyncID, ConfigUpdateFile),
	}
	if task.TaskID != "" { // a manifest is for many runs
		own["TASK_ID"], own["STARTED_AT"] = task.TaskID, task.StartedAt.UTC().Format(time.RFC3339Nano)
	}
	if len(task.Secrets) > 0 {
		own["SECRETS_FILE"] = path.Join(layout.secretsDir(), "masked.json")
		secrets = append(secrets, File{own["SECRETS_FILE"], privateFile, secretsText(task.Secrets)})
	}
	for _, name := range slices.Sorted(maps.Keys(task.Settings)) {
		value := task.Settings[name]
		if _, taken := own[name]; taken && name != "STORAGE_KEY" && name != "SPOOL_DIR" {
			continue
		}
		if !task.IsSecret(name) {
			own[name] = value
			continue
		}
		file := path.Join(layout.secretsDir(), name)
		own[name+"_FILE"] = file
		secrets = append(secrets, File{file, privateFile, []byte(value)})
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		env = append(env, name+"="+own[name])
	}
	return append(env, pipeEnv(layout)...), secrets
}

// secretsText is the file that SECRETS_FILE names.
func secretsText(secrets []string) []byte {
	text, err := json.Marshal(secrets)
	if err != nil { // cannot be: texts
		return []byte("[]")
	}
	return text
}

// callerNames puts what the caller calls a document in place of its path in the plan, which is gone when the run is over, and of the variable that
// the sidecar puts before that; and the caller's folder in place of what the sidecar takes for it.
func (p Plan) callerNames() *strings.Replacer {
	var pairs []string
	for _, file := range []struct{ name, variable string }{{ConfigFile, "CONFIG_FILE"}, {CatalogFile, "CATALOG_FILE"}, {StateFile, "STATE_FILE"}} {
		in, name := path.Join(p.Layout.ConfigDir(), file.name), p.Task.nameOf(file.name)
		pairs = append(pairs, file.variable+" "+in, name, in, name)
	}
	if inside := path.Join(p.Layout.LocalDir, p.Task.SyncID); inside != p.Task.Folder() {
		pairs = append(pairs, inside, p.Task.Folder())
	}
	return strings.NewReplacer(pairs...)
}
