package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"go.uber.org/goleak"

	"sync-sidecar/runner"
	"sync-sidecar/runner/runnertest"
	"sync-sidecar/sidecar"
)

// programs are built once, by TestMain.
var programs *runnertest.Programs

// demoImage is the demo source alone, without a shell and with a user that is neither root nor the sidecar's.
var (
	testVersion = fmt.Sprintf("test-%d", os.Getpid())
	demoImage   = "sync-sidecar-test/source-demo:" + testVersion
)

func TestMain(m *testing.M) {
	var err error
	if programs, err = runnertest.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := errors.Join(programs.Remove(), removeImages()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// testDaemon is the Engine that the environment of the tests names.
func testDaemon() Daemon {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	return Daemon{Host: os.Getenv("DOCKER_HOST"), Context: os.Getenv("DOCKER_CONTEXT"), ConfigDir: filepath.Join(home, ".docker")}
}

// removeImages removes what the tests made; without an Engine there is nothing.
func removeImages() error {
	engine, err := dial(context.Background(), testDaemon())
	if err != nil {
		return nil //nolint:nilerr // no Engine, no images
	}
	var problems []error
	for _, name := range []string{demoImage, "sync-sidecar:" + testVersion} {
		if _, err := engine.ImageInspect(context.Background(), name); err == nil {
			_, err = engine.ImageRemove(context.Background(), name, image.RemoveOptions{Force: true})
			problems = append(problems, err)
		}
	}
	return errors.Join(append(problems, engine.Close())...)
}

// bench is a runner and what belongs to it in one test.
type bench struct {
	t       *testing.T
	engine  *client.Client
	options Options
	dir     string // LOCAL_DIR
	prefix  string // of its task ids
	// view is where the Engine is told that the folder of the sync is; nil is the truth.
	view func(folder string) string

	mutex sync.Mutex
	notes []string
	seen  chan struct{} // closed at the first report of a read that has rows
	once  sync.Once
}

var makeDemoImage = sync.OnceValue(func() error {
	engine, err := dial(context.Background(), testDaemon())
	if err != nil {
		return err
	}
	changes := []string{`ENTRYPOINT ["/source-demo"]`, "USER 4321", `ENV AIRBYTE_ENTRYPOINT=/source-demo`}
	return errors.Join(importProgram(engine, demoImage, programs.Demo, changes...), engine.Close())
})

// importProgram makes an image of one static program at /<its name>.
func importProgram(engine *client.Client, name, program string, changes ...string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var layer bytes.Buffer
	files := newArchive(&layer)
	files.file("/"+filepath.Base(program), 0o755, root(), content)
	if err := files.close(); err != nil {
		return err
	}
	source := image.ImportSource{Source: &layer, SourceName: "-"}
	progress, err := engine.ImageImport(context.Background(), source, name, image.ImportOptions{Changes: changes})
	if err != nil {
		return err
	}
	return errors.Join(drainProgress(progress, nil), progress.Close())
}

// newBench needs an Engine. In CI one is there: then its absence is a failure, not a reason to skip.
func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker Engine: -short")
	}
	engine, err := dial(t.Context(), testDaemon())
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("needs a Docker Engine: %v", err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := makeDemoImage(); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, engine: engine, dir: t.TempDir(), seen: make(chan struct{}), prefix: fmt.Sprintf("test%d-%d", os.Getpid(), time.Now().UnixNano())}
	b.options = Options{Daemon: testDaemon(), Version: testVersion, Binary: programs.Sidecar, Pull: PullNever}
	return b
}

func (b *bench) task(command sidecar.Command, config string) runner.Task {
	task := runner.Task{Command: command, SyncID: "demo", TaskID: b.prefix + "-" + string(command), Image: demoImage, LocalDir: b.dir,
		LoadState: true, StartedAt: time.Now(), Grace: 5 * time.Second}
	if command != sidecar.CommandSpec {
		task.Config = []byte(config)
	}
	return task
}

// catalogs are what the demo source discovers, by its config: discovered once per test binary.
var catalogs sync.Map

// read is a task that reads all streams of the demo source.
func (b *bench) read(config string) runner.Task {
	b.t.Helper()
	catalog, known := catalogs.Load(config)
	if !known {
		outcome := b.run(b.task(sidecar.CommandDiscover, config))
		configured, _, err := runner.Configure(outcome.Report.Result, runner.Selection{})
		if err != nil {
			b.t.Fatal(err)
		}
		catalog = []byte(configured)
		catalogs.Store(config, catalog)
	}
	task := b.task(sidecar.CommandRead, config)
	task.Catalog = catalog.([]byte)
	return task
}

func (b *bench) event(event runner.Event) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if event.Report == nil {
		b.notes = append(b.notes, event.Log.Message)
		return
	}
	if event.Report.Command == sidecar.CommandRead && len(event.Report.Streams) > 0 && event.Report.Streams[0].Read > 0 {
		b.once.Do(func() { close(b.seen) })
	}
}

func (b *bench) said() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return strings.Join(b.notes, "\n")
}

// start runs a task on a runner of its own.
func (b *bench) start(ctx context.Context, task runner.Task, stop <-chan struct{}) (runner.Outcome, error) {
	b.t.Helper()
	r, err := New(ctx, b.options)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			b.t.Error(err)
		}
	}()
	if b.view != nil {
		r.seen = b.view
	}
	return r.Run(ctx, task, runner.Watch{Event: b.event, Stop: stop})
}

// run runs a task to its end and proves that nothing of it is left.
func (b *bench) run(task runner.Task) runner.Outcome {
	b.t.Helper()
	outcome, err := b.start(b.t.Context(), task, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.clean(task)
	return outcome
}

// clean fails the test when a container or volume carries the task's label.
func (b *bench) clean(task runner.Task) {
	b.t.Helper()
	if left := b.leftovers(task); len(left) > 0 {
		b.t.Errorf("left behind: %v", left)
	}
}

func (b *bench) leftovers(task runner.Task) []string {
	b.t.Helper()
	mine := filters.NewArgs(filters.Arg("label", labelTask+"="+task.TaskID))
	containers, err := b.engine.ContainerList(context.Background(), container.ListOptions{All: true, Filters: mine})
	if err != nil {
		b.t.Fatal(err)
	}
	volumes, err := b.engine.VolumeList(context.Background(), volume.ListOptions{Filters: mine})
	if err != nil {
		b.t.Fatal(err)
	}
	var left []string
	for _, found := range containers {
		left = append(left, found.Names...)
	}
	for _, found := range volumes.Volumes {
		left = append(left, found.Name)
	}
	return left
}

// whenRowsFlow calls do once rows were reported; it gives up when the test ends.
func (b *bench) whenRowsFlow(do func()) {
	select {
	case <-b.seen:
		do()
	case <-b.t.Context().Done():
	}
}

func (b *bench) rows(stream string) int {
	b.t.Helper()
	content, err := os.ReadFile(filepath.Join(b.dir, "demo", "rows", stream+".ndjson"))
	if err != nil {
		b.t.Fatal(err)
	}
	return bytes.Count(content, []byte("\n"))
}
