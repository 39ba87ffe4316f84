package docker

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

func TestEveryCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, command := range []sidecar.Command{sidecar.CommandSpec, sidecar.CommandCheck, sidecar.CommandDiscover} {
		outcome := b.run(b.task(command, `{"grow":20}`))
		if outcome.ExitCode() != 0 || outcome.Report.Status != sidecar.StatusSuccess || !json.Valid(outcome.Report.Result) {
			t.Errorf("%s: code %d, %+v", command, outcome.ExitCode(), outcome.Report)
		}
	}
	for _, file := range []string{"spec.json", "check.json", "catalog.json"} {
		if _, err := os.Stat(filepath.Join(b.dir, "demo", file)); err != nil {
			t.Error(err)
		}
	}
	for round, want := range []int{60, 80} {
		outcome := b.run(b.read(`{"counts":{"orders":60},"grow":20}`))
		if outcome.ExitCode() != 0 || outcome.Connector.Code != 0 {
			t.Fatalf("round %d: %+v", round, outcome)
		}
		if rows := b.rows("orders"); rows != want {
			t.Errorf("round %d: %d rows, want %d", round, rows, want)
		}
	}
	info, err := os.Stat(filepath.Join(b.dir, "demo", "rows", "orders.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Getuid() {
		t.Errorf("the rows belong to user %d, not to the caller", owner)
	}
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, config string
		change       func(*Options)
		code         int
		cause        string
	}{
		{"exit code", `{"faults":{"exit_code":{"code":7}}}`, nil, 1, "7"},
		{"killed", `{"faults":{"kill_self":{"signal":"KILL"}}}`, nil, 1, "SIGKILL"},
		{"partial", `{"faults":{"error_trace":{"stream":"products","message":"no more"}}}`, nil, 4, "no more"},
		{"bad entrypoint", `{}`, func(o *Options) { o.Entrypoint = []string{"/nowhere/source"} }, 3, "/nowhere/source"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			task := b.read(test.config)
			if test.change != nil {
				test.change(&b.options)
			}
			outcome := b.run(task)
			if outcome.ExitCode() != test.code || !strings.Contains(outcome.Cause(), test.cause) {
				t.Errorf("code %d, cause %q; want %d, %q", outcome.ExitCode(), outcome.Cause(), test.code, test.cause)
			}
		})
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

// The sidecar only sees SIGKILL: that memory was the reason, and what the limit was, comes from the Engine.
func TestOutOfMemoryIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"count":20,"row_bytes":40000000}`)
	b.options.Memory = 32 << 20
	outcome := b.run(task)
	if outcome.ExitCode() != 1 || !strings.Contains(outcome.Cause(), "ran out of memory (limit 32 MiB: raise it with --memory)") {
		t.Errorf("code %d, cause %q, %+v", outcome.ExitCode(), outcome.Cause(), outcome.Connector)
	}
}

func TestConnectorKilledFromOutside(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"count":1000000,"rate":2000,"records_per_state":100}`)
	go b.whenRowsFlow(func() {
		if err := b.engine.ContainerKill(context.Background(), "sync-sidecar-"+task.TaskID+"-connector", "KILL"); err != nil {
			t.Error(err)
		}
	})
	outcome := b.run(task)
	// Partial when a state had been saved before, failed otherwise.
	if code := outcome.ExitCode(); code != 1 && code != 4 || outcome.Connector.Code != 137 || outcome.Cause() == "" {
		t.Errorf("code %d, connector %+v, cause %q", outcome.ExitCode(), outcome.Connector, outcome.Cause())
	}
}

