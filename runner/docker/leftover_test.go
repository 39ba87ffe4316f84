package docker

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// What a killed run left is removed by the next one on the same machine, and nothing else is.
func TestLeftoversOfKilledRunsAreSwept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r, err := New(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	tasks := map[string]runner.Task{}
	for name, change := range map[string]func(labels map[string]string){
		"dead":            func(labels map[string]string) { labels[labelPID] = strconv.Itoa(deadProcess(t)) },
		"alive":           func(labels map[string]string) { labels[labelPID] = strconv.Itoa(os.Getppid()) },
		"another machine": func(labels map[string]string) { labels[labelMachine], labels[labelPID] = "elsewhere", "1" },
		"kept": func(labels map[string]string) {
			labels[labelPID], labels[labelKept] = strconv.Itoa(deadProcess(t)), "true"
		},
	} {
		task := b.task(sidecar.CommandRead, `{}`)
		task.TaskID = b.prefix + "-" + strings.ReplaceAll(name, " ", "-")
		tasks[name] = task
		labels := r.labels(task, roleShared)
		change(labels)
		volumeName := "sync-sidecar-" + task.TaskID + "-shared"
		if _, err := b.engine.VolumeCreate(t.Context(), volume.CreateOptions{Name: volumeName, Labels: labels}); err != nil {
			t.Fatal(err)
		}
		config := &container.Config{Image: demoImage, Labels: labels}
		host := &container.HostConfig{Binds: []string{volumeName + ":/v"}}
		if _, err := b.engine.ContainerCreate(t.Context(), config, host, nil, nil, "sync-sidecar-"+task.TaskID+"-connector"); err != nil {
			t.Fatal(err)
		}
	}
	// Other tests sweep, too: what one of them is removing is not there for this one, and not gone yet either.
	for deadline := time.Now().Add(20 * time.Second); len(b.leftovers(tasks["dead"])) > 0 && time.Now().Before(deadline); {
		if err := r.sweep(t.Context(), b.event); err != nil {
			t.Fatal(err)
		}
	}
	all, err := r.Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Fate{"alive": FateAlive, "another machine": FateForeign, "kept": FateKept} {
		count := 0
		for _, thing := range all {
			if thing.Task == tasks[name].TaskID && thing.Fate == want && thing.Sync == "demo" && !thing.Made.IsZero() {
				count++
			}
		}
		if count != 2 {
			t.Errorf("%s: %d of 2 things are listed as %s", name, count, want)
		}
	}
	for name, want := range map[string]int{"dead": 0, "alive": 2, "another machine": 2, "kept": 2} {
		if left := b.leftovers(tasks[name]); len(left) != want {
			t.Errorf("%s: %v, want %d things", name, left, want)
		}
		pod := &pod{runner: r, plan: runner.NewPlan(tasks[name], layout())}
		if err := pod.remove(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// VOLUMEs of a connector's image become nameless volumes, which carry no label of ours.
func TestVolumesOfTheImageGoToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.options.Keep = true
	task := b.task(sidecar.CommandSpec, "")
	task.Image = "sync-sidecar-test/volumes:" + testVersion
	if err := importProgram(b.engine, task.Image, programs.Demo, `ENTRYPOINT ["/source-demo"]`, "VOLUME /cache"); err != nil {
		t.Fatal(err)
	}
	defer removeImage(t, b.engine, task.Image)
	if _, err := b.start(t.Context(), task, nil); err != nil {
		t.Fatal(err)
	}
	pod := &pod{runner: &Runner{engine: b.engine}, plan: runner.NewPlan(task, layout())}
	inspected, err := b.engine.ContainerInspect(t.Context(), pod.name(roleConnector))
	if err != nil {
		t.Fatal(err)
	}
	if err := pod.remove(t.Context()); err != nil {
		t.Error(err)
	}
	if len(inspected.Mounts) != 2 {
		t.Fatalf("the connector has %+v", inspected.Mounts)
	}
	for _, mounted := range inspected.Mounts {
		if _, err := b.engine.VolumeInspect(t.Context(), mounted.Name); !errdefs.IsNotFound(err) {
			t.Errorf("volume %s at %s: %v", mounted.Name, mounted.Destination, err)
		}
	}
}

func TestSidecarImageIsMadeOnceAndAgainForAnotherBinary(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.options.Version = testVersion + "-own"
	name := "sync-sidecar:" + b.options.Version
	r, err := New(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	made := func() string {
		t.Helper()
		if got, err := r.ensureSidecar(t.Context(), b.event); err != nil || got != name {
			t.Fatalf("%s, %v", got, err)
		}
		found, err := b.engine.ImageInspect(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return found.ID
	}
	defer removeImage(t, b.engine, name)
	first := made()
	if again := made(); again != first {
		t.Error("it was made again although nothing changed")
	}
	r.options.Binary = programs.Demo
	other := made()
	if other == first {
		t.Error("it was not made again for another binary")
	}
	if _, err := b.engine.ImageInspect(t.Context(), first); err == nil {
		t.Error("the former image was left")
	}
	// One that somebody built under that name is theirs.
	removeImage(t, b.engine, name)
	if err := importProgram(b.engine, name, programs.Sidecar, `ENTRYPOINT ["/sync-sidecar"]`); err != nil {
		t.Fatal(err)
	}
	built, err := b.engine.ImageInspect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if kept := made(); kept != built.ID {
		t.Error("an image that was not made here was replaced")
	}
}

func TestOnlyTheKnownDeadAreOrphans(t *testing.T) {
	t.Parallel()
	for pid, want := range map[string]bool{"no number": false, "": false, strconv.Itoa(os.Getpid()): false, strconv.Itoa(deadProcess(t)): true} {
		if got := isOrphan(map[string]string{labelPID: pid}); got != want {
			t.Errorf("%q: %t", pid, got)
		}
	}
}
