package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// results opens a folder for a command that is no read.
func results(t *testing.T, dir string, identity sidecar.Identity) *Folder {
	t.Helper()
	folder, err := Open(t.Context(), Options{Dir: dir, Identity: identity})
	must(t, err)
	return folder
}

// jsonFile reads one of the folder's JSON files; nil when it is not there.
func jsonFile(t *testing.T, folder *Folder, name string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder.Path(), name))
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	var object map[string]any
	must(t, json.Unmarshal(content, &object))
	return object
}

func TestSaveResult(t *testing.T) {
	t.Parallel()
	folder := results(t, t.TempDir(), sidecar.Identity{Package: "airbyte/source-faker", PackageVersion: "7.2.1", StorageKey: "key"})
	if filepath.Base(folder.Path()) != "source-faker" {
		t.Errorf("folder is %s, want one named after the package", folder.Path())
	}
	save := func(result sidecar.Result) { must(t, folder.SaveResult(t.Context(), result)) }
	save(sidecar.Result{Command: sidecar.CommandDiscover, Status: sidecar.StatusRunning})
	if jsonFile(t, folder, "catalog.json") != nil {
		t.Error("there is a catalog before there is one")
	}
	save(sidecar.Result{Command: sidecar.CommandDiscover, Status: sidecar.StatusSuccess, Payload: []byte(`{"streams":[{"name":"<a>"}]}`)})
	save(sidecar.Result{Command: sidecar.CommandDiscover, Status: sidecar.StatusFailed, Message: "no route"})
	if catalog := fmt.Sprint(jsonFile(t, folder, "catalog.json")); catalog != "map[streams:[map[name:<a>]]]" {
		t.Errorf("catalog is %v, want the earlier one", catalog)
	}
	if status := jsonFile(t, folder, "catalog.status.json"); status["status"] != "FAILED" || status["message"] != "no route" {
		t.Errorf("status of discover is %v", status)
	}
	save(sidecar.Result{Command: sidecar.CommandSpec, Status: sidecar.StatusSuccess, Payload: []byte(`{"connectionSpecification":{}}`)})
	if spec := jsonFile(t, folder, "spec.json"); spec["connectionSpecification"] == nil {
		t.Errorf("spec is %v", spec)
	}
	save(sidecar.Result{Command: sidecar.CommandCheck, Status: sidecar.StatusFailed, Message: "wrong password"})
	check := jsonFile(t, folder, "check.json")
	if check["status"] != "FAILED" || check["message"] != "wrong password" || check["package_version"] != "7.2.1" || check["storage_key"] != "key" {
		t.Errorf("check is %v", check)
	}
	mustFail(t, folder.SaveResult(t.Context(), sidecar.Result{Command: sidecar.CommandRead}), "read")
	mustFail(t, folder.SaveResult(t.Context(), sidecar.Result{Command: "sing"}), "sing")
	damaged := sidecar.Result{Command: sidecar.CommandSpec, Status: sidecar.StatusSuccess, Payload: []byte("{")}
	mustFail(t, folder.SaveResult(t.Context(), damaged), "spec.json")
	noTemps(t, folder)
}

func TestSaveTask(t *testing.T) {
	t.Parallel()
	const running, success, failed, cancelled = sidecar.StatusRunning, sidecar.StatusSuccess, sidecar.StatusFailed, sidecar.StatusCancelled
	tests := []struct {
		statuses []sidecar.Status
		want     sidecar.Status
	}{
		{[]sidecar.Status{running, success}, success},
		{[]sidecar.Status{running, success, running}, success},
		{[]sidecar.Status{success, failed}, failed},
		{[]sidecar.Status{running, cancelled, success, failed, running}, cancelled},
	}
	for _, test := range tests {
		dir := t.TempDir()
		folder := results(t, dir, sidecar.Identity{SyncID: "s", TaskID: "t", StartedBy: `{"type":"manual"}`, StartedAt: time.Unix(1000, 0)})
		for _, status := range test.statuses {
			must(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: status, Description: `{"users":{"events":3}}`, Error: "e"}))
		}
		task := jsonFile(t, folder, "task.json")
		if task["status"] != string(test.want) || task["task_id"] != "t" || task["started_at"] != "1970-01-01T00:16:40Z" || task["error"] != "e" {
			t.Errorf("after %v the task is %v, want %s", test.statuses, task, test.want)
		}
		if fmt.Sprint(task["streams"], task["started_by"]) != "map[users:map[events:3]] map[type:manual]" {
			t.Errorf("task is %v, want JSON in it", task)
		}
		next := results(t, dir, sidecar.Identity{SyncID: "s", TaskID: "t2", StartedBy: "somebody"})
		must(t, next.SaveTask(t.Context(), sidecar.TaskRecord{Status: running}))
		if task := jsonFile(t, folder, "task.json"); task["status"] != "RUNNING" || task["started_by"] != "somebody" {
			t.Errorf("another task is %v, want it RUNNING", task)
		}
	}
}

