// Package compose holds the Compose files, and tests that run them on a real Engine.
package compose

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

const demoImage = "sync-sidecar/source-demo:dev"

// TestReadIntoFolder: rows arrive in a folder that Docker made, written by the user that was asked for; a second run adds what is new, and no more.
func TestReadIntoFolder(t *testing.T) {
	settings := map[string]string{"SOURCE_IMAGE": demoImage, "SYNC_ID": "shop"}
	if os.Geteuid() == 0 {
		settings["SIDECAR_USER"] = "1234:1235"
	}
	p := newProject(t, settings, "connector.yaml")
	p.put(t, "config/config.json", `{"count":100,"grow":5}`)
	for run, want := range []map[string]int{
		{"customers": 30, "products": 10, "orders": 60},
		{"customers": 35, "products": 10, "orders": 65},
	} {
		if code, output := p.up(t); code != 0 {
			t.Fatalf("run %d: exit code %d:\n%s", run+1, code, output)
		}
		for stream, rows := range want {
			file := "data/shop/rows/" + stream + ".ndjson"
			if got := strings.Count(p.read(t, file), "\n"); got != rows {
				t.Errorf("run %d: %d rows of %s, want %d", run+1, got, stream, rows)
			}
			info, err := os.Stat(filepath.Join(p.folder, file))
			if err != nil {
				t.Fatal(err)
			}
			owner, ok := info.Sys().(*syscall.Stat_t)
			if os.Geteuid() == 0 && (!ok || owner.Uid != 1234 || owner.Gid != 1235) {
				t.Errorf("%s belongs to %+v", file, owner)
			}
		}
	}
	if task := p.read(t, "data/shop/task.json"); !strings.Contains(task, `"SUCCESS"`) {
		t.Errorf("the task is %s", task)
	}
}

// TestCommands: COMMAND alone chooses spec, check and discover; spec needs no config.
func TestCommands(t *testing.T) {
	p := newProject(t, map[string]string{"SOURCE_IMAGE": demoImage, "SYNC_ID": "shop"}, "connector.yaml")
	if code, output := p.up(t, "COMMAND=spec"); code != 0 {
		t.Errorf("spec: exit code %d:\n%s", code, output)
	}
	p.put(t, "config/config.json", `{"api_key":"invalid"}`)
	if code, output := p.up(t, "COMMAND=check"); code != 5 {
		t.Errorf("check: exit code %d, want 5:\n%s", code, output)
	}
	if code, output := p.up(t, "COMMAND=discover"); code != 0 {
		t.Errorf("discover: exit code %d:\n%s", code, output)
	}
	for file, want := range map[string]string{"spec.json": "connectionSpecification", "check.json": "401 Unauthorized", "catalog.json": "customers"} {
		if content := p.read(t, "data/shop/"+file); !json.Valid([]byte(content)) || !strings.Contains(content, want) {
			t.Errorf("%s is %s", file, content)
		}
	}
}

// TestFailures: the project's exit code is the sidecar's, and says what happened to the source.
func TestFailures(t *testing.T) {
	p := newProject(t, map[string]string{"SOURCE_IMAGE": demoImage, "SYNC_ID": "shop"}, "connector.yaml")
	for _, test := range []struct {
		name, config string
		env          []string
		code         int
		text         string
	}{
		{name: "exit code", config: `{"count":100,"faults":{"exit_code":{"code":9}}}`, code: 1, text: "exited with code 9"},
		{name: "killed", config: `{"count":100,"faults":{"kill_self":{}}}`, code: 1, text: "SIGKILL"},
		{name: "one stream", config: `{"count":100,"faults":{"error_trace":{"stream":"orders","message":"no more orders"}}}`,
			code: 4, text: "no more orders"},
		{name: "no such program", config: `{}`, env: []string{"SOURCE_ENTRYPOINT=/no/such/program"}, code: 1, text: "/no/such/program"},
		{name: "no stream", config: `{"count":100,"namespace":"elsewhere"}`, code: 1, text: "orders"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.put(t, "config/config.json", test.config)
			code, output := p.up(t, append(test.env, "FULL_SYNC=true")...)
			if code != test.code || !strings.Contains(output, test.text) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, test.code, test.text, output)
			}
		})
	}
	t.Run("bad catalog", func(t *testing.T) {
		p.put(t, "config/catalog.json", `{"streams":[{}]}`)
		if code, output := p.up(t); code == 0 {
			t.Errorf("exit code 0:\n%s", output)
		}
		if _, output := p.run(t.Context(), t, nil, "logs", "init"); !strings.Contains(output, "CATALOG_FILE") {
			t.Errorf("the log of init does not name the catalog:\n%s", output)
		}
	})
}

// TestRealConnector reads Airbyte's own source-faker: another user, a shell-less entrypoint of its own, Python.
func TestRealConnector(t *testing.T) {
	p := newProject(t, map[string]string{"SOURCE_IMAGE": "airbyte/source-faker:dev", "SYNC_ID": "faker"}, "connector.yaml")
	p.put(t, "config/config.json", `{"count":50,"seed":7,"parallelism":1}`)
	p.put(t, "config/catalog.json", `{"streams":[{"stream":{"name":"users","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]},
		"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["updated_at"]}]}`)
	if code, output := p.up(t); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, output)
	}
	if rows := strings.Count(p.read(t, "data/faker/rows/users.ndjson"), "\n"); rows != 50 {
		t.Errorf("%d rows, want 50", rows)
	}
}

// TestServers delivers to Bulker and keeps state in the Postgres that compose.yaml adds.
func TestServers(t *testing.T) {
	const image = "sync-sidecar/postgres-stand-in:dev"
	build := exec.CommandContext(t.Context(), "../scripts/build-image.sh", image, "testdata/postgres")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	server, err := bulkertest.New(bulkertest.Options{Addr: "0.0.0.0:0", Token: "s3cret-token"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, map[string]string{"SOURCE_IMAGE": demoImage, "SYNC_ID": "shop", "POSTGRES_IMAGE": image, "BULKER_AUTH_TOKEN": "s3cret-token",
		"BULKER_URL": "http://" + net.JoinHostPort("host.docker.internal", address.Port())}, "connector.yaml", "compose.yaml")
	p.put(t, "config/config.json", `{"count":200}`)
	for run := range 2 {
		code, output := p.up(t)
		if code != 0 || strings.Contains(output, "s3cret-token") {
			t.Fatalf("run %d: exit code %d:\n%s", run+1, code, output)
		}
	}
	for table, rows := range map[string]int64{"customers": 60, "products": 20, "orders": 120} {
		if got, err := server.Count(table); err != nil || got != rows {
			t.Errorf("%d rows of %s (%v), want %d", got, table, err, rows)
		}
	}
	_, tasks := p.run(t.Context(), t, nil, "exec", "-T", "postgres", "psql", "--username", "sidecar", "--no-align", "--tuples-only", "--command",
		"select status, (select string_agg(stream, ',' order by stream) from source_state where sync_id = 'shop') from source_task")
	if want := "SUCCESS|customers,orders"; strings.Count(tasks, want) != 2 {
		t.Errorf("the tasks are %q, want %q twice", tasks, want)
	}
}
