// Package compose holds the Compose files, and tests that run them on a real Engine, with Compose 1.29 and with Compose 2.
package compose

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const demoImage = "sync-sidecar/source-demo:dev"

// TestNewcomer: the example's .env, unchanged, and one command show rows; the next time what is new.
func TestNewcomer(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, nil)
			p.put(t, ".env", p.read(t, ".env.example"))
			image := "SIDECAR_IMAGE=" + os.Getenv("SIDECAR_IMAGE")
			p.wantUp(t, 0, `{"id":1,"customer_id":`, image)
			p.wantUp(t, 0, "30 of 30 rows delivered", image)
			for stream, rows := range map[string]int{"customers": 40, "products": 10, "orders": 70} {
				if got := p.rows(t, stream); got != rows {
					t.Errorf("%d rows of %s, want %d", got, stream, rows)
				}
			}
		})
	}
}

// TestOwnerOfRows: rows arrive in a folder that Docker made, written by the user that was asked for.
func TestOwnerOfRows(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can tell how files of another user look")
	}
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, map[string]string{"SIDECAR_USER": "1234:1235"})
			p.wantUp(t, 0, "SUCCESS")
			info, err := os.Stat(filepath.Join(p.folder, "data/demo/rows/orders.ndjson"))
			if err != nil {
				t.Fatal(err)
			}
			if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 1234 || owner.Gid != 1235 {
				t.Errorf("the rows belong to %+v", owner)
			}
		})
	}
}

// TestCommandsLocal: COMMAND alone chooses what is done; spec needs no config.
func TestCommandsLocal(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, nil)
			p.put(t, "empty/none", "")
			p.wantUp(t, 0, "SUCCESS", "COMMAND=spec", "CONFIG_DIR=./empty")
			p.configure(t, `{"api_key":"invalid"}`)
			p.wantUp(t, 5, "401 Unauthorized", "COMMAND=check")
			p.configure(t, `{}`)
			p.wantUp(t, 0, "SUCCESS", "COMMAND=check")
			p.wantUp(t, 0, "SUCCESS", "COMMAND=discover")
			p.wantUp(t, 0, "read SUCCESS")
			for file, want := range map[string]string{"spec.json": "connectionSpecification", "check.json": "SUCCE", "catalog.json": "customers",
				"task.json": `"SUCCESS"`} {
				if content := p.read(t, "data/demo/"+file); !json.Valid([]byte(content)) || !strings.Contains(content, want) {
					t.Errorf("%s is %s", file, content)
				}
			}
		})
	}
}

// TestCommandsPostgres: the same with rows, results, states and status in the Postgres that postgres.yaml adds; and a failing connector.
func TestCommandsPostgres(t *testing.T) {
	image := standIn(t, "postgres")
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, map[string]string{"POSTGRES_IMAGE": image, "STORAGE_KEY": "key"}, "postgres.yaml")
			for _, command := range []string{"spec", "check", "discover", "read"} {
				p.wantUp(t, 0, "SUCCESS", "COMMAND="+command)
			}
			p.configure(t, `{"count":100,"faults":{"exit_code":{"code":9}}}`)
			p.wantUp(t, 1, "exited with code 9", "FULL_SYNC=true")
			p.configure(t, `{"api_key":"invalid"}`)
			p.wantUp(t, 5, "401 Unauthorized", "COMMAND=check")
			got := p.psql(t, `set search_path = sync_sidecar; select status, count(*) from source_task group by 1
			union all select 'spec', count(*) from source_spec union all select 'catalog', count(*) from source_catalog
			union all select 'check ' || status, 1 from source_check union all select 'orders', count(*) from public.orders order by 1`)
			for _, want := range []string{"SUCCESS|1", "FAILED|1", "spec|1", "catalog|1", "check FAILED|1", "orders|60"} {
				if !strings.Contains(got, want) {
					t.Errorf("Postgres holds\n%s\nwant %s", got, want)
				}
			}
		})
	}
}

