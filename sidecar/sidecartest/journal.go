package sidecartest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"sync-sidecar/sidecar"
)

// Journal is a sidecar.Journal in memory. A nil hook does nothing; hooks are set before the first use, called without a lock before the journal does
// what it was asked for, and their errors are the journal's.
type Journal struct {
	OnSaveStates func(context.Context, []sidecar.SavedState) error
	OnSaveTask   func(context.Context, sidecar.TaskRecord) error
	OnSaveResult func(context.Context, sidecar.Result) error
	OnAppendLogs func(context.Context, []sidecar.LogRecord) error

	identity sidecar.Identity
	memory   *memory
	kinds    sidecar.StateKinds // guarded by memory.mu
}

var _ sidecar.Journal = (*Journal)(nil)

// memory is what journals remember together.
type memory struct {
	mu      sync.Mutex
	locks   map[string]*Journal                      // by SyncID
	states  map[string]map[string]sidecar.SavedState // by SyncID and key
	saved   []sidecar.SavedState                     // all, in the order of their saves
	tasks   map[string][]sidecar.TaskRecord          // by TaskID
	results []sidecar.Result
	logs    []sidecar.LogRecord
}

// NewJournal is an empty journal of a sync "sync" and its task "task".
func NewJournal() *Journal {
	return &Journal{
		identity: sidecar.Identity{SyncID: "sync", TaskID: "task"},
		memory: &memory{
			locks: map[string]*Journal{}, states: map[string]map[string]sidecar.SavedState{}, tasks: map[string][]sidecar.TaskRecord{},
		},
	}
}

// Reopen is the journal as another run opens it: it remembers the same, and has no hooks.
func (j *Journal) Reopen(identity sidecar.Identity) *Journal {
	return &Journal{identity: identity, memory: j.memory}
}

// States are the states of the sync as they were sent, by key.
func (j *Journal) States() map[string]string {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	states := map[string]string{}
	for key, state := range j.memory.states[j.identity.SyncID] {
		states[key] = string(state.State)
	}
	return states
}

// Saved are all states that were ever saved, of any sync, in their order.
func (j *Journal) Saved() []sidecar.SavedState {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	return slices.Clone(j.memory.saved)
}

// Tasks are the records of the task, in the order in which they took each other's place.
func (j *Journal) Tasks() []sidecar.TaskRecord {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	return slices.Clone(j.memory.tasks[j.identity.TaskID])
}

// Task is the record of the task; the zero one when there is none.
func (j *Journal) Task() sidecar.TaskRecord {
	if tasks := j.Tasks(); len(tasks) > 0 {
		return tasks[len(tasks)-1]
	}
	return sidecar.TaskRecord{}
}

// Results are all results that were saved.
func (j *Journal) Results() []sidecar.Result {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	return slices.Clone(j.memory.results)
}

// Result is the last result of a command, with the payload of the last success.
func (j *Journal) Result(command sidecar.Command) sidecar.Result {
	var last sidecar.Result
	for _, result := range j.Results() {
		if result.Command != command {
			continue
		}
		if result.Status != sidecar.StatusSuccess {
			result.Payload = last.Payload
		}
		last = result
	}
	return last
}

// Logs are all log lines.
func (j *Journal) Logs() []sidecar.LogRecord {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	return slices.Clone(j.memory.logs)
}

// do lets a hook go before an action.
func do[T any](ctx context.Context, j *Journal, hook func(context.Context, T) error, given T, action func(m *memory) error) error {
	if hook != nil {
		if err := hook(ctx, given); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	return action(j.memory)
}

// Lock implements sidecar.Journal.
func (j *Journal) Lock(ctx context.Context) error {
	return do(ctx, j, nil, j.identity, func(m *memory) error {
		if holder := m.locks[j.identity.SyncID]; holder != nil && holder != j {
			return fmt.Errorf("%w, by task %s", sidecar.ErrLocked, holder.identity.TaskID)
		}
		m.locks[j.identity.SyncID] = j
		return nil
	})
}

// LoadStates implements sidecar.Journal.
func (j *Journal) LoadStates(ctx context.Context) (states []sidecar.SavedState, err error) {
	err = do(ctx, j, nil, j.identity, func(m *memory) error {
		states = slices.Collect(maps.Values(m.states[j.identity.SyncID]))
		return nil
	})
	return states, err
}

// SaveStates implements sidecar.Journal. It refuses what is not JSON.
func (j *Journal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	return do(ctx, j, j.OnSaveStates, states, func(*memory) error {
		for _, state := range states {
			if len(state.State) > 0 && !json.Valid(state.State) {
				return fmt.Errorf("%w: %q is not JSON", sidecar.ErrStateRefused, state.Key)
			}
		}
		j.keep(states)
		return nil
	})
}

// keep makes states the saved ones, and lets others go. The caller holds the memory's mu.
func (j *Journal) keep(states []sidecar.SavedState) {
	kept := j.memory.states[j.identity.SyncID]
	if kept == nil {
		kept = map[string]sidecar.SavedState{}
		j.memory.states[j.identity.SyncID] = kept
	}
	saving, gone := j.kinds.Plan(states).Settle(slices.Collect(maps.Keys(kept)))
	for _, key := range gone {
		delete(kept, key)
	}
	for _, state := range saving {
		state.State = slices.Clone(state.State)
		kept[state.Key] = state
	}
	j.kinds.Saved(states)
	j.memory.saved = append(j.memory.saved, states...)
}

// SaveResult implements sidecar.Journal.
func (j *Journal) SaveResult(ctx context.Context, result sidecar.Result) error {
	return do(ctx, j, j.OnSaveResult, result, func(m *memory) error {
		switch result.Command {
		case sidecar.CommandSpec, sidecar.CommandCheck, sidecar.CommandDiscover:
			m.results = append(m.results, result)
			return nil
		}
		return fmt.Errorf("%q has no result", result.Command)
	})
}

// SaveTask implements sidecar.Journal.
func (j *Journal) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	return do(ctx, j, j.OnSaveTask, task, func(m *memory) error {
		tasks := m.tasks[j.identity.TaskID]
		if len(tasks) == 0 || mayFollow(tasks[len(tasks)-1].Status, task.Status) {
			m.tasks[j.identity.TaskID] = append(tasks, task)
		}
		return nil
	})
}

// mayFollow says whether a status may take the place of another.
func mayFollow(before, after sidecar.Status) bool {
	switch before {
	case sidecar.StatusPending, sidecar.StatusRunning:
		return true
	case sidecar.StatusCancelled:
		return after == sidecar.StatusCancelled
	}
	return after != sidecar.StatusPending && after != sidecar.StatusRunning
}

// AppendLogs implements sidecar.Journal.
func (j *Journal) AppendLogs(ctx context.Context, logs []sidecar.LogRecord) error {
	return do(ctx, j, j.OnAppendLogs, logs, func(m *memory) error {
		m.logs = append(m.logs, logs...)
		return nil
	})
}

// Close implements sidecar.Journal.
func (j *Journal) Close(context.Context) error {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	if j.memory.locks[j.identity.SyncID] == j {
		delete(j.memory.locks, j.identity.SyncID)
	}
	return nil
}

// String implements sidecar.Journal.
func (j *Journal) String() string { return "journal in memory" }
