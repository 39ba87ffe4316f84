package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// Airbyte's own source-faker 7.2.1, by scripts/source-faker.sh: as an image with a user of its own, and as a local program.
const (
	fakerImage   = "airbyte/source-faker:dev"
	fakerProgram = "../../.cache/source-faker/bin/source-faker"
	fakerConfig  = `{"count":300,"seed":7,"records_per_slice":100,"always_updated":false,"parallelism":2}`
)

// needs fails in CI, where scripts make what tests need, and skips elsewhere.
func needs(t *testing.T, there bool, what string) {
	t.Helper()
	switch {
	case there:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing: make setup makes it", what)
	default:
		t.Skipf("needs %s: make setup makes it", what)
	}
}

// faker is source-faker in both forms.
func faker(t *testing.T) map[string]func(t *testing.T) (line *commandLine, connector []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs source-faker: -short")
	}
	return map[string]func(t *testing.T) (*commandLine, []string){
		"image": func(t *testing.T) (*commandLine, []string) {
			t.Helper()
			d := newDockerLine(t)
			_, err := d.engine.ImageInspect(t.Context(), fakerImage)
			needs(t, err == nil, fakerImage)
			return d.commandLine, []string{"--image", fakerImage, "--pull", "never"}
		},
		"program": func(t *testing.T) (*commandLine, []string) {
			t.Helper()
			program, err := filepath.Abs(fakerProgram)
			if err == nil {
				_, err = os.Stat(program)
			}
			needs(t, err == nil, "source-faker")
			return newCommandLine(t), []string{"--exec", program}
		},
	}
}

// readReport runs a read and returns its report; the counts of source and destination have to agree.
func readReport(t *testing.T, line *commandLine, args []string) sidecar.Report {
	t.Helper()
	got := line.run(append([]string{"run", "read", "--output", "json", "--config", fakerConfig}, args...)...)
	if got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	report, err := lastReport(got.stdout)
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range report.Streams {
		if stream.Rows != stream.Read || stream.Status != sidecar.StatusSuccess {
			t.Errorf("%+v", stream)
		}
	}
	return report
}

// What config init prints is a configuration already where everything has a preset. source-faker fails without its presets.
func TestConfigInitOfARealSource(t *testing.T) {
	t.Parallel()
	for name, prepare := range faker(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, connector := prepare(t)
			for _, format := range []string{"yaml", "json"} {
				printed := line.run(append([]string{"config", "init", "--format", format}, connector...)...)
				line.wants("config init", printed, exitOK, "count", "seed")
				line.file("config."+format, printed.stdout)
				check := append([]string{"run", "check", "--config", "config." + format}, connector...)
				line.wants("check with "+format, line.run(check...), exitOK, "SUCCEEDED")
			}
		})
	}
}

func TestRunOfARealSource(t *testing.T) {
	t.Parallel()
	for name, prepare := range faker(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, connector := prepare(t)
			for command, want := range map[string]string{"spec": "connectionSpecification", "check": "SUCCEEDED", "discover": `"purchases"`} {
				args := append([]string{"run", command}, connector...)
				if command != "spec" {
					args = append(args, "--config", fakerConfig)
				}
				if got := line.run(args...); got.code != 0 || !strings.Contains(got.stdout, want) {
					t.Errorf("%s: exit code %d\n%s%s", command, got.code, got.stdout, got.stderr)
				}
			}
			first := readReport(t, line, connector)
			for _, stream := range first.Streams {
				content, err := os.ReadFile(filepath.Join(line.dir, "sync-data", "source-faker", "rows", stream.Stream+".ndjson"))
				if err != nil {
					t.Fatal(err)
				}
				if rows := int64(bytes.Count(content, []byte("\n"))); rows != stream.Rows || rows == 0 {
					t.Errorf("%s: %d rows in the file, %d reported", stream.Stream, rows, stream.Rows)
				}
			}
			for _, stream := range readReport(t, line, connector).Streams {
				if stream.Rows != 0 {
					t.Errorf("%s: %d rows came again although nothing changed", stream.Stream, stream.Rows)
				}
			}
		})
	}
}

// Rows to Bulker, everything else to Postgres, from containers that are on the host's network, with the image of the project's own Dockerfile.
func TestRunDeliversToServers(t *testing.T) {
	t.Parallel()
	line, connector := faker(t)["image"](t)
	d := newDockerLine(t)
	_, err := d.engine.ImageInspect(t.Context(), "sync-sidecar:latest")
	needs(t, err == nil, "sync-sidecar:latest")
	server, err := bulkertest.New(bulkertest.Options{Token: "T-secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	database := postgrestest.Database(t)
	line.env = append(line.env, "BULKER_URL="+server.URL, "BULKER_AUTH_TOKEN=T-secret", "DATABASE_URL="+database)
	connector = append(connector, "--network", "host", "--sidecar-image", "sync-sidecar:latest", "--sync-id", d.syncID)
	for _, command := range []string{"spec", "check", "discover"} {
		args := append([]string{"run", command}, connector...)
		if command != "spec" {
			args = append(args, "--config", fakerConfig)
		}
		if got := line.run(args...); got.code != 0 {
			t.Errorf("%s: exit code %d: %s", command, got.code, got.stderr)
		}
	}
	for _, stream := range readReport(t, line, connector).Streams {
		rows, err := server.Count(stream.Stream)
		if err != nil || rows != stream.Rows || rows == 0 {
			t.Errorf("%s: %d rows at Bulker, %d reported, %v", stream.Stream, rows, stream.Rows, err)
		}
	}
	for table, want := range map[string]int{"source_spec": 1, "source_check": 1, "source_catalog": 1, "source_state": 3} {
		if got := postgrestest.Query(t, database, "select count(*) from "+table); got[0] != fmt.Sprint(want) {
			t.Errorf("%s has %s rows, want %d", table, got[0], want)
		}
	}
	task := postgrestest.Query(t, database, "select status, package, version from source_task where sync_id=$1", d.syncID)
	if len(task) != 1 || task[0] != "SUCCESS|airbyte/source-faker|dev" {
		t.Errorf("source_task has %q", task)
	}
	for _, stream := range readReport(t, line, connector).Streams {
		if stream.Rows != 0 {
			t.Errorf("%s: %d rows came again although nothing changed: the state in Postgres was not used", stream.Stream, stream.Rows)
		}
	}
}

// A server on this machine is reached from the bridge, too: localhost means this machine, not the container.
func TestRunReachesThisMachineFromTheBridge(t *testing.T) {
	t.Parallel()
	d := newDockerLine(t)
	server, err := bulkertest.New(bulkertest.Options{Addr: "0.0.0.0:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	got := d.run("run", "read", "--config", `{"count":1000}`, "--bulker-url", "http://localhost"+port, "--sync-id", d.syncID, d.image)
	if got.code != 0 || !strings.Contains(got.stderr, "host.docker.internal") {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if rows, err := server.Count("orders"); err != nil || rows != 600 {
		t.Errorf("%d orders at Bulker, %v", rows, err)
	}
}
