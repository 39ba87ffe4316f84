package sidecartest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"sync-sidecar/sidecar"
)

// lockPromises are those of Lock and Close, and of calls at once.
func lockPromises() []promise[*journalTest] {
	return []promise[*journalTest]{
		{"a second run is told who holds the lock", (*journalTest).locked},
		{"a refused run leaves the holder's task", (*journalTest).refusedRun},
		{"Close gives the lock up", (*journalTest).unlocked},
		{"the lock ends with its process", (*journalTest).lockOfTheDead},
		{"Close may be called again", (*journalTest).closedTwice},
		{"Close obeys its ctx", (*journalTest).closedInTime},
		{"calls obey their ctx", (*journalTest).callsInTime},
		{"calls may come at once", (*journalTest).atOnce},
		{"its name shows no secret", (*journalTest).named},
	}
}

// refusal checks that a lock was refused because a task has it.
func (j *journalTest) refusal(err error, holder string) {
	j.t.Helper()
	if !errors.Is(err, sidecar.ErrLocked) || !strings.Contains(err.Error(), holder) {
		j.t.Fatalf("task %s holds the lock, and Lock says %v", holder, err)
	}
	j.discreet(err.Error())
}

// keptLock checks that a journal whose lock can be lost has it.
func (j *journalTest) keptLock(journal sidecar.Journal) {
	j.t.Helper()
	if keeper, ok := journal.(sidecar.LockKeeper); ok {
		j.must(keeper.LockError())
	}
}

func (j *journalTest) locked() {
	first, second := j.open("task-first"), j.open("task-second")
	j.must(first.Lock(j.within()))
	j.must(first.Lock(j.within())) // it is its own
	j.keptLock(first)
	j.refusal(second.Lock(j.within()), "task-first")
	j.refusal(second.Lock(j.within()), "task-first")
	other := j.openAs(identity("another sync", "task-other"))
	j.must(other.Lock(j.within()))
	j.keptLock(other)
	j.save(first, "users", `1`)
	j.holds(first, "users", `1`)
	j.keptLock(first)
}

func (j *journalTest) refusedRun() {
	first, second := j.open("task-first"), j.open("task-second")
	running := sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: `{"users":{"events":1}}`}
	j.must(first.Lock(j.within()))
	j.must(first.SaveTask(j.within(), running))
	refused := second.Lock(j.within())
	j.refusal(refused, "task-first")
	if err := second.SaveTask(j.within(), sidecar.TaskRecord{Status: sidecar.StatusFailed, Error: refused.Error()}); err != nil {
		j.refusal(err, "task-first") // there is one place for the task of a sync
	}
	j.taskIs(identity("sync", "task-first"), running)
}

func (j *journalTest) unlocked() {
	first, second := j.open("task-first"), j.open("task-second")
	j.must(first.Lock(j.within()))
	j.refusal(second.Lock(j.within()), "task-first")
	j.save(first, "users", `1`) // after the second was opened
	j.must(first.Close(j.within()))
	j.must(second.Lock(j.within()))
	j.keptLock(second)
	if states := j.load(second); states["users"] != "1" {
		j.t.Errorf("the second run loads %v, and not what the first one saved", states)
	}
	j.refusal(j.open("task-third").Lock(j.within()), "task-second")
}

func (j *journalTest) lockOfTheDead() {
	if j.Hold == nil {
		j.t.Skip("no other process can hold its lock")
	}
	kill := j.Hold(identity("sync", "task-dead"))
	next := j.open("task-next")
	j.refusal(next.Lock(j.within()), "task-dead")
	kill()
	j.locksIn(next, "a process was killed")
}

// locksIn waits until a journal can take the lock, which a server may give up a moment later.
func (j *journalTest) locksIn(journal sidecar.Journal, what string) {
	j.t.Helper()
	var err error
	j.eventually("the lock is free after "+what, func() bool {
		err = journal.Lock(j.within())
		return !errors.Is(err, sidecar.ErrLocked)
	})
	j.must(err)
}

func (j *journalTest) closedTwice() {
	for _, locks := range []bool{false, true} {
		journal := j.open("task")
		if locks {
			j.must(journal.Lock(j.within()))
		}
		for range 3 {
			j.must(journal.Close(j.within()))
		}
	}
	j.must(j.open("next").Lock(j.within()))
}

