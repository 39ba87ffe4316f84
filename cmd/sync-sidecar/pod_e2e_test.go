package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// podLimit is how long the processes of a pod may take before the test gives up on them.
const podLimit = time.Minute

// pod is a pod as Jitsu's sync-controller makes it (jitsucom/bulker, sync-controller/controller/job_runner.go): two named pipes made by mkfifo, the
// connector started by a shell that evaluates AIRBYTE_ENTRYPOINT and opens stderr first, and the sidecar beside it with nothing but its
// environment. There is no shim, and so no exit status file, unless withShim is set.
type pod struct {
	t        *testing.T
	sidecar  string
	dir      string
	env      map[string]string // of the sidecar, all of it
	source   string            // AIRBYTE_ENTRYPOINT
	withShim bool
}

// newPod prepares a pod with the demo source: pipes, configuration, a catalog of its three streams, and a local folder in place of every server.
func newPod(t *testing.T, command, config string) *pod {
	t.Helper()
	programs := built(t)
	p := &pod{t: t, sidecar: programs.Sidecar, source: programs.Demo, dir: t.TempDir()}
	for _, folder := range []string{"data", "spool", "config"} {
		if err := os.Mkdir(p.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, pipe := range []string{"stdout", "stderr"} {
		if err := syscall.Mkfifo(p.path(pipe), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(t, p.path("config/config.json"), config)
	p.configure(incrementalStreams("customers", "products", "orders")...)
	p.env = map[string]string{
		"STDOUT_PIPE_FILE": p.path("stdout"), "STDERR_PIPE_FILE": p.path("stderr"), "COMMAND": command, "STARTED_AT": "2026-05-04T03:02:01Z",
		"PACKAGE": "sync-sidecar/source-demo", "PACKAGE_VERSION": "1.0.0", "STORAGE_KEY": "key-1", "SYNC_ID": "sync-1", "TASK_ID": "task-1",
		"CONFIG_FILE": p.path("config/config.json"), "CATALOG_FILE": p.path("config/catalog.json"), "STATE_FILE": p.path("config/state.json"),
		"LOCAL_DIR": p.path("data"), "SPOOL_DIR": p.path("spool"), "TASK_TIMEOUT_HOURS": "100000", "STARTUP_TIMEOUT": "2s",
	}
	return p
}

// path is a file of the pod.
func (p *pod) path(name string) string { return filepath.Join(p.dir, name) }

// configured is a stream of a configured catalog, as far as these tests care.
type configured struct {
	name, namespace, mode, destination string
}

func incrementalStreams(names ...string) []configured {
	var all []configured
	for _, name := range names {
		all = append(all, configured{name: name, mode: "incremental", destination: "append_dedup"})
	}
	return all
}

func overwrittenStreams(names ...string) []configured {
	var all []configured
	for _, name := range names {
		all = append(all, configured{name: name, mode: "full_refresh", destination: "overwrite"})
	}
	return all
}

// configure writes the catalog.
func (p *pod) configure(streams ...configured) {
	p.t.Helper()
	var entries []map[string]any
	for _, s := range streams {
		stream := map[string]any{"name": s.name, "supported_sync_modes": []string{"full_refresh", "incremental"},
			"json_schema": json.RawMessage(`{"type":"object","properties":{"id":{"type":"integer"}}}`)}
		if s.namespace != "" {
			stream["namespace"] = s.namespace
		}
		entries = append(entries, map[string]any{"stream": stream, "sync_mode": s.mode, "destination_sync_mode": s.destination,
			"cursor_field": []string{"updated_at"}, "primary_key": [][]string{{"id"}}})
	}
	text, err := json.Marshal(map[string]any{"streams": entries})
	if err != nil {
		p.t.Fatal(err)
	}
	put(p.t, p.path("config/catalog.json"), string(text))
}

// set changes variables of the sidecar's environment.
func (p *pod) set(pairs ...string) *pod {
	for i := 0; i+1 < len(pairs); i += 2 {
		p.env[pairs[i]] = pairs[i+1]
	}
	return p
}

// useBulker starts a Bulker server that the sidecar delivers to.
func (p *pod) useBulker(options bulkertest.Options) *bulkertest.Server {
	p.t.Helper()
	options.Dir = p.t.TempDir()
	server, err := bulkertest.New(options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			p.t.Error(err)
		}
	})
	p.set("BULKER_URL", server.URL, "BULKER_AUTH_TOKEN", options.Token)
	return server
}

// usePostgres makes a database that the sidecar keeps its journal in.
func (p *pod) usePostgres() string {
	p.t.Helper()
	url := postgrestest.Database(p.t)
	p.set("DATABASE_URL", url)
	return url
}

// outcome is what a pod leaves.
type outcome struct {
	code   int
	stderr string
}

// run runs the pod to its end.
func (p *pod) run() outcome {
	p.t.Helper()
	sidecar := p.startSidecar()
	source := p.startSource()
	code := sidecar.wait()
	source.kill()
	p.tidy()
	if said := sidecar.stdout.String(); said != "" {
		p.t.Errorf("the sidecar has nothing to say on stdout, but: %s", said)
	}
	return outcome{code, sidecar.stderr.String()}
}

// lastLine is the last line on stderr.
func (o outcome) lastLine() string {
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	return lines[len(lines)-1]
}

// tidy fails the test when the sidecar left something in its spool, or in the temporary folder.
func (p *pod) tidy() {
	p.t.Helper()
	var left []string
	for _, pattern := range []string{"spool/*", "sync-sidecar*"} {
		left = append(left, globNames(p.t, p.path(pattern))...)
	}
	if len(left) > 0 {
		p.t.Errorf("left behind: %v", left)
	}
}

// localTask is task.json of the local folder.
type localTask struct {
	Status  string                 `json:"status"`
	Error   string                 `json:"error"`
	Streams map[string]streamEntry `json:"streams"`
}

// streamEntry is a stream in the task's description.
type streamEntry struct {
	Events  int64            `json:"events"`
	Bytes   int64            `json:"bytes"`
	Status  string           `json:"status"`
	Error   string           `json:"error"`
	Defects map[string]int64 `json:"defects"`
}

// read reads a JSON file of the local folder.
func (p *pod) read(name string, into any) {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, "data", "sync-1", name))
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) task() localTask {
	p.t.Helper()
	var task localTask
	p.read("task.json", &task)
	return task
}

// file is the text of a file of the local folder, empty when there is none.
func (p *pod) file(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, "data", "sync-1", filepath.FromSlash(name)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.t.Fatal(err)
	}
	return string(content)
}

// rows are the rows of a stream in the local folder.
func (p *pod) rows(stream string) []string {
	p.t.Helper()
	return slices.Collect(strings.Lines(p.file("rows/" + stream + ".ndjson")))
}

// want checks the exit code, and that stderr says all of some things.
func (o outcome) want(t *testing.T, code int, words ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, word := range words {
		if !strings.Contains(o.stderr, word) {
			t.Errorf("stderr lacks %q", word)
		}
	}
	if t.Failed() {
		t.Log(o.stderr)
	}
}
