package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sync-sidecar/runner"
	"sync-sidecar/runner/runnertest"
	"sync-sidecar/sidecar"
)

// programs are built once, by TestMain.
var programs *runnertest.Programs

func TestMain(m *testing.M) {
	var err error
	if programs, err = runnertest.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := programs.Remove(); err != nil && code == 0 {
			code = 1
		}
		os.Exit(code)
	}))
}

// bench is a runner and what belongs to it in one test.
type bench struct {
	t      *testing.T
	runner *Runner
	dir    string // LOCAL_DIR

	mutex  sync.Mutex
	events []runner.Event
	seen   chan struct{} // closed at the first report of a read that has rows
	once   sync.Once
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), seen: make(chan struct{})}
	b.runner = &Runner{Binary: programs.Sidecar, Environ: os.Environ(), TempDir: t.TempDir()}
	return b
}

func (b *bench) task(command sidecar.Command, config string) runner.Task {
	task := runner.Task{Command: command, SyncID: "demo", TaskID: "t-" + string(command), Program: []string{programs.Demo}, LocalDir: b.dir,
		LoadState: true, StartedAt: time.Now(), Grace: 5 * time.Second, Settings: map[string]string{"LOG_LEVEL": "DEBUG"}}
	if command != sidecar.CommandSpec {
		task.Config = []byte(config)
	}
	return task
}

// read is a task that reads all streams that the demo source discovers.
func (b *bench) read(config string) runner.Task {
	b.t.Helper()
	outcome := b.run(b.task(sidecar.CommandDiscover, config))
	catalog, _, err := runner.Configure(outcome.Report.Result, runner.Selection{})
	if err != nil {
		b.t.Fatal(err)
	}
	task := b.task(sidecar.CommandRead, config)
	task.Catalog = catalog
	return task
}

func (b *bench) watch(stop <-chan struct{}) runner.Watch {
	return runner.Watch{Stop: stop, Event: func(event runner.Event) {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		b.events = append(b.events, event)
		if event.Report != nil && event.Report.Command == sidecar.CommandRead && len(event.Report.Streams) > 0 && event.Report.Streams[0].Read > 0 {
			b.once.Do(func() { close(b.seen) })
		}
	}}
}

// whenRowsFlow calls do once rows were reported; it gives up when the test ends.
func (b *bench) whenRowsFlow(do func()) {
	select {
	case <-b.seen:
		do()
	case <-b.t.Context().Done():
	}
}

func (b *bench) run(task runner.Task) runner.Outcome {
	b.t.Helper()
	outcome, err := b.runner.Run(b.t.Context(), task, b.watch(nil))
	if err != nil {
		b.t.Fatal(err)
	}
	b.clean()
	return outcome
}

// clean fails the test when the run left anything in the temporary folder.
func (b *bench) clean() {
	b.t.Helper()
	left, err := filepath.Glob(filepath.Join(b.runner.TempDir, "*"))
	if err != nil || len(left) > 0 {
		b.t.Errorf("left behind: %v %v", left, err)
	}
}

func lineCount(t *testing.T, path string) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(content), "\n")
}

func TestEveryCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, command := range []sidecar.Command{sidecar.CommandSpec, sidecar.CommandCheck, sidecar.CommandDiscover} {
		outcome := b.run(b.task(command, `{}`))
		if outcome.ExitCode() != 0 || outcome.Report.Status != sidecar.StatusSuccess || !json.Valid(outcome.Report.Result) {
			t.Errorf("%s: code %d, %+v", command, outcome.ExitCode(), outcome.Report)
		}
	}
	for round, want := range []int{60, 80} {
		outcome := b.run(b.read(`{"counts":{"orders":60},"grow":20}`))
		if outcome.ExitCode() != 0 || outcome.Connector.Code != 0 {
			t.Fatalf("round %d: %+v", round, outcome)
		}
		if rows := lineCount(t, filepath.Join(b.dir, "demo", "rows", "orders.ndjson")); rows != want {
			t.Errorf("round %d: %d rows, want %d", round, rows, want)
		}
	}
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, config string
		program      []string
		code         int
		cause        string
	}{
		{"exit code", `{"faults":{"exit_code":{"code":7}}}`, nil, 1, "7"},
		{"killed", `{"faults":{"kill_self":{"signal":"KILL"}}}`, nil, 1, "SIGKILL"},
		{"partial", `{"faults":{"error_trace":{"stream":"products","message":"no more"}}}`, nil, 4, "no more"},
		{"no such program", `{}`, []string{"/nowhere/source"}, 3, "/nowhere/source"},
		{"not executable", `{}`, []string{"/etc/passwd"}, 3, "/etc/passwd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			task := b.read(test.config)
			if test.program != nil {
				task.Program = test.program
			}
			outcome := b.run(task)
			if outcome.ExitCode() != test.code || !strings.Contains(outcome.Cause(), test.cause) {
				t.Errorf("code %d, cause %q; want %d, %q", outcome.ExitCode(), outcome.Cause(), test.code, test.cause)
			}
		})
	}
}

