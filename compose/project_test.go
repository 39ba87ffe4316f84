package compose

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		return // every test here needs a Docker Engine
	}
	goleak.VerifyTestMain(m)
}

// patience bounds one command: pulling nothing, but starting three containers on a busy machine.
const patience = 4 * time.Minute

// demoCatalog configures the demonstration source's streams.
const demoCatalog = `{"streams":[
	{"stream":{"name":"customers","json_schema":{}},"sync_mode":"incremental","destination_sync_mode":"append_dedup",
	 "cursor_field":["updated_at"],"primary_key":[["id"]]},
	{"stream":{"name":"products","json_schema":{}},"sync_mode":"full_refresh","destination_sync_mode":"overwrite"},
	{"stream":{"name":"orders","json_schema":{}},"sync_mode":"incremental","destination_sync_mode":"append_dedup",
	 "cursor_field":["updated_at"],"primary_key":[["id"]]}]}`

// composeCommand is how Compose is called here: version 1 as docker-compose, or version 2.
func composeCommand(t *testing.T) []string {
	t.Helper()
	for _, command := range [][]string{{"docker-compose"}, {"docker", "compose"}} {
		if exec.CommandContext(t.Context(), command[0], append(command[1:], "version")...).Run() == nil {
			return command
		}
	}
	t.Fatal("neither docker-compose nor docker compose answers: run scripts/require-docker.sh")
	return nil
}

// project is a copy of what a user has: the Compose files with an .env, a config folder and a data folder.
type project struct {
	folder  string
	files   []string
	compose []string
}

// newProject makes a project; settings are the lines of its .env.
func newProject(t *testing.T, settings map[string]string, files ...string) *project {
	t.Helper()
	folder := t.TempDir()
	p := &project{folder: folder, compose: composeCommand(t)}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p.put(t, name, string(content))
		p.files = append(p.files, "-f", filepath.Join(folder, name))
	}
	if image := os.Getenv("SIDECAR_IMAGE"); image != "" { // a developer's own
		settings["SIDECAR_IMAGE"] = image
	}
	p.needImage(t, settings["SIDECAR_IMAGE"], "sync-sidecar:latest")
	p.needImage(t, settings["SOURCE_IMAGE"], "")
	var env strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&env, "%s=%s\n", name, value)
	}
	p.put(t, ".env", env.String())
	p.put(t, "config/catalog.json", demoCatalog)
	t.Cleanup(func() {
		// The test's own context is over when it cleans up.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if code, output := p.run(ctx, t, nil, "down", "--volumes", "--timeout", "1"); code != 0 {
			t.Errorf("down: exit code %d:\n%s", code, output)
		}
	})
	return p
}

// needImage fails the test when an image is missing, before Compose tries to pull it.
func (p *project) needImage(t *testing.T, image, otherwise string) {
	t.Helper()
	if image == "" {
		image = otherwise
	}
	if err := exec.CommandContext(t.Context(), "docker", "image", "inspect", image).Run(); err != nil {
		t.Fatalf("there is no image %s here (%v): run make images", image, err)
	}
}

// put writes a file of the project, for its owner's eyes only, as a careful person does with a config.
func (p *project) put(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(p.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read is the content of a file below the project's folder.
func (p *project) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(p.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// up runs the project as its header says; env goes before .env.
func (p *project) up(t *testing.T, env ...string) (code int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return p.run(ctx, t, env, "up", "--exit-code-from", "sidecar", "sidecar")
}

// run is one call of Compose, in the project's folder, as a user would.
func (p *project) run(ctx context.Context, t *testing.T, env []string, args ...string) (code int, output string) {
	t.Helper()
	argv := append(append(append([]string{}, p.compose[1:]...), p.files...), args...)
	command := exec.CommandContext(ctx, p.compose[0], argv...)
	command.Dir = p.folder
	// Not what stands in this process: a variable goes before .env. The folder of every test is called 001, which would be the name of all projects:
	// two runs of these tests at the same time would take each other's containers down.
	name := strings.ToLower(filepath.Base(filepath.Dir(p.folder)))
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DOCKER_HOST=" + os.Getenv("DOCKER_HOST"),
		"COMPOSE_PROJECT_NAME=" + name}, env...)
	var text bytes.Buffer
	command.Stdout, command.Stderr = &text, &text
	err := command.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatalf("%s %s: %v", p.compose, args, err)
	}
	return command.ProcessState.ExitCode(), text.String()
}