// TestFailures: the project's exit code is the sidecar's, and says what happened to the connector.
func TestFailures(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, map[string]string{"FULL_SYNC": "true"})
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
				{name: "too late", config: `{"faults":{"silence":{"seconds":600}}}`, env: []string{"SILENCE_TIMEOUT=1s"}, code: 6, text: "SILENCE_TIMEOUT"},
				{name: "bad setting", config: `{}`, env: []string{"LOG_FORMAT=xml"}, code: 2, text: "LOG_FORMAT"},
			} {
				t.Run(test.name, func(t *testing.T) {
					p.configure(t, test.config)
					p.wantUp(t, test.code, test.text, test.env...)
				})
			}
			t.Run("bad catalog", func(t *testing.T) {
				p.put(t, "demo/catalog.json", `{"streams":[{}]}`)
				p.wantUp(t, 2, "CATALOG_FILE")
			})
		})
	}
}

// TestRealConnector reads Airbyte's own source-faker: another user, a shell-less entrypoint of its own, Python.
func TestRealConnector(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, map[string]string{"SOURCE_IMAGE": "airbyte/source-faker:dev"})
			p.configure(t, `{"count":50,"seed":7,"parallelism":1}`)
			p.put(t, "demo/catalog.json", `{"streams":[{"stream":{"name":"users","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]},
			"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["updated_at"]}]}`)
			p.wantUp(t, 0, "SUCCESS")
			if rows := p.rows(t, "users"); rows != 50 {
				t.Errorf("%d rows, want 50", rows)
			}
		})
	}
}

// TestStreamsOfTheConnector: without a catalog a read takes the streams that the connector has, and asks for them anew the next time.
func TestStreamsOfTheConnector(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, nil)
			if err := os.Remove(filepath.Join(p.folder, "demo/catalog.json")); err != nil {
				t.Fatal(err)
			}
			p.wantUp(t, 0, "100 of 100 rows")
			p.configure(t, `{"count":100,"streams":4}`)
			p.wantUp(t, 0, "SUCCESS", "SOURCE_ENTRYPOINT=/source-demo")
			if got := p.rows(t, "orders_4"); got == 0 {
				t.Error("the stream that is new was not read")
			}
			p.configure(t, `{"faults":{"kill_self":{"nonsense":1}}}`)
			if code, output := p.up(t); code == 0 {
				t.Errorf("exit code 0 without a catalog:\n%s", output)
			}
			if log := p.must(t, "logs", "catalog"); !strings.Contains(log, "nonsense") {
				t.Errorf("the log of catalog does not say why:\n%s", log)
			}
		})
	}
}

// TestBulker delivers to the Bulker of bulker.yaml. The test server stands in for it: the rows are in its folder.
func TestBulker(t *testing.T) {
	images := map[string]string{"POSTGRES_IMAGE": standIn(t, "postgres"), "KAFKA_IMAGE": standIn(t, "kafka"), "BULKER_IMAGE": standIn(t, "bulker"),
		"BULKER_AUTH_TOKEN": "s3cret-token", "POSTGRES_PASSWORD": "other"}
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, images, "postgres.yaml", "bulker.yaml")
			for range 2 {
				code, output := p.up(t)
				if code != 0 || strings.Contains(output, "s3cret-token") || !strings.Contains(output, "delivered to bulker at bulker:3042") {
					t.Fatalf("exit code %d:\n%s", code, output)
				}
			}
			loads := p.must(t, "exec", "-T", "bulker", "sh", "-c", "wc -l /rows/data/*")
			if !strings.Contains(loads, "120 total") {
				t.Errorf("what Bulker has loaded, in rows:\n%s\nwant 120 in total", loads)
			}
			if got := p.psql(t, "select string_agg(status, ',') from source_task"); !strings.Contains(got, "SUCCESS,SUCCESS") {
				t.Errorf("the tasks are %q", got)
			}
		})
	}
}

// standIn builds what stands in for an image that tests cannot pull, under the image's name and a tag of its own.
func standIn(t *testing.T, name string) string {
	t.Helper()
	needEngine(t)
	tags := map[string]string{"postgres": "postgres:stand-in", "kafka": "apache/kafka:stand-in", "bulker": "jitsucom/bulker:stand-in"}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	if name == "bulker" {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", folder, "../cmd/bulker-test-server")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v:\n%s", err, output)
		}
	}
	if output, err := exec.CommandContext(t.Context(), "../scripts/build-image.sh", tags[name], folder).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	return tags[name]
}
