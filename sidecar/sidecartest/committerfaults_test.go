package sidecartest_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/sidecartest"
)

// faultyCommitter is a run with a committer that does one thing differently.
type faultyCommitter struct {
	*sidecartest.Committer
	load      func(ctx context.Context, load sidecar.Load) error
	together  func(ctx context.Context, loads []sidecar.Load, states []sidecar.SavedState) error
	committed func(ctx context.Context) ([]sidecar.SavedState, error)
	mirror    func(journal sidecar.Journal) sidecar.Journal
	resume    func(catalog airbyte.ConfiguredCatalog) error
	replace   func(ctx context.Context, gone []string, states []sidecar.SavedState) error
}

func (f *faultyCommitter) ReplaceStates(ctx context.Context, gone []string, states []sidecar.SavedState) error {
	if f.replace != nil {
		return f.replace(ctx, gone, states)
	}
	return f.Committer.ReplaceStates(ctx, gone, states)
}

func (f *faultyCommitter) Load(ctx context.Context, load sidecar.Load) error {
	if f.load != nil {
		return f.load(ctx, load)
	}
	return f.Committer.Load(ctx, load)
}

func (f *faultyCommitter) LoadTogether(ctx context.Context, loads []sidecar.Load, states []sidecar.SavedState) error {
	if f.together != nil {
		return f.together(ctx, loads, states)
	}
	return f.Committer.LoadTogether(ctx, loads, states)
}

func (f *faultyCommitter) Committed(ctx context.Context) ([]sidecar.SavedState, error) {
	if f.committed != nil {
		return f.committed(ctx)
	}
	return f.Committer.Committed(ctx)
}

func (f *faultyCommitter) Mirror(journal sidecar.Journal) sidecar.Journal {
	if f.mirror != nil {
		return f.mirror(journal)
	}
	return f.Committer.Mirror(journal)
}

func (f *faultyCommitter) Resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, given []sidecar.SavedState) ([]string, error) {
	if f.resume != nil {
		return nil, f.resume(catalog)
	}
	return f.Committer.Resume(ctx, catalog, given)
}

// withCommitter is a fixture of a faulty committer.
func withCommitter(spoil func(f *faultyCommitter)) func(testing.TB) sidecartest.DestinationFixture {
	return func(t testing.TB) sidecartest.DestinationFixture {
		t.Helper()
		fixture := memoryCommitter(t)
		open := fixture.Open
		fixture.Open = func() (sidecar.Destination, func()) {
			destination, end := open()
			f := &faultyCommitter{Committer: destination.(*sidecartest.Committer)}
			spoil(f)
			return f, end
		}
		return fixture
	}
}

func commitFaults() []fault[sidecartest.DestinationFixture] {
	ever := map[string]sidecar.SavedState{}
	return []fault[sidecartest.DestinationFixture]{
		{"commits the state first", "rows and their state commit together", withCommitter(func(f *faultyCommitter) {
			f.load = func(ctx context.Context, load sidecar.Load) error {
				if load.States != nil {
					if err := f.Committer.LoadTogether(ctx, nil, load.States()); err != nil {
						return err
					}
				}
				return f.Committer.Load(ctx, load)
			}
		})},
		{"commits one table after the other", "rows of several tables commit together", withCommitter(func(f *faultyCommitter) {
			f.together = func(ctx context.Context, loads []sidecar.Load, states []sidecar.SavedState) error {
				for _, load := range loads {
					if err := f.Committer.Load(ctx, load); err != nil {
						return err
					}
				}
				return f.Committer.LoadTogether(ctx, nil, states)
			}
		})},
		{"forgets what it committed", "a commit whose answer was lost is not made again", withCommitter(func(f *faultyCommitter) {
			f.load = func(ctx context.Context, load sidecar.Load) error {
				again, err := altered(ctx, load, same)
				if err != nil {
					return err
				}
				return f.Committer.Load(ctx, again)
			}
		})},
		{"mirrors nothing", "states without rows are committed too", withCommitter(func(f *faultyCommitter) {
			f.mirror = func(journal sidecar.Journal) sidecar.Journal { return journal }
		})},
		{"takes the last state for the latest", "an earlier state never takes the place of a later one", withCommitter(func(f *faultyCommitter) {
			var count int64
			f.mirror = func(journal sidecar.Journal) sidecar.Journal { return &counting{f.Committer.Mirror(journal), &count} }
			f.load = func(ctx context.Context, load sidecar.Load) error {
				count++
				number := count
				if states := load.States; states != nil {
					load.States = func() []sidecar.SavedState { return numbered(states(), number) }
				}
				return f.Committer.Load(ctx, load)
			}
		})},
		{"takes states of any kind for more", "states of another kind go as everywhere", withCommitter(func(f *faultyCommitter) {
			f.committed = func(ctx context.Context) ([]sidecar.SavedState, error) {
				states, err := f.Committer.Committed(ctx)
				for _, state := range states {
					ever[state.Key] = state
				}
				return slices.Collect(maps.Values(ever)), err
			}
			f.together = func(ctx context.Context, loads []sidecar.Load, states []sidecar.SavedState) error {
				if _, err := f.committed(ctx); err != nil {
					return err
				}
				return f.Committer.LoadTogether(ctx, loads, states)
			}
		})},
		{"lets a run go on that was replaced", "a later run ends the one before", withCommitter(func(f *faultyCommitter) {
			f.resume = func(airbyte.ConfiguredCatalog) error { return nil }
		})},
		{"lets a run go on whose states were replaced", "whoever replaces states ends the run before", withCommitter(func(f *faultyCommitter) {
			f.replace = func(ctx context.Context, gone []string, states []sidecar.SavedState) error {
				for _, key := range gone {
					states = append(states, sidecar.SavedState{Key: key, Sequence: 1 << 20})
				}
				for i := range states {
					states[i].Sequence = 1 << 20
				}
				return f.Committer.Mirror(sidecartest.NewJournal()).SaveStates(ctx, states)
			}
		})},
		{"shows a half", "a stream that starts over is seen when it is whole", withCommitter(func(f *faultyCommitter) {
			f.load = func(ctx context.Context, load sidecar.Load) error {
				if load.Mode == sidecar.ReplaceFirst {
					load.Mode = sidecar.ReplaceWhole
				}
				return f.Committer.Load(ctx, load)
			}
		})},
		{"shows a half after a kill", "a stream that starts over goes on after a kill", withCommitter(func(f *faultyCommitter) {
			f.resume = func(catalog airbyte.ConfiguredCatalog) error {
				if _, err := f.Committer.Resume(context.Background(), catalog, nil); err != nil {
					return err
				}
				return f.Finish(context.Background(), []airbyte.StreamDescriptor{{Name: "orders"}})
			}
		})},
	}
}

// counting gives states the number of their call.
type counting struct {
	sidecar.Journal
	count *int64
}

func (c *counting) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	*c.count++
	return c.Journal.SaveStates(ctx, numbered(states, *c.count))
}

func numbered(states []sidecar.SavedState, number int64) []sidecar.SavedState {
	states = slices.Clone(states)
	for i := range states {
		states[i].Sequence = number
	}
	return states
}
