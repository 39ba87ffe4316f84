package remote

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
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/sidecartest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("destination", func(t *testing.T) { sidecartest.VerifyDestination(t, destinationFixture) })
	t.Run("journal", func(t *testing.T) { sidecartest.VerifyJournal(t, journalFixture) })
	t.Run("mirror", func(t *testing.T) { sidecartest.VerifyJournal(t, mirrorFixture) })
}

// TestLockHolder is the process of "the lock ends with its process".
func TestLockHolder(t *testing.T) { //nolint:paralleltest // it is alone in its process
	sidecartest.HoldLock(t, func(t testing.TB, dir string, identity sidecar.Identity) sidecar.Journal {
		t.Helper()
		folder, err := local.Open(t.Context(), local.Options{Dir: dir, Identity: identity})
		must(t, err)
		return folder
	})
}

// destinationFixture looks into the files of rows.
func destinationFixture(t testing.TB) sidecartest.DestinationFixture {
	t.Helper()
	dir, identity := t.TempDir(), sidecar.Identity{SyncID: "sync", TaskID: "task"}
	return sidecartest.DestinationFixture{
		Open: func() (sidecar.Destination, func()) {
			r := newRig(t, dir, identity, nil)
			folder := r.open()
			return folder, func() { must(t, folder.Close(context.WithoutCancel(t.Context()))) }
		},
		Rows: func(stream sidecar.StreamConfig) ([]string, error) {
			content, err := os.ReadFile(filepath.Join(local.Dir(dir, identity), local.RowsFile(stream.Table.Stream)))
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return slices.Collect(strings.Lines(string(content))), err
		},
		Merges: sidecartest.MergesAtFinish,
	}
}

// mirrorFixture is another journal with the folder's own record beside it: the folder takes nothing from it.
func mirrorFixture(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	dir, elsewhere := t.TempDir(), sidecartest.NewJournal()
	return sidecartest.JournalFixture{
		Open: func(identity sidecar.Identity) sidecar.Journal {
			return newRig(t, dir, identity, nil).open().Mirror(elsewhere.Reopen(identity))
		},
		Task:   func(identity sidecar.Identity) sidecar.TaskRecord { return elsewhere.Reopen(identity).Task() },
		Result: func(_ sidecar.Identity, command sidecar.Command) sidecar.Result { return elsewhere.Result(command) },
		Logs:   func(sidecar.Identity) []sidecar.LogRecord { return elsewhere.Logs() },
	}
}

// journalFixture looks into the folder's other files as a person, or jq, does (package local says what is in them).
func journalFixture(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	dir := t.TempDir()
	return sidecartest.JournalFixture{
		Open:    func(identity sidecar.Identity) sidecar.Journal { return newRig(t, dir, identity, nil).open() },
		Refuses: []byte(`{broken`),
		Task: func(identity sidecar.Identity) sidecar.TaskRecord {
			var shown struct {
				TaskID        string `json:"task_id"`
				Status, Error string
				Streams       json.RawMessage
			}
			readFile(t, local.Dir(dir, identity), "task.json", &shown)
			if shown.TaskID != identity.TaskID {
				return sidecar.TaskRecord{}
			}
			return sidecar.TaskRecord{Status: sidecar.Status(shown.Status), Error: shown.Error, Description: string(shown.Streams)}
		},
		Result: func(identity sidecar.Identity, command sidecar.Command) sidecar.Result {
			names := map[sidecar.Command][2]string{
				sidecar.CommandSpec: {"spec.status.json", "spec.json"}, sidecar.CommandCheck: {"check.json"},
				sidecar.CommandDiscover: {"catalog.status.json", "catalog.json"},
			}[command]
			result := sidecar.Result{Command: command}
			var shown struct{ Status, Message string }
			readFile(t, local.Dir(dir, identity), names[0], &shown)
			result.Status, result.Message = sidecar.Status(shown.Status), shown.Message
			if names[1] != "" {
				readFile(t, local.Dir(dir, identity), names[1], &result.Payload)
			}
			return result
		},
		Logs: func(identity sidecar.Identity) []sidecar.LogRecord { return logLines(t, local.Dir(dir, identity)) },
		Hold: func(identity sidecar.Identity) func() {
			return sidecartest.HoldInProcess(t, "TestLockHolder", dir, identity)
		},
	}
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