func TestStopSavesWhatItCan(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"count":1000000,"rate":2000,"records_per_state":100}`)
	stop := make(chan struct{})
	go b.whenRowsFlow(func() { close(stop) })
	outcome, err := b.runner.Run(t.Context(), task, b.watch(stop))
	if err != nil {
		t.Fatal(err)
	}
	b.clean()
	if outcome.Report.Status != sidecar.StatusCancelled || outcome.Sidecar.Code != 128+int(syscall.SIGTERM) {
		t.Errorf("%s, sidecar's code %d: %s", outcome.Report.Status, outcome.Sidecar.Code, outcome.Cause())
	}
	if _, err := os.Stat(filepath.Join(b.dir, "demo", "state.json")); err != nil {
		t.Error(err)
	}
}

func TestStopBeforeTheConnectorRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stop := make(chan struct{})
	close(stop)
	_, err := b.runner.Run(t.Context(), b.task(sidecar.CommandSpec, ""), b.watch(stop))
	if err != nil && !errors.Is(err, runner.ErrStopped) {
		t.Error(err)
	}
	b.clean()
}

func TestCancelKillsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"count":1000000,"rate":2000}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go b.whenRowsFlow(cancel)
	outcome, err := b.runner.Run(ctx, task, b.watch(nil))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if outcome.Sidecar.Code != 128+int(syscall.SIGKILL) {
		t.Errorf("the sidecar ended with %d", outcome.Sidecar.Code)
	}
	b.clean()
	if left := processesOf(t, task.Program[0], b.runner.TempDir); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

// What init or the sidecar refuses is the whole cause: not that there is no verdict, nor how the connector was stopped for it.
func TestRefusalIsTheCause(t *testing.T) {
	t.Parallel()
	for name, byInit := range map[string]bool{"init": true, "the sidecar": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			task := b.read(`{}`)
			task.LoadState, task.Settings = byInit, map[string]string{"BATCH_ROWS": "-1", "LOAD_CONCURRENCY": "0"}
			outcome := b.run(task)
			const want = "BATCH_ROWS: -1 is less than 1; LOAD_CONCURRENCY: 0 is less than 1"
			if outcome.ExitCode() != 2 || outcome.Cause() != want || outcome.Connector.Started == byInit {
				t.Errorf("code %d, cause %q, connector %+v; want 2, %q", outcome.ExitCode(), outcome.Cause(), outcome.Connector, want)
			}
		})
	}
}

// The last words of a connector reach the outcome, by the names that the caller knows.
func TestLastWordsOfTheConnector(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"faults":{"stderr_text":{"text":"first\nlast"},"exit_code":{"code":7}}}`)
	outcome := b.run(task)
	words := strings.Join(outcome.LastWords, "\n")
	if !outcome.ConnectorFailed() || !strings.Contains(words, "first") || !strings.Contains(words, "last") {
		t.Errorf("last words %q of %+v", words, outcome.Connector)
	}
}

// I5: a connector must not find the sidecar's secrets in what it inherits.
func TestConnectorDoesNotInheritSecrets(t *testing.T) {
	t.Parallel()
	r := &Runner{Environ: []string{"PATH=/bin", "DATABASE_URL=postgres://u:hunter2@db", "BULKER_AUTH_TOKEN_FILE=/run/secret", "SYNC_ID=x", "HOME=/h"}}
	task := runner.Task{SecretSettings: []string{"BULKER_AUTH_TOKEN", "DATABASE_URL"}}
	env := strings.Join(r.environ(task, runner.Step{Env: []string{"STDOUT_PIPE_FILE=/p"}}, true), "\n")
	if want := "PATH=/bin\nHOME=/h\nSTDOUT_PIPE_FILE=/p"; env != want {
		t.Errorf("got %q, want %q", env, want)
	}
}

func TestSweepRemovesOnlyFoldersOfDeadRuns(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	for name, remains := range map[string]bool{
		fmt.Sprintf("%s%d-1", tempPrefix(), deadProcess(t)): false,
		fmt.Sprintf("%s%d-1", tempPrefix(), os.Getpid()):    true,
		tempPrefix() + "x": true,
		fmt.Sprintf("sync-sidecar-elsewhere-%d-1", deadProcess(t)): true,
		"other": true,
	} {
		path := filepath.Join(temp, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := os.Stat(path); (err == nil) != remains {
				t.Errorf("%s: %v", name, err)
			}
		}()
	}
	if err := (&Runner{TempDir: temp}).sweep(); err != nil {
		t.Fatal(err)
	}
}
