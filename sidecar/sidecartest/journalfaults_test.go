package sidecartest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// journalFault is a journal that does one thing differently: what is nil is the double's.
type journalFault struct {
	*sidecartest.Journal
	lock       func(ctx context.Context) error
	loadStates func(ctx context.Context) ([]sidecar.SavedState, error)
	saveStates func(ctx context.Context, states []sidecar.SavedState) error
	saveResult func(ctx context.Context, result sidecar.Result) error
	saveTask   func(ctx context.Context, task sidecar.TaskRecord) error
	appendLogs func(ctx context.Context, logs []sidecar.LogRecord) error
	replace    func(ctx context.Context, gone []string, states []sidecar.SavedState) error
	close      func(ctx context.Context) error
	name       string
}

func (f *journalFault) Lock(ctx context.Context) error {
	if f.lock != nil {
		return f.lock(ctx)
	}
	return f.Journal.Lock(ctx)
}

func (f *journalFault) LoadStates(ctx context.Context) ([]sidecar.SavedState, error) {
	if f.loadStates != nil {
		return f.loadStates(ctx)
	}
	return f.Journal.LoadStates(ctx)
}

func (f *journalFault) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	if f.saveStates != nil {
		return f.saveStates(ctx, states)
	}
	return f.Journal.SaveStates(ctx, states)
}

func (f *journalFault) ReplaceStates(ctx context.Context, gone []string, states []sidecar.SavedState) error {
	if f.replace != nil {
		return f.replace(ctx, gone, states)
	}
	return f.Journal.ReplaceStates(ctx, gone, states)
}

func (f *journalFault) SaveResult(ctx context.Context, result sidecar.Result) error {
	if f.saveResult != nil {
		return f.saveResult(ctx, result)
	}
	return f.Journal.SaveResult(ctx, result)
}

func (f *journalFault) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	if f.saveTask != nil {
		return f.saveTask(ctx, task)
	}
	return f.Journal.SaveTask(ctx, task)
}

func (f *journalFault) AppendLogs(ctx context.Context, logs []sidecar.LogRecord) error {
	if f.appendLogs != nil {
		return f.appendLogs(ctx, logs)
	}
	return f.Journal.AppendLogs(ctx, logs)
}

func (f *journalFault) Close(ctx context.Context) error {
	if f.close != nil {
		return f.close(ctx)
	}
	return f.Journal.Close(ctx)
}

func (f *journalFault) String() string { return f.name }

// spoiltJournal is a fixture of a faulty journal; spoil is called for each that is opened, with the identity.
func spoiltJournal(spoil func(f *journalFault, identity sidecar.Identity)) func(testing.TB) sidecartest.JournalFixture {
	return func(t testing.TB) sidecartest.JournalFixture {
		t.Helper()
		fixture := memoryJournal(t)
		open := fixture.Open
		fixture.Open = func(identity sidecar.Identity) sidecar.Journal {
			f := &journalFault{Journal: open(identity).(*sidecartest.Journal), name: "faulty"}
			spoil(f, identity)
			return f
		}
		fixture.Hold = func(identity sidecar.Identity) func() {
			journal := open(identity)
			if err := journal.Lock(t.Context()); err != nil {
				t.Fatal(err)
			}
			return func() { _ = journal.Close(t.Context()) }
		}
		fixture.Secrets = []string{"s3cret"}
		return fixture
	}
}

func journalFaults() []fault[sidecartest.JournalFixture] {
	return slices.Concat(stateFaults(), recordFaults(), lockFaults())
}

// savingStates is a fixture of a journal that saves states in another way.
func savingStates(save func(ctx context.Context, f *journalFault, states []sidecar.SavedState) error) func(testing.TB) sidecartest.JournalFixture {
	return spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
		f.saveStates = func(ctx context.Context, states []sidecar.SavedState) error { return save(ctx, f, states) }
	})
}

