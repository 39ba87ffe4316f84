package compose

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMadeProject: what `sync-sidecar compose` writes holds no secret outside of secrets/, and runs as it is.
func TestMadeProject(t *testing.T) {
	needEngine(t)
	program := filepath.Join(t.TempDir(), "sync-sidecar")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/sync-sidecar").CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			folder := t.TempDir()
			p := &project{folder: filepath.Join(folder, "shop"), name: strings.ToLower(filepath.Base(filepath.Dir(folder))), compose: compose}
			image := os.Getenv("SIDECAR_IMAGE")
			if image == "" {
				image = "sync-sidecar:latest"
			}
			command := exec.CommandContext(t.Context(), program, "compose", "--sync-id", "shop", "--config", `{"api_key":"s3cret-key","count":50,"seed":3}`,
				"--sidecar-image", image, "--add", "limits", "--show-rows", "1", "--state-age", "1s", "--image", demoImage)
			command.Dir = folder
			output, err := command.CombinedOutput()
			if err != nil || strings.Contains(string(output), "s3cret") {
				t.Fatalf("%v:\n%s", err, output)
			}
			t.Cleanup(func() { p.down(t) })
			err = filepath.WalkDir(p.folder, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				content, err := os.ReadFile(path)
				if strings.Contains(string(content), "s3cret") != strings.Contains(path, "/secrets/") {
					t.Errorf("%s holds\n%s", path, content)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(filepath.Join(p.folder, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("secrets/: %v, %v", info.Mode(), err)
			}
			p.wantUp(t, 0, "50 of 50 rows")
			if log := p.must(t, "logs"); strings.Contains(log, "s3cret") {
				t.Errorf("the secret is in the log:\n%s", log)
			}
			inspected, err := exec.CommandContext(t.Context(), "docker", "inspect", p.container(t, "init"), p.container(t, "source"),
				p.container(t, "sidecar")).CombinedOutput()
			if err != nil || strings.Contains(string(inspected), "s3cret") {
				t.Errorf("the secret is in what the Engine knows of the containers (%v)", err)
			}
			if err := os.Remove(filepath.Join(p.folder, "secrets/API_KEY")); err != nil {
				t.Fatal(err)
			}
			if code, output := p.up(t); code == 0 || !strings.Contains(output, "API_KEY") {
				t.Errorf("without the secret: exit code %d:\n%s", code, output)
			}
		})
	}
}
