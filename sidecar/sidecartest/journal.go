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
	// +checklocks:memory.mu
	kinds sidecar.StateKinds
}

var (
	_ sidecar.Journal       = (*Journal)(nil)
	_ sidecar.StateReplacer = (*Journal)(nil)
)

// memory is what journals remember together.
type memory struct {
	mu sync.Mutex
	// +checklocks:mu
	locks map[string]*Journal // by SyncID
	// +checklocks:mu
	states map[string]map[string]sidecar.SavedState // by SyncID and key
	// +checklocks:mu
	saved []sidecar.SavedState // all, in the order of their saves
	// +checklocks:mu
	tasks map[string][]sidecar.TaskRecord // by TaskID
	// +checklocks:mu
	results []sidecar.Result
	// +checklocks:mu
	logs []sidecar.LogRecord
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

// before calls a hook, and says why what follows is not to be done.
func before[T any](ctx context.Context, hook func(context.Context, T) error, given T) error {
	if hook != nil {
		if err := hook(ctx, given); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Lock implements sidecar.Journal.
func (j *Journal) Lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	if holder := j.memory.locks[j.identity.SyncID]; holder != nil && holder != j {
		return fmt.Errorf("%w, by task %s", sidecar.ErrLocked, holder.identity.TaskID)
	}
	j.memory.locks[j.identity.SyncID] = j
	return nil
}

// LoadStates implements sidecar.Journal.
func (j *Journal) LoadStates(ctx context.Context) ([]sidecar.SavedState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	return slices.Collect(maps.Values(j.memory.states[j.identity.SyncID])), nil
}

// SaveStates implements sidecar.Journal. It refuses what is not JSON.
func (j *Journal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	if err := before(ctx, j.OnSaveStates, states); err != nil {
		return err
	}
	for _, state := range states {
		if len(state.State) > 0 && !json.Valid(state.State) {
			return fmt.Errorf("%w: %q is not JSON", sidecar.ErrStateRefused, state.Key)
		}
	}
	j.keep(states)
	return nil
}

// ReplaceStates implements sidecar.StateReplacer.
func (j *Journal) ReplaceStates(ctx context.Context, gone []string, states []sidecar.SavedState) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, state := range states {
		if !json.Valid(state.State) {
			return fmt.Errorf("%w: %q is not JSON", sidecar.ErrStateRefused, state.Key)
		}
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	kept := maps.Clone(j.memory.states[j.identity.SyncID])
	if kept == nil {
		kept = map[string]sidecar.SavedState{}
	}
	for _, key := range gone {
		delete(kept, key)
	}
	for _, state := range states {
		kept[state.Key] = state
	}
	j.memory.states[j.identity.SyncID] = kept
	return nil
}

// keep makes states the saved ones, and lets others go.
func (j *Journal) keep(states []sidecar.SavedState) {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
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
	if err := before(ctx, j.OnSaveResult, result); err != nil {
		return err
	}
	switch result.Command {
	case sidecar.CommandSpec, sidecar.CommandCheck, sidecar.CommandDiscover:
		j.memory.mu.Lock()
		defer j.memory.mu.Unlock()
		j.memory.results = append(j.memory.results, result)
		return nil
	}
	return fmt.Errorf("%q has no result", result.Command)
}

// SaveTask implements sidecar.Journal.
func (j *Journal) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	if err := before(ctx, j.OnSaveTask, task); err != nil {
		return err
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	tasks := j.memory.tasks[j.identity.TaskID]
	if len(tasks) == 0 || mayFollow(tasks[len(tasks)-1].Status, task.Status) {
		j.memory.tasks[j.identity.TaskID] = append(tasks, task)
	}
	return nil
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
	if err := before(ctx, j.OnAppendLogs, logs); err != nil {
		return err
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	j.memory.logs = append(j.memory.logs, logs...)
	return nil
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
