package compose

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds one command: pulling nothing, but starting containers on a busy machine.
const patience = 2 * time.Minute

// composeV2 is what scripts/compose-v2.sh builds.
const composeV2 = "../.cache/compose-2.40.3/docker-compose"

// composeVersions are how Compose 1.29 (v1) and Compose 2 (v2) are called, where they are; in CI both are.
func composeVersions(t *testing.T) map[string][]string {
	t.Helper()
	needEngine(t)
	built, err := filepath.Abs(composeV2)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, command := range [][]string{{"docker-compose"}, {"docker", "compose"}, {built}} {
		version, err := exec.CommandContext(t.Context(), command[0], append(command[1:], "version", "--short")...).Output()
		if major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), "."); err == nil && found["v"+major] == nil {
			found["v"+major] = command
		}
	}
	if len(found) < 2 && os.Getenv("CI") == "true" || len(found) == 0 {
		t.Fatalf("not both versions of Compose are here, but %v: run scripts/require-docker.sh and scripts/compose-v2.sh", found)
	}
	return found
}

// project is what a user has: a copy of this folder with an .env.
type project struct {
	folder  string
	name    string
	compose []string
}

// newProject makes a project of the example's .env with settings changed; files are those of COMPOSE_FILE after compose.yaml.
func newProject(t *testing.T, compose []string, settings map[string]string, files ...string) *project {
	t.Helper()
	folder := t.TempDir()
	// The folder of every test is called 001, which would be the name of all projects: two runs of these tests at the same time would take each
	// other's containers down.
	p := &project{folder: folder, name: strings.ToLower(filepath.Base(filepath.Dir(folder))), compose: compose}
	p.copyFolder(t)
	env := map[string]string{"SIDECAR_IMAGE": "sync-sidecar:latest", "SOURCE_IMAGE": demoImage}
	if image := os.Getenv("SIDECAR_IMAGE"); image != "" { // a developer's own
		env["SIDECAR_IMAGE"] = image
	}
	if len(files) > 0 {
		env["COMPOSE_FILE"] = strings.Join(append([]string{"compose.yaml"}, files...), ":")
	}
	for name, value := range settings {
		env[name] = value
	}
	needImage(t, env["SIDECAR_IMAGE"])
	needImage(t, env["SOURCE_IMAGE"])
	text := p.read(t, ".env.example")
	for name, value := range env {
		text += name + "=" + value + "\n"
	}
	p.put(t, ".env", text)
	t.Cleanup(func() { p.down(t) })
	return p
}

// copyFolder copies what a user gets of this folder.
func (p *project) copyFolder(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"*.yaml", ".env.example", "demo/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p.put(t, name, string(content))
		}
	}
}

// down removes the project as its header says, and fails the test when anything of it is left.
func (p *project) down(t *testing.T) {
	t.Helper()
	// The test's own context is over when it cleans up.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if code, output := p.run(ctx, t, nil, "down", "--volumes", "--timeout", "1"); code != 0 {
		t.Errorf("down: exit code %d:\n%s", code, output)
	}
	for _, kind := range [][]string{{"ps", "--all"}, {"volume", "ls"}, {"network", "ls"}} {
		list := exec.CommandContext(ctx, "docker", append(kind, "--quiet", "--filter", "label=com.docker.compose.project="+p.name)...)
		if left, err := list.Output(); err != nil || len(left) > 0 {
			t.Errorf("down left of docker %v: %s (%v)", kind, left, err)
		}
	}
}

// needEngine skips the test where only what needs no server is to run.
func needEngine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker Engine: -short")
	}
}

// needImage fails the test when an image is missing, before Compose tries to pull it.
func needImage(t *testing.T, image string) {
	t.Helper()
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

// configure writes the connector's configuration, and lets CONFIG_DIR stay the demonstration's.
func (p *project) configure(t *testing.T, config string) {
	t.Helper()
	p.put(t, "demo/config.json", config)
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

// rows is how many rows a stream has in the local folder of the sync demo.
func (p *project) rows(t *testing.T, stream string) int {
	t.Helper()
	return strings.Count(p.read(t, "data/demo/rows/"+stream+".ndjson"), "\n")
}

// wantUp runs the project as its header says, and fails the test when it does not end with the code, or its output lacks a text.
func (p *project) wantUp(t *testing.T, code int, text string, env ...string) {
	t.Helper()
	if got, output := p.up(t, env...); got != code || !strings.Contains(output, text) {
		t.Errorf("%v: exit code %d, want %d and %q in:\n%s", env, got, code, text, output)
	}
}

// up runs the project as its header says; env goes before .env.
func (p *project) up(t *testing.T, env ...string) (code int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return p.run(ctx, t, env, "up", "--exit-code-from", "sidecar", "sidecar")
}

// must runs Compose and fails the test when that fails.
func (p *project) must(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code, output := p.run(ctx, t, nil, args...)
	if code != 0 {
		t.Fatalf("%s: exit code %d:\n%s", args, code, output)
	}
	return output
}

// psql asks the project's Postgres.
func (p *project) psql(t *testing.T, query string) string {
	t.Helper()
	return p.must(t, "exec", "-T", "postgres", "psql", "--username", "sidecar", "--no-align", "--tuples-only", "--command", query)
}

// run is one call of Compose, in the project's folder, as a user would.
func (p *project) run(ctx context.Context, t *testing.T, env []string, args ...string) (code int, output string) {
	t.Helper()
	command, text := p.command(ctx, env, args...)
	err := command.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatalf("%s %s: %v", p.compose, args, err)
	}
	return command.ProcessState.ExitCode(), text.String()
}

// command is a call of Compose that is not begun yet, and what it will have written.
func (p *project) command(ctx context.Context, env []string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	command := exec.CommandContext(ctx, p.compose[0], append(append([]string{}, p.compose[1:]...), args...)...)
	command.Dir = p.folder
	// Not what stands in this process: a variable goes before .env.
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DOCKER_HOST=" + os.Getenv("DOCKER_HOST"),
		"COMPOSE_PROJECT_NAME=" + p.name}, env...)
	var text bytes.Buffer
	command.Stdout, command.Stderr = &text, &text
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that a test can press Ctrl-C for it alone
	return command, &text
}

// eventually polls until something is so, and fails the test when that takes too long.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) { // polling with a deadline
		if is() {
			return
		}
	}
	t.Fatalf("in vain for %v: %s", patience, what)
}
