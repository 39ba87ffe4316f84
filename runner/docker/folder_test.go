package docker

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/system"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// views are what an Engine may see of the caller's folder.
func views(t *testing.T) map[string]func(string) string {
	t.Helper()
	other := t.TempDir()
	if err := os.Chmod(other, 0o777); err != nil { // nothing but the missing question tells it from the caller's
		t.Fatal(err)
	}
	return map[string]func(string) string{
		"the folder":                 nil,
		"nothing":                    func(string) string { return "/nothing/of/this/name" },
		"another folder of its name": func(string) string { return other },
	}
}

// TestWhateverTheEngineSees: reads into a folder, of which the second brings what is new, end alike whether the Engine sees the folder or not.
func TestWhateverTheEngineSees(t *testing.T) {
	t.Parallel()
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.view = view
			for i, config := range []string{`{"count":1000}`, `{"count":1100}`} {
				task := b.read(config)
				task.TaskID += []string{"-first", "-second"}[i]
				outcome := b.run(task)
				if outcome.ExitCode() != 0 || outcome.Report.Streams[0].Rows == 0 {
					t.Fatalf("read %d: %+v\n%s", i, outcome, b.said())
				}
			}
			if rows := b.rows("orders"); rows != 660 {
				t.Errorf("%d orders, want 660", rows)
			}
			entries, err := os.ReadDir(filepath.Join(b.dir, "demo"))
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				info, err := entry.Info()
				if err != nil || strings.HasPrefix(entry.Name(), probePrefix) {
					t.Errorf("%s is left, %v", entry.Name(), err)
				}
				if status, ok := info.Sys().(*syscall.Stat_t); !ok || int(status.Uid) != os.Getuid() {
					t.Errorf("%s does not belong to the caller", entry.Name())
				}
			}
		})
	}
}

// TestRowsArriveWhileTheReadRuns in every view: they are in the caller's folder, with the state that covers them, long before the end.
func TestRowsArriveWhileTheReadRuns(t *testing.T) {
	t.Parallel()
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.view = view
			task := b.read(`{"counts":{"orders":100000},"rate":200,"records_per_state":20}`)
			stop := make(chan struct{})
			go b.whenRowsFlow(func() {
				defer close(stop)
				b.awaitRows()
			})
			if _, err := b.start(t.Context(), task, stop); err != nil {
				t.Fatal(err)
			}
			b.clean(task)
		})
	}
}

// awaitRows waits until there are rows and the state that covers them.
func (b *bench) awaitRows() {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		state, err := os.ReadFile(filepath.Join(b.dir, "demo", "state.json"))
		if err == nil && strings.Contains(string(state), `"orders": {`) && b.rows("orders") > 0 {
			return
		}
	}
	b.t.Error("no row and no state arrived")
}

// TestConnectionToTheFolderBreaks: whoever passes the rows on is killed again and again, and each row arrives once.
func TestConnectionToTheFolderBreaks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if os.Getuid() != 0 {
		t.Skip("kills processes in a container: needs root")
	}
	b.view = views(t)["nothing"]
	task := b.read(`{"counts":{"orders":3000},"rate":1000,"records_per_state":10}`)
	ctx, cancel := context.WithCancel(t.Context())
	killed := make(chan int, 1)
	go func() {
		kills := 0
		b.whenRowsFlow(func() {
			for ctx.Err() == nil && kills < 4 {
				kills += b.killBridge(ctx, task)
				time.Sleep(300 * time.Millisecond) // let some rows pass
			}
		})
		killed <- kills
	}()
	outcome := b.run(task)
	cancel()
	if kills := <-killed; kills == 0 || outcome.ExitCode() != 0 {
		t.Errorf("%d kills, exit code %d: %s\n%s", kills, outcome.ExitCode(), outcome.Cause(), b.said())
	}
	if rows := b.rows("orders"); rows != 3000 {
		t.Errorf("%d orders, want 3000", rows)
	}
}

// killBridge kills what passes rows on to this process, if it runs, and says how many that were.
func (b *bench) killBridge(ctx context.Context, task runner.Task) int {
	running, err := b.engine.ContainerTop(ctx, "sync-sidecar-"+task.TaskID+"-"+roleSidecar, nil)
	if err != nil {
		return 0
	}
	kills := 0
	for _, process := range running.Processes {
		pid, err := strconv.Atoi(process[1]) // UID PID PPID …
		if err == nil && strings.Contains(strings.Join(process, " "), "in-pod connect") && syscall.Kill(pid, syscall.SIGKILL) == nil {
			kills++
		}
	}
	return kills
}

// TestResultsOfOtherCommandsArrive in every view; a copy of the folder does not take a read's files along.
func TestResultsOfOtherCommandsArrive(t *testing.T) {
	t.Parallel()
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.view = view
			if outcome := b.run(b.task(sidecar.CommandSpec, "")); outcome.ExitCode() != 0 {
				t.Fatal(outcome)
			}
			if text, err := os.ReadFile(filepath.Join(b.dir, "demo", "spec.json")); err != nil || !strings.Contains(string(text), "connectionSpecification") {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

func TestWhoAnswersAProbe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := filepath.Join(dir, probePrefix+"old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*oldProbe)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		engine system.Info
		want   string // the user; "" for no probe
	}{
		{system.Info{OSType: "linux"}, user{os.Getuid(), os.Getgid()}.String()},
		{system.Info{OSType: "linux", SecurityOptions: []string{"name=seccomp,profile=default", "name=rootless"}}, "0:0"},
		{system.Info{OSType: "linux", SecurityOptions: []string{"name=userns"}}, ""},
		{system.Info{OSType: "windows"}, ""},
	} {
		p, err := newProbe(dir, test.engine)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			if test.want != "" {
				t.Errorf("%+v: no probe", test.engine)
			}
			continue
		}
		if got := p.user.String(); got != test.want {
			t.Errorf("%+v: user %s, want %s", test.engine, got, test.want)
		}
		answer := func(text string) {
			if err := os.WriteFile(p.path+answerSuffix, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if p.answered() {
			t.Error("answered without an answer")
		}
		answer("something else")
		if p.answered() {
			t.Error("answered by something else")
		}
		answer(string(p.text))
		if !p.answered() {
			t.Error("the answer is not taken")
		}
		if err := p.remove(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