func TestSidecarKilledFromOutside(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"count":1000000,"rate":2000,"records_per_state":100}`)
	go b.whenRowsFlow(func() {
		if err := b.engine.ContainerKill(context.Background(), "sync-sidecar-"+task.TaskID+"-sidecar", "KILL"); err != nil {
			t.Error(err)
		}
	})
	outcome := b.run(task)
	if outcome.ExitCode() != 3 || !strings.Contains(outcome.Cause(), "without a verdict (exit code 137)") {
		t.Errorf("code %d, cause %q", outcome.ExitCode(), outcome.Cause())
	}
}

func TestStopSavesWhatItCan(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"count":1000000,"rate":2000,"records_per_state":100}`)
	stop := make(chan struct{})
	go b.whenRowsFlow(func() { close(stop) })
	outcome, err := b.start(t.Context(), task, stop)
	if err != nil {
		t.Fatal(err)
	}
	b.clean(task)
	if outcome.Report.Status != sidecar.StatusCancelled || outcome.Sidecar.Code != 128+int(syscall.SIGTERM) {
		t.Errorf("%s, sidecar's code %d: %s", outcome.Report.Status, outcome.Sidecar.Code, outcome.Cause())
	}
	if b.rows("customers") == 0 {
		t.Error("no rows came back")
	}
}

func TestStopBeforeTheConnectorRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stop := make(chan struct{})
	close(stop)
	task := b.task(sidecar.CommandSpec, "")
	if _, err := b.start(t.Context(), task, stop); err != nil && !errors.Is(err, runner.ErrStopped) {
		t.Error(err)
	}
	b.clean(task)
}

func TestCancelLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"count":1000000,"rate":2000}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go b.whenRowsFlow(cancel)
	if _, err := b.start(ctx, task, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	b.clean(task)
}

func TestKeepKeeps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.options.Keep = true
	task := b.task(sidecar.CommandSpec, "")
	if _, err := b.start(t.Context(), task, nil); err != nil {
		t.Fatal(err)
	}
	if left := b.leftovers(task); len(left) != 5 {
		t.Errorf("kept %v, want three containers and two volumes", left)
	}
	if !strings.Contains(b.said(), labelTask+"="+task.TaskID) {
		t.Errorf("nobody is told how to find them: %s", b.said())
	}
	pod := &pod{runner: &Runner{engine: b.engine}, plan: runner.NewPlan(task, layout())}
	if err := pod.remove(context.Background()); err != nil {
		t.Error(err)
	}
	b.clean(task)
}

func TestMissingImage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.task(sidecar.CommandSpec, "")
	task.Image = "sync-sidecar-test/missing:1"
	_, err := b.start(t.Context(), task, nil)
	if err == nil || !strings.Contains(err.Error(), "sync-sidecar-test/missing:1") || !strings.Contains(err.Error(), "--pull never") {
		t.Errorf("got %v", err)
	}
	b.options.Pull = PullMissing
	task.Image = "127.0.0.1:1/no/registry:1"
	_, err = b.start(t.Context(), task, nil)
	if err == nil || !strings.Contains(err.Error(), "could not be pulled") {
		t.Errorf("got %v", err)
	}
	b.clean(task)
}

// One container of three cannot be made: the others, which can, must not be left.
func TestRefusalByTheEngineLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"platform": {func(o *Options) { o.Platform = "linux/s390x" }, "platform"},
		"network":  {func(o *Options) { o.Network = "sync-sidecar-no-such-network" }, "sync-sidecar-no-such-network"},
		"host":     {func(o *Options) { o.ExtraHosts = []string{"bad"} }, "add-host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			test.change(&b.options)
			task := b.task(sidecar.CommandSpec, "")
			if _, err := b.start(t.Context(), task, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			b.clean(task)
		})
	}
}

// A report is one line of the sidecar's log, and a catalog makes it longer than anything the Engine keeps in one piece (16 KiB).
func TestLongReports(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	outcome := b.run(b.task(sidecar.CommandDiscover, `{"streams":300}`))
	if streams := strings.Count(string(outcome.Report.Result), `"json_schema"`); streams != 300 {
		t.Errorf("%d of 300 streams: %s", streams, outcome.Cause())
	}
}

func TestInitFailureIsTheOutcome(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{}`)
	task.Settings = map[string]string{"BATCH_ROWS": "-1"}
	outcome := b.run(task)
	if outcome.ExitCode() != 2 || !strings.Contains(outcome.Cause(), "BATCH_ROWS") {
		t.Errorf("code %d, cause %q", outcome.ExitCode(), outcome.Cause())
	}
}