func TestSaveTaskOverADamagedOne(t *testing.T) {
	t.Parallel()
	folder := results(t, t.TempDir(), sidecar.Identity{})
	must(t, os.WriteFile(filepath.Join(folder.Path(), "task.json"), []byte(`{"status":"CANC`), 0o600))
	must(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusFailed}))
	if task := jsonFile(t, folder, "task.json"); task["status"] != "FAILED" {
		t.Errorf("task is %v, want the verdict", task)
	}
}

// TestPartialTaskFinishesItsGoodStreams: rows of streams that failed are not vouched for.
func TestPartialTaskFinishesItsGoodStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := stream("good", airbyte.FullRefresh, airbyte.Append), stream("bad", airbyte.FullRefresh, airbyte.Append)
	folder, _ := open(t, dir, nil, good, bad)
	load(t, folder, "good", sidecar.Append, row1)
	load(t, folder, "bad", sidecar.Append, row1)
	description := `{"good":{"status":"SUCCESS"},"bad":{"status":"FAILED","error":"x"}}`
	must(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusPartial, Description: description}))
	mustFail(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusPartial, Description: "prose"}), "description")
	must(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusCancelled, Description: description}))
	crash(t, folder)
	folder, _ = open(t, dir, nil, good, bad)
	rowsAre(t, folder, "good", row1)
	rowsAre(t, folder, "bad", "")
}

func TestAppendLogs(t *testing.T) {
	t.Parallel()
	folder := results(t, t.TempDir(), sidecar.Identity{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))
	must(t, folder.AppendLogs(t.Context(), []sidecar.LogRecord{{Time: at, Level: "INFO", Logger: "sidecar", Message: "50% done\n"}}))
	must(t, folder.AppendLogs(t.Context(), nil))
	must(t, folder.AppendLogs(t.Context(), []sidecar.LogRecord{{Time: at, Level: "ERROR", Logger: "source-faker", Message: "Traceback\n  line 1"}}))
	content, err := os.ReadFile(filepath.Join(folder.Path(), "log.txt"))
	must(t, err)
	want := "2026-01-02T02:04:05.006Z INFO sidecar 50% done\n2026-01-02T02:04:05.006Z ERROR source-faker Traceback\n      line 1\n"
	if string(content) != want {
		t.Errorf("log is\n%s\nwant\n%s", content, want)
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	folder := results(t, t.TempDir(), sidecar.Identity{})
	path := filepath.Join(folder.Path(), "log.txt")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Truncate(path, maxLog)) // a hole: it takes no space
	for _, message := range []string{"last", "first"} {
		must(t, folder.AppendLogs(t.Context(), []sidecar.LogRecord{{Message: message}}))
	}
	content, err := os.ReadFile(path)
	must(t, err)
	old, err := os.Stat(filepath.Join(folder.Path(), "log.old.txt"))
	must(t, err)
	if !strings.Contains(string(content), "first") || len(content) > 100 || old.Size() <= maxLog {
		t.Errorf("log is %d bytes, the old one %d", len(content), old.Size())
	}
}

// TestFilesAreForOtherToolsToRead: modes are those of any tool's files under this umask.
func TestFilesAreForOtherToolsToRead(t *testing.T) {
	t.Parallel()
	folder, _ := open(t, t.TempDir(), nil, appended)
	load(t, folder, "users", sidecar.Append, row1)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `1`, 9)}))
	must(t, folder.AppendLogs(t.Context(), []sidecar.LogRecord{{Message: "x"}}))
	must(t, folder.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusSuccess}))
	umask := os.FileMode(syscall.Umask(0o022))
	syscall.Umask(int(umask))
	must(t, filepath.WalkDir(folder.Path(), func(path string, entry os.DirEntry, err error) error {
		must(t, err)
		info, err := entry.Info()
		must(t, err)
		want := 0o644 &^ umask
		if entry.IsDir() {
			want = 0o755 &^ umask
		}
		if info.Mode().Perm() != want {
			t.Errorf("mode of %s is %o, want %o", path, info.Mode().Perm(), want)
		}
		return nil
	}))
}
