package docker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
		got, changed := reachable(address)
		if changed != (want != "") || (changed && got != want) || (!changed && got != address) {
			t.Errorf("%s became %s (%t), want %q", address, got, changed, want)
		}
	}
}

func TestReachableSettingsTellWhatAndHideSecrets(t *testing.T) {
	t.Parallel()
	given := map[string]string{"DATABASE_URL": "postgres://u:hunter2@localhost/db", "BULKER_URL": "http://bulker", "NAMESPACE": "http://localhost"}
	got, notes := reachableSettings(given)
	if len(notes) != 1 || !strings.Contains(notes[0], "DATABASE_URL") || strings.Contains(notes[0], "hunter2") {
		t.Errorf("noted %q", notes)
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

// configDir makes a ~/.docker as docker login and docker context use leave it.
func configDir(t *testing.T, config any, contexts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(path string, value any) {
		t.Helper()
		content, err := json.Marshal(value)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "config.json"), config)
	for name, host := range contexts {
		digest := sha256.Sum256([]byte(name))
		meta := map[string]any{"Name": name, "Endpoints": map[string]any{"docker": map[string]any{"Host": host}}}
		write(filepath.Join(dir, "contexts", "meta", hex.EncodeToString(digest[:]), "meta.json"), meta)
	}
	return dir
}

func TestWhichDaemon(t *testing.T) {
	t.Parallel()
	dir := configDir(t, map[string]string{"currentContext": "far"}, map[string]string{"far": "tcp://far:2375", "near": "unix:///near.sock", "odd": ""})
	for _, test := range []struct {
		name    string
		daemon  Daemon
		want    string
		problem string
	}{
		{"the environment's host", Daemon{Host: "tcp://env:1", Context: "near", ConfigDir: dir}, "tcp://env:1", ""},
		{"the environment's context", Daemon{Context: "near", ConfigDir: dir}, "unix:///near.sock", ""},
		{"the current context", Daemon{ConfigDir: dir}, "tcp://far:2375", ""},
		{"the default context", Daemon{Context: "default", ConfigDir: dir}, client.DefaultDockerHost, ""},
		{"no configuration", Daemon{ConfigDir: t.TempDir()}, client.DefaultDockerHost, ""},
		{"unknown context", Daemon{Context: "nope", ConfigDir: dir}, "", `docker context "nope"`},
		{"a context for something else", Daemon{Context: "odd", ConfigDir: dir}, "", "no docker endpoint"},
		{"ssh", Daemon{Host: "ssh://me@far"}, "", "DOCKER_HOST=unix://"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			options, err := test.daemon.options()
			if (err == nil) != (test.problem == "") || (err != nil && !strings.Contains(err.Error(), test.problem)) {
				t.Fatalf("got %v, want %q", err, test.problem)
			}
			if err != nil {
				return
			}
			engine, err := client.NewClientWithOpts(options...)
			if err != nil {
				t.Fatal(err)
			}
			if engine.DaemonHost() != test.want {
				t.Errorf("got %s, want %s", engine.DaemonHost(), test.want)
			}
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNoEngineSaysWhereAndWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := New(t.Context(), Options{Daemon: Daemon{Host: "unix://" + filepath.Join(t.TempDir(), "none.sock")}})
	if err == nil || !strings.Contains(err.Error(), "none.sock") || !strings.Contains(err.Error(), "DOCKER_HOST") {
		t.Errorf("got %v", err)
	}
}

func TestRegistryAuth(t *testing.T) {
	t.Parallel()
	dir := configDir(t, map[string]any{"auths": map[string]any{
		"https://index.docker.io/v1/": map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("me:pass:word"))},
		"registry.example.com:5000":   map[string]string{"identitytoken": "token"},
	}, "credHelpers": map[string]string{"helped.example.com": "is-not-installed"}}, nil)
	for reference, want := range map[string][3]string{
		"airbyte/source-faker":          {"me", "pass:word", ""},
		"registry.example.com:5000/a/b": {"", "", "token"},
	} {
		encoded, err := registryAuth(t.Context(), dir, reference)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := base64.URLEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		var auth struct{ Username, Password, IdentityToken string }
		if err := json.Unmarshal(decoded, &auth); err != nil {
			t.Fatal(err)
		}
		if got := [3]string{auth.Username, auth.Password, auth.IdentityToken}; got != want {
			t.Errorf("%s: %q, want %q", reference, got, want)
		}
	}
	if encoded, err := registryAuth(t.Context(), dir, "other.example.com/a"); err != nil || encoded != "" {
		t.Errorf("a registry without login: %q, %v", encoded, err)
	}
	if encoded, err := registryAuth(t.Context(), t.TempDir(), "a/b"); err != nil || encoded != "" {
		t.Errorf("no configuration: %q, %v", encoded, err)
	}
	if _, err := registryAuth(t.Context(), dir, "helped.example.com/a"); err == nil || !strings.Contains(err.Error(), "docker-credential-is-not-installed") {
		t.Errorf("a helper that is missing: %v", err)
	}
	if _, err := registryAuth(t.Context(), dir, "Not A Name"); err == nil {
		t.Error("a broken name was accepted")
	}
}

func TestOnlyAFittingBinaryBecomesAnImage(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil { //nolint:gosec // a program
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
	files.open("/x", 0o600, 0, filepath.Join(t.TempDir(), "missing"))
	files.dir("/y", 0o700, 0)
	if err := files.close(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
