package docker

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/system"

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

// TestRowsArriveWhileTheReadRuns: they are in the caller's folder, with the state that covers them, long before the end.
func TestRowsArriveWhileTheReadRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	task := b.read(`{"counts":{"orders":100000},"rate":200,"records_per_state":20}`)
	stop := make(chan struct{})
	go b.whenRowsFlow(func() {
		defer close(stop)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			state, err := os.ReadFile(filepath.Join(b.dir, "demo", "state.json"))
			if err == nil && strings.Contains(string(state), `"orders": {`) && b.rows("orders") > 0 {
				return
			}
		}
		t.Error("no row and no state arrived")
	})
	if _, err := b.start(t.Context(), task, stop); err != nil {
		t.Fatal(err)
	}
	b.clean(task)
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
