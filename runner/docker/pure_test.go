package docker

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"sync-sidecar/runner"
)

// deadProcess is the PID of a process that has ended.
func deadProcess(t *testing.T) int {
	t.Helper()
	command := exec.CommandContext(t.Context(), "true")
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	return command.Process.Pid
}

func removeImage(t *testing.T, engine *client.Client, name string) {
	t.Helper()
	if _, err := engine.ImageRemove(context.Background(), name, image.RemoveOptions{Force: true}); err != nil {
		t.Error(err)
	}
}

func TestEntrypointOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		entrypoint []string
		env        []string
		want       []string
		problem    string
		note       string
	}{
		{"its own", []string{"python", "/main.py"}, nil, []string{"python", "/main.py"}, "", ""},
		{"both agree", []string{"python", "/main.py"}, []string{"AIRBYTE_ENTRYPOINT=python /main.py"}, []string{"python", "/main.py"}, "", ""},
		{"they differ", []string{"/a"}, []string{"AIRBYTE_ENTRYPOINT=/b"}, []string{"/a"}, "", "/b"},
		{"only announced", nil, []string{"PATH=/bin", `AIRBYTE_ENTRYPOINT=/b "c d"`}, []string{"/b", "c d"}, "", ""},
		{"shell form takes no arguments", []string{"/bin/sh", "-c", "python main.py"}, []string{"AIRBYTE_ENTRYPOINT=/b"}, []string{"/b"}, "", ""},
		{"shell form alone", []string{"/bin/sh", "-c", "python main.py"}, nil, nil, "shell form", ""},
		{"none", nil, nil, nil, "neither", ""},
		{"broken quotes", nil, []string{`AIRBYTE_ENTRYPOINT=a "b`}, nil, "AIRBYTE_ENTRYPOINT", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inspected := image.InspectResponse{Config: &dockerspec.DockerOCIImageConfig{
				ImageConfig: ocispec.ImageConfig{Entrypoint: test.entrypoint, Env: test.env}}}
			var notes []string
			got, err := entrypointOf("img", inspected, func(e runner.Event) { notes = append(notes, e.Log.Message) })
			if (err == nil) != (test.problem == "") || (err != nil && !strings.Contains(err.Error(), test.problem)) {
				t.Fatalf("got %v, want %q", err, test.problem)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if said := strings.Join(notes, " "); (said == "") != (test.note == "") || !strings.Contains(said, test.note) {
				t.Errorf("noted %q, want %q", said, test.note)
			}
		})
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://localhost:3042":                       "http://host.docker.internal:3042",
		"http://127.0.0.1":                            "http://host.docker.internal",
		"http://[::1]:3042/x?y=z":                     "http://host.docker.internal:3042/x?y=z",
		"postgres://u:p@localhost:5432/db?sslmode=no": "postgres://u:p@host.docker.internal:5432/db?sslmode=no",
		"host=localhost port=5432":                    "host=host.docker.internal port=5432",
		"port=5432 host = '127.0.0.1' user=x":         "port=5432 host = host.docker.internal user=x",
		"http://localhost.example.com":                "",
		"http://bulker:3042":                          "",
		"host=db port=5432":                           "",
		"host=/var/run/postgresql":                    "",
		"hostaddr=127.0.0.1x":                         "",
		"://":                                         "",
	} {
		got, changed := Reachable(address)
		if changed != (want != "") || (changed && got != want) || (!changed && got != address) {
			t.Errorf("%s became %s (%t), want %q", address, got, changed, want)
		}
	}
}

func TestSettingsInsideTellWhatAndHideSecrets(t *testing.T) {
	t.Parallel()
	given := map[string]string{"DATABASE_URL": "postgres://u:hunter2@localhost/db", "BULKER_URL": "http://bulker", "NAMESPACE": "http://localhost",
		"SPOOL_DIR": "/big/disk"}
	task := runner.Task{Settings: given, AddressSettings: []string{"BULKER_URL", "DATABASE_URL"}}
	got, notes := settingsInside(task, "")
	said := strings.Join(notes, "\n")
	if len(notes) != 2 || !strings.Contains(said, "DATABASE_URL") || !strings.Contains(said, "SPOOL_DIR") || strings.Contains(said, "hunter2") {
		t.Errorf("noted %q", notes)
	}
	if got["DATABASE_URL"] != "postgres://u:hunter2@host.docker.internal/db" || got["SPOOL_DIR"] != "" {
		t.Errorf("%v", got)
	}
	if onHost, notes := settingsInside(task, "host"); len(notes) != 1 || onHost["DATABASE_URL"] != given["DATABASE_URL"] {
		t.Errorf("on the host's network: %v, %q", onHost, notes)
	}
	if got["NAMESPACE"] != "http://localhost" || given["DATABASE_URL"] != "postgres://u:hunter2@localhost/db" {
		t.Errorf("%v from %v", got, given)
	}
}

