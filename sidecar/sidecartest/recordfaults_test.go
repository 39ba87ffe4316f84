package sidecartest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// lastTasks is a fixture of a journal that keeps the last record of a task, whatever was there.
func lastTasks(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	var last sync.Map // by TaskID
	fixture := spoiltJournal(func(f *journalFault, identity sidecar.Identity) {
		f.saveTask = func(_ context.Context, task sidecar.TaskRecord) error {
			last.Store(identity.TaskID, task)
			return nil
		}
	})(t)
	fixture.Task = func(identity sidecar.Identity) sidecar.TaskRecord {
		task, _ := last.Load(identity.TaskID)
		record, _ := task.(sidecar.TaskRecord)
		return record
	}
	return fixture
}

// lastResult is a fixture of a journal that forgets what a success brought.
func lastResult(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	fixture := memoryJournal(t)
	seen := fixture.Result
	fixture.Result = func(identity sidecar.Identity, command sidecar.Command) sidecar.Result {
		result := seen(identity, command)
		if result.Status != sidecar.StatusSuccess {
			result.Payload = nil
		}
		return result
	}
	return fixture
}

func recordFaults() []fault[sidecartest.JournalFixture] {
	logging := func(alter func(logs []sidecar.LogRecord) []sidecar.LogRecord) func(testing.TB) sidecartest.JournalFixture {
		return spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.appendLogs = func(ctx context.Context, logs []sidecar.LogRecord) error {
				return f.Journal.AppendLogs(ctx, alter(slices.Clone(logs)))
			}
		})
	}
	return []fault[sidecartest.JournalFixture]{
		{"keeps no description", "a task is what was saved last", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.saveTask = func(ctx context.Context, task sidecar.TaskRecord) error {
				task.Description = ""
				return f.Journal.SaveTask(ctx, task)
			}
		})},
		{"lets RUNNING replace an end", "CANCELLED stays, and no end becomes RUNNING", lastTasks},
		{"lets a late writer undo CANCELLED", "a cancel wins whatever the order", lastTasks},
		{"forgets the catalog", "a catalog stays until there is another", lastResult},
		{"forgets the spec", "a spec stays until there is another", lastResult},
		{"keeps the first check", "a check is the last one", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.saveResult = func(ctx context.Context, result sidecar.Result) error {
				if result.Command == sidecar.CommandCheck && len(f.Results()) > 0 {
					return nil
				}
				return f.Journal.SaveResult(ctx, result)
			}
		})},
		{"takes any result", "read has no result", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.saveResult = func(context.Context, sidecar.Result) error { return nil }
		})},
		{"turns log lines round", "log lines are kept in their order", logging(func(logs []sidecar.LogRecord) []sidecar.LogRecord {
			slices.Reverse(logs)
			return logs
		})},
		{"drops log lines with NUL", "log lines of any kind are kept", logging(func(logs []sidecar.LogRecord) []sidecar.LogRecord {
			return slices.DeleteFunc(logs, func(line sidecar.LogRecord) bool { return strings.Contains(line.Message, "\x00") })
		})},
	}
}

// hurried is a fixture of a journal that nobody can lock any more once one was closed in a hurry.
func hurried(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	var broken atomic.Bool
	return spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
		f.close = func(ctx context.Context) error {
			if ctx.Err() != nil {
				broken.Store(true)
			}
			return f.Journal.Close(ctx)
		}
		f.lock = func(ctx context.Context) error {
			if broken.Load() {
				return errTest
			}
			return f.Journal.Lock(ctx)
		}
	})(t)
}

func lockFaults() []fault[sidecartest.JournalFixture] {
	locking := func(lock func(ctx context.Context, f *journalFault) error) func(testing.TB) sidecartest.JournalFixture {
		return spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.lock = func(ctx context.Context) error { return lock(ctx, f) }
		})
	}
	unlocked := locking(func(context.Context, *journalFault) error { return nil })
	anonymous := func(ctx context.Context, f *journalFault) error {
		if f.Journal.Lock(ctx) != nil {
			return sidecar.ErrLocked
		}
		return nil
	}
	closing := func(end func(ctx context.Context, f *journalFault, closed int) error) func(testing.TB) sidecartest.JournalFixture {
		return spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			closed := 0
			f.close = func(ctx context.Context) error { closed++; return end(ctx, f, closed) }
		})
	}
	return []fault[sidecartest.JournalFixture]{
		{"locks nothing", "a second run is told who holds the lock", unlocked},
		{"does not name the holder", "a second run is told who holds the lock", locking(anonymous)},
		{"does not lock before another run", "the lock ends with its process", unlocked},
		{"writes into the task of another run", "a refused run leaves the holder's task", spoiltJournal(func(f *journalFault, id sidecar.Identity) {
			f.saveTask = func(ctx context.Context, task sidecar.TaskRecord) error {
				id.TaskID = "task-first"
				return f.Reopen(id).SaveTask(ctx, task)
			}
		})},
		{"keeps the lock after Close", "Close gives the lock up", closing(func(context.Context, *journalFault, int) error { return nil })},
		{"fails to close twice", "Close may be called again", closing(func(ctx context.Context, f *journalFault, closed int) error {
			if closed > 1 {
				return errTest
			}
			return f.Journal.Close(ctx)
		})},
		{"fails to give the lock up in a hurry", "Close obeys its ctx", hurried},
		{"says that it saved when it was cancelled", "calls obey their ctx", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.saveTask = func(ctx context.Context, task sidecar.TaskRecord) error {
				if ctx.Err() == nil {
					return f.Journal.SaveTask(ctx, task)
				}
				return nil
			}
		})},
		{"takes one call at a time", "calls may come at once", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			var busy sync.Mutex
			f.saveStates = func(ctx context.Context, states []sidecar.SavedState) error {
				if !busy.TryLock() {
					return fmt.Errorf("busy: %w", errTest)
				}
				defer busy.Unlock()
				time.Sleep(time.Millisecond)
				return f.Journal.SaveStates(ctx, states)
			}
		})},
		{"is a journal named after its password", "its name shows no secret",
			spoiltJournal(func(f *journalFault, _ sidecar.Identity) { f.name = "s3cret" })},
	}
}
