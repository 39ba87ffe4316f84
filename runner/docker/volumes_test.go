package docker

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"sync-sidecar/sidecar"
)

func TestParseVolume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "data.csv")
	if err := os.WriteFile(file, []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Volume{
		file + ":/data/data.csv":    {Source: file, Target: "/data/data.csv"},
		file + ":/data/data.csv:ro": {Source: file, Target: "/data/data.csv", ReadOnly: true},
		dir + ":/data/:rw":          {Source: dir, Target: "/data"},
		"a-volume:/data":            {Source: "a-volume", Named: true, Target: "/data"},
	} {
		if got, err := ParseVolume(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		file:                             "write FILE:PATH",
		file + ":data":                   "write FILE:PATH",
		":/data":                         "write FILE:PATH",
		file + ":/a:/b:ro":               "write FILE:PATH",
		file + ":/a:z":                   `"z" is neither ro nor rw`,
		file + ":/":                      "nothing can be put at /",
		file + ":/sync-sidecar.d/x":      "nothing can be put at /sync-sidecar.d/x",
		filepath.Join(dir, "no") + ":/a": "no such file",
		"./no.csv:/a":                    "no such file",
		"/dev/null:/a":                   "neither a file nor a folder",
	} {
		if _, err := ParseVolume(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestProxiesOfThisMachine(t *testing.T) {
	t.Parallel()
	given := []string{"HTTP_PROXY=http://127.0.0.1:3128", "https_proxy=http://u:p@proxy.corp:8080", "ALL_PROXY=localhost:3128",
		"NO_PROXY=localhost,.corp"}
	want := []string{"HTTP_PROXY=http://host.docker.internal:3128", given[1], "ALL_PROXY=host.docker.internal:3128", given[3]}
	if got := reachableProxies(given, ""); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%q", got)
	}
	if got := reachableProxies(given, "host"); strings.Join(got, " ") != strings.Join(given, " ") {
		t.Errorf("on the host's network: %q", got)
	}
}

// TestVolumes runs a connector that is in no image: it comes by --volume, whatever the Engine sees of this machine, for a user that may not write.
func TestVolumes(t *testing.T) {
	t.Parallel()
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.view = view
			folder := t.TempDir()
			program, err := os.ReadFile(programs.Demo)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(folder, "bin", "empty"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "bin", "connector"), program, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, target := range []string{"/opt/of/mine/connector", "/opt/tool"} {
				v, err := ParseVolume(filepath.Join(folder, "bin", "connector") + ":" + target + ":ro")
				entrypoint := target
				if target == "/opt/tool" {
					v, err = ParseVolume(folder + ":" + target)
					entrypoint += "/bin/connector"
				}
				if err != nil {
					t.Fatal(err)
				}
				b.options.Volumes, b.options.Entrypoint, b.options.User = []Volume{v}, []string{entrypoint}, "1234:1234"
				task := b.task(sidecar.CommandCheck, `{}`)
				task.TaskID += strings.ReplaceAll(target, "/", "-")
				if outcome := b.run(task); outcome.ExitCode() != 0 {
					t.Errorf("%s: code %d: %s", target, outcome.ExitCode(), outcome.Cause())
				}
				if mounted := strings.Contains(b.said(), folderMounted); mounted != (view == nil) {
					t.Errorf("%s: mounted: %t; %s", target, mounted, b.said())
				}
			}
		})
	}
}

// A named volume is mounted as it is; one that is not there is not made.
func TestNamedVolumes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name := "sync-sidecar-test-" + b.prefix
	b.options.Volumes, b.options.Entrypoint = []Volume{{Source: name, Named: true, Target: "/opt", ReadOnly: true}}, []string{"/opt/connector"}
	if _, err := b.start(t.Context(), b.task(sidecar.CommandSpec, ""), nil); err == nil || !strings.Contains(err.Error(), "nor a volume of the Engine") {
		t.Errorf("a volume that is not there: %v", err)
	}
	fill(t, b, name)
	if outcome := b.run(b.task(sidecar.CommandSpec, "")); outcome.ExitCode() != 0 {
		t.Errorf("code %d: %s", outcome.ExitCode(), outcome.Cause())
	}
}

// fill makes a volume that holds the demo source.
func fill(t *testing.T, b *bench, name string) {
	t.Helper()
	if _, err := b.engine.VolumeCreate(t.Context(), volume.CreateOptions{Name: name}); err != nil {
		t.Fatal(err)
	}
	config := &container.Config{Image: demoImage}
	host := &container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: name, Target: "/opt"}}}
	if _, err := b.engine.ContainerCreate(t.Context(), config, host, nil, nil, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.engine.VolumeRemove(context.Background(), name, true); err != nil {
			t.Error(err)
		}
	})
	program, err := os.ReadFile(programs.Demo)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	files := newArchive(&archive)
	files.file("/opt/connector", 0o755, root(), program)
	if err := files.close(); err != nil {
		t.Fatal(err)
	}
	if err := b.engine.CopyToContainer(t.Context(), name, "/", &archive, container.CopyToContainerOptions{}); err != nil {
		t.Error(err)
	}
	if err := b.engine.ContainerRemove(t.Context(), name, container.RemoveOptions{Force: true}); err != nil {
		t.Error(err)
	}
}
