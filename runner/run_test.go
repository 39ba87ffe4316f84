package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
)

// fakeEngine carries out tasks by a func.
type fakeEngine func(task Task) (Outcome, error)

// Run is the func.
func (f fakeEngine) Run(_ context.Context, task Task, _ Watch) (Outcome, error) { return f(task) }

func discoveredOutcome(warnings ...string) Outcome {
	return Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess, Result: []byte(discovered), Warnings: warnings}}
}

func TestRunDiscoversBeforeItReads(t *testing.T) {
	var tasks []Task
	var notes []string
	task := readTask()
	task.LocalDir, task.Catalog, task.State = t.TempDir(), nil, []byte("[]")
	outcome, err := Run(t.Context(), fakeEngine(func(task Task) (Outcome, error) {
		tasks = append(tasks, task)
		if task.Command == sidecar.CommandDiscover {
			return discoveredOutcome("the connector exited with code 1"), nil
		}
		return Outcome{Report: sidecar.Report{Status: sidecar.StatusPartial}, Sidecar: Exit{Code: 4}}, nil
	}), task, Selection{Streams: []string{"users"}}, Watch{Event: func(e Event) { notes = append(notes, e.Log.Level+" "+e.Log.Message) }})
	if err != nil || outcome.ExitCode() != sidecar.ExitPartial {
		t.Fatalf("%+v, %v", outcome, err)
	}
	if len(tasks) != 2 || tasks[0].TaskID != "t1-discover" || tasks[0].State != nil || tasks[0].LoadState || tasks[1].TaskID != "t1" {
		t.Fatalf("tasks %+v", tasks)
	}
	if got := modes(t, tasks[1].Catalog); got != "users incremental append_dedup" || string(tasks[1].State) != "[]" {
		t.Errorf("read %s from %s", got, tasks[1].State)
	}
	if want := "INFO no --catalog: discovering the streams|WARN the connector exited with code 1"; strings.Join(notes, "|") != want {
		t.Errorf("notes %q", notes)
	}
}

// A token that works once: the read has to use what the discover made of it, and so has the next run, until the caller gives another configuration.
func TestRunUsesTheNewestConfiguration(t *testing.T) {
	dir := t.TempDir()
	var used []string
	engine := fakeEngine(func(task Task) (Outcome, error) {
		used = append(used, string(task.Config))
		rotated := strings.Replace(string(task.Config), `"}`, `+"}`, 1)
		if err := os.WriteFile(filepath.Join(task.Folder(), ConfigUpdateFile), []byte(rotated), 0o600); err != nil {
			t.Fatal(err)
		}
		if task.Command == sidecar.CommandDiscover {
			return discoveredOutcome(), nil
		}
		return Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess}}, nil
	})
	for _, given := range []string{`{"t":"a"}`, `{"t":"a"}`, `{"t":"b"}`, `{"t":"a"}`} {
		task := readTask()
		task.LocalDir, task.Catalog, task.Config = dir, nil, []byte(given)
		if _, err := Run(t.Context(), engine, task, Selection{}, Watch{}); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"t":"a"} {"t":"a+"} {"t":"a++"} {"t":"a+++"} {"t":"b"} {"t":"b+"} {"t":"a"} {"t":"a+"}`
	if got := strings.Join(used, " "); got != want {
		t.Errorf("used %s\nwant %s", got, want)
	}
}

func TestRunSaysWhoseFaultItIs(t *testing.T) {
	gone := errors.New("the Engine is gone")
	for _, test := range []struct {
		name   string
		change func(*Task)
		answer Outcome
		err    error
		code   int // of the Error; 0 is none
		want   string
	}{
		{"all well", func(*Task) {}, Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess}}, nil, 0, ""},
		{"an invalid task", func(task *Task) { task.ConnectorEnv = []string{"="} }, Outcome{}, nil, sidecar.ExitUsage, "--env"},
		{"the engine", func(*Task) {}, Outcome{Report: sidecar.Report{Cause: "no disk"}}, gone, sidecar.ExitEnvironment,
			"the Engine is gone; before that: no disk"},
		{"discover", func(task *Task) { task.Catalog = nil },
			Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, Cause: "no such host"}, Sidecar: Exit{Code: 1}, LastWords: []string{"words"}}, nil,
			sidecar.ExitFailed, "discover failed: no such host"},
		{"an unknown stream", func(task *Task) { task.Catalog = nil }, discoveredOutcome(), nil, sidecar.ExitUsage, `no stream "nope"`},
		{"a rotated configuration that is damaged", func(task *Task) {
			memory := rotationOf(*task)
			if _, _, err := memory.begin(task.Config); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(memory.updated, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, Outcome{}, nil, sidecar.ExitEnvironment, "move it away"},
	} {
		t.Run(test.name, func(t *testing.T) {
			task := readTask()
			task.LocalDir = t.TempDir()
			test.change(&task)
			outcome, err := Run(t.Context(), fakeEngine(func(Task) (Outcome, error) { return test.answer, test.err }), task,
				Selection{Streams: []string{"nope"}}, Watch{})
			failed := (*Error)(nil)
			if errors.As(err, &failed) != (test.code != 0) || failed != nil && failed.Code != test.code {
				t.Fatalf("got %v, want exit code %d", err, test.code)
			}
			if err != nil && !strings.Contains(err.Error(), test.want) || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if len(outcome.LastWords) != len(test.answer.LastWords) {
				t.Errorf("the connector's last words are lost: %+v", outcome)
			}
		})
	}
}

// The sidecar makes the folder, package runner looks into it: they have to mean the same one.
func TestFolderIsTheSidecars(t *testing.T) {
	for _, syncID := range []string{"orders", "A.b_c-1", "9", "con", "x.ndjson", strings.Repeat("a", 100)} {
		task := Task{SyncID: syncID, LocalDir: "/home/me/sync-data"}
		if !syncIDPattern.MatchString(syncID) {
			t.Errorf("%s is refused", syncID)
		}
		if want := local.Dir(task.LocalDir, sidecar.Identity{SyncID: syncID}); task.Folder() != want {
			t.Errorf("%s, the sidecar has %s", task.Folder(), want)
		}
	}
}
