package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// dockerLine is a command line with an Engine and an image of the demo source: one static program, no shell, not root.
type dockerLine struct {
	*commandLine
	engine *client.Client
	image  string
	syncID string
}

// newDockerLine needs an Engine. In CI one is there: then its absence is a failure, not a reason to skip.
func newDockerLine(t *testing.T) *dockerLine {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker Engine: -short")
	}
	engine, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err == nil {
		_, err = engine.Ping(t.Context())
	}
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("needs a Docker Engine: %v", err)
	}
	return dockerLineOf(t, engine)
}

// newDockerLineAt is newDockerLine with the Engine at an address, which has to be there.
func newDockerLineAt(t *testing.T, address string) *dockerLine {
	t.Helper()
	engine, err := client.NewClientWithOpts(client.WithHost(address), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	d := dockerLineOf(t, engine)
	d.env = append(d.env, "DOCKER_HOST="+address)
	return d
}

// dockerLineOf makes the image on an Engine.
func dockerLineOf(t *testing.T, engine *client.Client) *dockerLine {
	t.Helper()
	unique := fmt.Sprintf("cli-%d-%d", os.Getpid(), time.Now().UnixNano())
	d := &dockerLine{commandLine: newCommandLine(t), engine: engine, image: "sync-sidecar-test/source-demo:" + unique, syncID: unique}
	d.makeImage()
	t.Cleanup(func() {
		if _, err := engine.ImageRemove(context.Background(), d.image, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// unchecked leaves the check of the configuration out: it costs a container, and other tests are about it.
func unchecked(args []string) []string {
	if len(args) < 2 || args[0] != "run" || args[1] == "spec" {
		return args
	}
	return slices.Insert(slices.Clone(args), 2, "--no-validate")
}

func (d *dockerLine) run(args ...string) ended {
	d.t.Helper()
	return d.commandLine.run(unchecked(args)...)
}

func (d *dockerLine) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	return d.commandLine.command(unchecked(args)...)
}

func (d *dockerLine) makeImage() {
	d.t.Helper()
	d.importImage(d.image, "source-demo", d.programs.Demo, "USER 4321")
}

// importImage makes an image of one program, which is its entrypoint.
func (d *dockerLine) importImage(reference, name, path string, changes ...string) {
	d.t.Helper()
	program, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	d.importProgram(reference, "/"+name, program, image.ImportOptions{Changes: changes})
}

// importProgram makes an image of one program at a place, which is its entrypoint unless options say otherwise.
func (d *dockerLine) importProgram(reference, place string, program []byte, options image.ImportOptions) {
	d.t.Helper()
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	err := files.WriteHeader(&tar.Header{Name: strings.TrimPrefix(place, "/"), Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = files.Write(program)
	}
	if err = errors.Join(err, files.Close()); err != nil {
		d.t.Fatal(err)
	}
	options.Changes = append([]string{`ENTRYPOINT ["` + place + `"]`}, options.Changes...)
	progress, err := d.engine.ImageImport(d.t.Context(), image.ImportSource{Source: &layer, SourceName: "-"}, reference, options)
	if err != nil {
		d.t.Fatal(err)
	}
	defer progress.Close()
	if said, err := io.ReadAll(progress); err != nil || strings.Contains(string(said), "error") {
		d.t.Fatalf("%s, %v", said, err)
	}
}

// left is what carries the label of this test's sync.
func (d *dockerLine) left(role string) []string {
	d.t.Helper()
	mine := filters.NewArgs(filters.Arg("label", "sync-sidecar.sync="+d.syncID))
	if role != "" {
		mine.Add("label", "sync-sidecar.role="+role)
	}
	containers, err := d.engine.ContainerList(context.Background(), container.ListOptions{All: true, Filters: mine})
	if err != nil {
		d.t.Fatal(err)
	}
	volumes, err := d.engine.VolumeList(context.Background(), volume.ListOptions{Filters: mine})
	if err != nil {
		d.t.Fatal(err)
	}
	var found []string
	for _, one := range containers {
		found = append(found, one.Names[0]+" "+one.State)
	}
	for _, one := range volumes.Volumes {
		found = append(found, one.Name)
	}
	return found
}

// waitForSidecar polls until the sidecar of a read runs.
func (d *dockerLine) waitForSidecar() {
	d.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		for _, one := range d.left("sidecar") {
			if strings.HasSuffix(one, container.StateRunning) && !strings.Contains(one, "-discover") {
				return
			}
		}
		time.Sleep(50 * time.Millisecond) // polling with a deadline
	}
	d.t.Fatal("no sidecar runs")
}

func TestRunInDocker(t *testing.T) {
	t.Parallel()
	d := newDockerLine(t)
	got := d.run("run", "read", "--config", `{"count":1000}`, "--sync-id", d.syncID, d.image)
	if got.code != 0 || !strings.Contains(got.stdout, "1,000") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if left := d.left(""); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	d.eachOrderOnce(600)
}

func TestRunInDockerIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, signals := range map[string][]syscall.Signal{"once": {syscall.SIGINT}, "twice": {syscall.SIGINT, syscall.SIGINT}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDockerLine(t)
			command, _, stderr := d.command("run", "read", "--config", `{"count":1000000,"rate":1000}`, "--sync-id", d.syncID, d.image)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			d.waitForSidecar()
			for _, number := range signals {
				if err := command.Process.Signal(number); err != nil {
					t.Error(err)
				}
			}
			if code := codeOf(t, command.Wait()); code != exitSignal+2 {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if left := d.left(""); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A killed run can clean nothing up: its things are found by their labels and removed by the next run on this machine (maybe that of another
// test), which delivers every row once.
func TestRunInDockerIsKilled(t *testing.T) {
	t.Parallel()
	d := newDockerLine(t)
	command, _, _ := d.command("run", "read", "--config", `{"counts":{"orders":1000},"rate":100}`, "--streams", "orders", "--sync-id", d.syncID, d.image)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	d.waitForSidecar()
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := codeOf(t, command.Wait()); code != -1 {
		t.Errorf("exit code %d", code)
	}
	got := d.run("run", "read", "--config", `{"counts":{"orders":1000}}`, "--streams", "orders", "--sync-id", d.syncID, d.image)
	if got.code != 0 {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if left := d.left(""); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	d.eachOrderOnce(1000)
}