// oneByOne saves each state by itself.
func oneByOne(ctx context.Context, f *journalFault, states []sidecar.SavedState) error {
	for _, state := range states {
		if err := f.Journal.SaveStates(ctx, []sidecar.SavedState{state}); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// incrementally is a fixture of a journal that takes every STREAM state for that of one of so many incremental streams.
func incrementally(streams int) func(testing.TB) sidecartest.JournalFixture {
	return savingStates(func(ctx context.Context, f *journalFault, states []sidecar.SavedState) error {
		states = slices.Clone(states)
		for i := range states {
			states[i].Incremental = streams
		}
		return f.Journal.SaveStates(ctx, states)
	})
}

func stateFaults() []fault[sidecartest.JournalFixture] {
	dropping := func(drop func(f *journalFault, state sidecar.SavedState) bool) func(testing.TB) sidecartest.JournalFixture {
		return savingStates(func(ctx context.Context, f *journalFault, states []sidecar.SavedState) error {
			return f.Journal.SaveStates(ctx, slices.DeleteFunc(slices.Clone(states), func(state sidecar.SavedState) bool { return drop(f, state) }))
		})
	}
	return []fault[sidecartest.JournalFixture]{
		{"keeps the first state of a key", "a later state takes the place of the earlier one of its key",
			dropping(func(f *journalFault, state sidecar.SavedState) bool { return f.States()[state.Key] != "" })},
		{"takes null for nothing", "null takes a state away",
			dropping(func(_ *journalFault, state sidecar.SavedState) bool {
				return strings.TrimSpace(string(state.State)) == "null"
			})},
		{"decodes states", "states come back as the JSON that they were",
			savingStates(func(ctx context.Context, f *journalFault, states []sidecar.SavedState) error {
				states = slices.Clone(states)
				for i := range states {
					var value any
					if json.Unmarshal(states[i].State, &value) == nil {
						states[i].State, _ = json.Marshal(value)
					}
				}
				return f.Journal.SaveStates(ctx, states)
			})},
		{"saves what comes before a refusal", "all states are saved or none", savingStates(oneByOne)},
		{"saves one by one", "states that belong together are seen together", savingStates(oneByOne)},
		{"does not tell what it refuses", "all states are saved or none",
			savingStates(func(ctx context.Context, f *journalFault, states []sidecar.SavedState) error {
				if f.Journal.SaveStates(ctx, states) != nil {
					return errTest
				}
				return nil
			})},
		{"keeps states of every kind", "a GLOBAL state takes the place of earlier runs' states", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.loadStates = func(context.Context) ([]sidecar.SavedState, error) {
				all := map[string]sidecar.SavedState{}
				for _, state := range f.Saved() {
					all[state.Key] = state
				}
				var states []sidecar.SavedState
				for _, state := range all {
					states = append(states, state)
				}
				return states, nil
			}
		})},
		{"takes a full refresh for an incremental stream", "a full refresh's state takes no other's place", incrementally(1)},
		{"waits for a stream that does not come", "a GLOBAL state goes when every stream has its own", incrementally(9)},
		{"takes a LEGACY state for a GLOBAL one", "a LEGACY state takes no other's place",
			savingStates(func(ctx context.Context, f *journalFault, states []sidecar.SavedState) error {
				states = slices.Clone(states)
				for i := range states {
					if states[i].Key == sidecar.LegacyStateKey {
						states[i].Key = sidecar.GlobalStateKey
					}
				}
				return f.Journal.SaveStates(ctx, states)
			})},
		{"takes syncs of like names for one", "states are of one sync", oneCase},
		{"replaces as a run saves", "states that a person replaces are replaced all at once", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.replace = func(ctx context.Context, gone []string, states []sidecar.SavedState) error {
				for _, key := range gone {
					states = append([]sidecar.SavedState{{Key: key}}, states...)
				}
				return f.Journal.SaveStates(ctx, states)
			}
		})},
		{"takes away first", "states that a person replaces are replaced all at once", spoiltJournal(func(f *journalFault, _ sidecar.Identity) {
			f.replace = func(ctx context.Context, gone []string, states []sidecar.SavedState) error {
				return errors.Join(f.Journal.ReplaceStates(ctx, gone, nil), f.Journal.ReplaceStates(ctx, nil, states))
			}
		})},
		{"drops large states", "large and many states are kept",
			dropping(func(_ *journalFault, state sidecar.SavedState) bool { return len(state.State) > 100_000 })},
		{"saves half of a save that was cancelled", "a cancelled save saves all states or none",
			savingStates(func(ctx context.Context, f *journalFault, states []sidecar.SavedState) error {
				if ctx.Err() == nil {
					return f.Journal.SaveStates(ctx, states)
				}
				return errors.Join(ctx.Err(), f.Journal.SaveStates(context.WithoutCancel(ctx), states[:1]))
			})},
	}
}

// oneCase is a fixture of a journal that does not tell capitals.
func oneCase(t testing.TB) sidecartest.JournalFixture {
	t.Helper()
	fixture := memoryJournal(t)
	open := fixture.Open
	fixture.Open = func(identity sidecar.Identity) sidecar.Journal {
		identity.SyncID = strings.ToLower(identity.SyncID)
		return open(identity)
	}
	return fixture
}
