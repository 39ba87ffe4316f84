package docker

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/client"
)

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
	_, err := registryAuth(t.Context(), dir, "helped.example.com/a")
	if err == nil || !strings.Contains(err.Error(), "docker-credential-is-not-installed") {
		t.Errorf("a helper that is missing: %v", err)
	}
	if _, err := registryAuth(t.Context(), dir, "Not A Name"); err == nil {
		t.Error("a broken name was accepted")
	}
}
