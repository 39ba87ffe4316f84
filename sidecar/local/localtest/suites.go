// Package localtest runs the conformance suites on the local folder, whoever opens it: in its own process, or on another machine. It opens the files
// as a person, or jq, does, and knows their names and what is in them from the docs, not from package local.
package localtest

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// Folder is what the suites need of one.
type Folder interface {
	sidecar.Destination
	sidecar.Journal
	Mirror(sidecar.Journal) sidecar.Journal
}

// Subject opens the folder of a sync below a directory, and says where it has its files.
type Subject struct {
	Open func(t testing.TB, dir string, identity sidecar.Identity) Folder
	// Dir is the folder of the sync.
	Dir func(dir string, identity sidecar.Identity) string
	// RowsFile is the name of a stream's file in it.
	RowsFile func(stream sidecar.StreamConfig) string
	// LockHolder is the name of the test that calls sidecartest.HoldLock.
	LockHolder string
}

// Verify runs the suites.
func Verify(t *testing.T, s Subject) {
	t.Helper()
	t.Run("destination", func(t *testing.T) { sidecartest.VerifyDestination(t, s.destination) })
	t.Run("journal", func(t *testing.T) { sidecartest.VerifyJournal(t, s.journal) })
	t.Run("mirror", func(t *testing.T) { sidecartest.VerifyJournal(t, s.mirror) })
}

// destination looks into the files of rows.
func (s Subject) destination(t testing.TB) sidecartest.DestinationFixture {
	t.Helper()
	dir, identity := t.TempDir(), sidecar.Identity{SyncID: "sync", TaskID: "task"}
	return sidecartest.DestinationFixture{
		Open: func() (sidecar.Destination, func()) {
			folder := s.Open(t, dir, identity)
			return folder, func() { must(t, folder.Close(context.WithoutCancel(t.Context()))) }
		},
		Rows: func(stream sidecar.StreamConfig) ([]string, error) {
			content, err := os.ReadFile(filepath.Join(s.Dir(dir, identity), s.RowsFile(stream)))
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return slices.Collect(strings.Lines(string(content))), err
		},
		Merges: sidecartest.MergesAtFinish,
	}
}

// mirror is another journal with the folder's own record beside it: the folder takes nothing from it.
func (s Subject) mirror(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	dir, elsewhere := t.TempDir(), sidecartest.NewJournal()
	return sidecartest.JournalFixture{
		Open: func(identity sidecar.Identity) sidecar.Journal {
			return s.Open(t, dir, identity).Mirror(elsewhere.Reopen(identity))
		},
		Task:   func(identity sidecar.Identity) sidecar.TaskRecord { return elsewhere.Reopen(identity).Task() },
		Result: func(_ sidecar.Identity, command sidecar.Command) sidecar.Result { return elsewhere.Result(command) },
		Logs:   func(sidecar.Identity) []sidecar.LogRecord { return elsewhere.Logs() },
	}
}

// journal looks into the folder's other files.
func (s Subject) journal(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	dir := t.TempDir()
	return sidecartest.JournalFixture{
		Open:    func(identity sidecar.Identity) sidecar.Journal { return s.Open(t, dir, identity) },
		Refuses: []byte(`{broken`),
		Task: func(identity sidecar.Identity) sidecar.TaskRecord {
			return task(t, s.Dir(dir, identity), identity.TaskID)
		},
		Result: func(identity sidecar.Identity, command sidecar.Command) sidecar.Result {
			return result(t, s.Dir(dir, identity), command)
		},
		Logs: func(identity sidecar.Identity) []sidecar.LogRecord { return logLines(t, s.Dir(dir, identity)) },
		Hold: func(identity sidecar.Identity) func() {
			return sidecartest.HoldInProcess(t, s.LockHolder, dir, identity)
		},
	}
}

// task is what task.json says of a task.
func task(t testing.TB, dir, id string) sidecar.TaskRecord {
	t.Helper()
	var shown struct {
		TaskID        string `json:"task_id"`
		Status, Error string
		Streams       json.RawMessage
	}
	readFile(t, dir, "task.json", &shown)
	if shown.TaskID != id {
		return sidecar.TaskRecord{}
	}
	return sidecar.TaskRecord{Status: sidecar.Status(shown.Status), Error: shown.Error, Description: string(shown.Streams)}
}

// result is what the files of a command say.
func result(t testing.TB, dir string, command sidecar.Command) sidecar.Result {
	t.Helper()
	names := map[sidecar.Command][2]string{
		sidecar.CommandSpec: {"spec.status.json", "spec.json"}, sidecar.CommandCheck: {"check.json"},
		sidecar.CommandDiscover: {"catalog.status.json", "catalog.json"},
	}[command]
	var shown struct{ Status, Message string }
	readFile(t, dir, names[0], &shown)
	kept := sidecar.Result{Command: command, Status: sidecar.Status(shown.Status), Message: shown.Message}
	if names[1] != "" {
		readFile(t, dir, names[1], &kept.Payload)
	}
	return kept
}

// logLines are the lines of log.txt; further lines of a message are indented.
func logLines(t testing.TB, dir string) []sidecar.LogRecord {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "log.txt"))
	must(t, err)
	var logs []sidecar.LogRecord
	for _, text := range strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(content), "\n    ", "\r"), "\n"), "\n") {
		parts := strings.SplitN(text, " ", 4)
		at, err := time.Parse(time.RFC3339, parts[0])
		must(t, err)
		logs = append(logs, sidecar.LogRecord{Time: at, Level: parts[1], Logger: parts[2], Message: strings.ReplaceAll(parts[3], "\r", "\n")})
	}
	return logs
}

// readFile reads one of the folder's JSON files, if it is there.
func readFile(t testing.TB, dir, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	must(t, err)
	must(t, json.Unmarshal(content, into))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