func TestDrainProgressFindsTheError(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string]string{
		`{"status":"a"}` + "\n" + `{"status":"b"}`:           "",
		`{"status":"a"}{"errorDetail":{"message":"denied"}}`: "denied",
		`{"error":"denied"}`:                                 "denied",
		`{"status":`:                                         "progress",
	} {
		seen := 0
		err := drainProgress(strings.NewReader(stream), func(string) { seen++ })
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", stream, err, want)
		}
		if want == "" && seen != 2 {
			t.Errorf("%s: %d messages", stream, seen)
		}
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	if parsed, err := parsePlatform("linux/arm/v7"); err != nil || parsed.OS != "linux" || parsed.Architecture != "arm" || parsed.Variant != "v7" {
		t.Errorf("%+v, %v", parsed, err)
	}
	if parsed, err := parsePlatform(""); err != nil || parsed != nil {
		t.Errorf("%+v, %v", parsed, err)
	}
	for _, bad := range []string{"linux", "a/b/c/d", "/"} {
		if _, err := parsePlatform(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestOnlyAFittingBinaryBecomesAnImage(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ binary, architecture, problem string }{
		{script, "x86_64", "no Linux program"},
		{programs.Sidecar, "another", ""},
	} {
		err := fits(test.binary, test.architecture)
		if (err == nil) != (test.problem == "") || (err != nil && !strings.Contains(err.Error(), test.problem)) {
			t.Errorf("%s on %s: got %v, want %q", test.binary, test.architecture, err, test.problem)
		}
	}
	wrong := 0
	for _, architecture := range []string{"x86_64", "aarch64"} {
		if err := fits(programs.Sidecar, architecture); err != nil {
			wrong++
			if !strings.Contains(err.Error(), "--sidecar-image") {
				t.Errorf("no next step: %v", err)
			}
		}
	}
	if wrong != 1 {
		t.Errorf("the binary fits %d of two architectures", 2-wrong)
	}
}

func TestDemultiplexKeepsLongAndUnfinishedLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3<<20)
	var framed bytes.Buffer
	for _, piece := range []string{"a\nb", "c\n", long, "\n\nlast"} {
		// The Engine's frame: stream (2 is stderr), three zeros, the length in big endian.
		size := len(piece)
		framed.Write([]byte{2, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})
		framed.WriteString(piece)
	}
	var got []string
	if err := demultiplex(&framed, func(line []byte) { got = append(got, string(line)) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "bc", long, "last"}; !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}

func TestArchiveStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	files := newArchive(&bytes.Buffer{})
	files.open("/x", 0o600, root(), filepath.Join(t.TempDir(), "missing"))
	files.dir("/y", 0o700, root())
	if err := files.close(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestUsageIsWhatDockerStatsShows(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sample := container.StatsResponse{Read: now, PreRead: now.Add(-2 * time.Second)}
	sample.MemoryStats = container.MemoryStats{Usage: 700e6, Limit: 2e9, Stats: map[string]uint64{"inactive_file": 200e6}}
	sample.PreCPUStats.CPUUsage.TotalUsage, sample.CPUStats.CPUUsage.TotalUsage = 5e9, 8e9
	if got := usageOf(sample); got != (runner.Usage{Memory: 500e6, MemoryLimit: 2e9, CPUs: 1.5}) {
		t.Errorf("%+v", got)
	}
	sample.MemoryStats.Stats = map[string]uint64{"total_inactive_file": 100e6, "inactive_file": 1}
	sample.MemoryStats.Limit, sample.PreRead = 1<<63, time.Time{}
	if got := usageOf(sample); got != (runner.Usage{Memory: 600e6}) {
		t.Errorf("without a limit, the first one: %+v", got)
	}
}