// inTime checks that a call returns although its ctx has ended, and gives its error.
func (j *journalTest) inTime(name string, call func(ctx context.Context) error) error {
	j.t.Helper()
	ctx, cancel := cancelledContext(j.t)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- call(ctx) }()
	select {
	case err := <-ended:
		if err != nil {
			j.discreet(err.Error())
		}
		return err
	case <-time.After(patience):
		j.t.Fatalf("%s does not return although its ctx has ended", name)
		return nil
	}
}

func (j *journalTest) closedInTime() {
	journal := j.Open(identity("sync", "task"))
	j.must(journal.Lock(j.within()))
	_ = j.inTime("Close", journal.Close) // it may say that it could not say goodbye
	j.locksIn(j.open("task-next"), "a journal was closed in a hurry")
}

func (j *journalTest) callsInTime() {
	journal := j.open("task")
	task := sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: `{"users":{}}`}
	for name, call := range map[string]func(ctx context.Context) error{
		"Lock":       journal.Lock,
		"LoadStates": func(ctx context.Context) error { _, err := journal.LoadStates(ctx); return err },
		"SaveResult": func(ctx context.Context) error {
			return journal.SaveResult(ctx, sidecar.Result{Command: sidecar.CommandCheck, Status: sidecar.StatusSuccess})
		},
		"AppendLogs": func(ctx context.Context) error { return journal.AppendLogs(ctx, []sidecar.LogRecord{line(1, "x")}) },
		"SaveTask":   func(ctx context.Context) error { return journal.SaveTask(ctx, task) },
	} {
		err := j.inTime(name, call)
		switch {
		case errors.Is(err, sidecar.ErrLocked):
			j.t.Errorf("%s says that another run has the lock: %v", name, err)
		case name == "SaveTask" && err == nil:
			j.taskIs(identity("sync", "task"), task)
		}
	}
	j.must(journal.Lock(j.within())) // nothing is left behind that would be in the way
	j.must(journal.SaveTask(j.within(), task))
	j.taskIs(identity("sync", "task"), task)
}

func (j *journalTest) atOnce() {
	journal := j.open("task")
	j.must(journal.Lock(j.within()))
	calls := []func(n int) error{
		func(n int) error {
			return journal.SaveStates(j.t.Context(), []sidecar.SavedState{stateOf("a", fmt.Sprint(n)), stateOf("b", fmt.Sprint(n))})
		},
		func(n int) error {
			return journal.SaveStates(j.t.Context(), []sidecar.SavedState{stateOf("b", fmt.Sprint(n)), stateOf(fmt.Sprint("c", n), `{}`)})
		},
		func(int) error { _, err := journal.LoadStates(j.t.Context()); return err },
		func(int) error {
			return journal.SaveTask(j.t.Context(), sidecar.TaskRecord{Status: sidecar.StatusRunning})
		},
		func(n int) error { return journal.AppendLogs(j.t.Context(), []sidecar.LogRecord{line(n, "at once")}) },
		func(int) error {
			return journal.SaveResult(j.t.Context(), sidecar.Result{Command: sidecar.CommandCheck, Status: sidecar.StatusSuccess})
		},
		func(int) error { return journal.Lock(j.t.Context()) },
	}
	const rounds = 20
	var all sync.WaitGroup
	for _, call := range calls {
		all.Go(func() {
			for n := range rounds {
				if err := call(n); err != nil {
					j.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if states := j.load(journal); len(states) != rounds+2 {
		j.t.Errorf("there are %d states, want %d", len(states), rounds+2)
	}
	if logs := j.Logs(identity("sync", "task")); len(logs) != rounds {
		j.t.Errorf("there are %d log lines, want %d", len(logs), rounds)
	}
	j.taskIs(identity("sync", "task"), sidecar.TaskRecord{Status: sidecar.StatusRunning})
}

func (j *journalTest) named() {
	journal := j.open("task")
	if journal.String() == "" {
		j.t.Error("it has no name")
	}
	j.discreet(fmt.Sprint(journal))
}
