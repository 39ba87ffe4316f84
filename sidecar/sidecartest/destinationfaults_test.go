package sidecartest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// faulty is a destination that does one thing differently.
type faulty struct {
	*sidecartest.Destination
	load  func(ctx context.Context, load sidecar.Load) error
	place func(tables []sidecar.Table) ([]sidecar.Placement, error)
	name  string
}

func (f *faulty) Load(ctx context.Context, load sidecar.Load) error {
	if f.load != nil {
		return f.load(ctx, load)
	}
	return f.Destination.Load(ctx, load)
}

func (f *faulty) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	if f.place != nil {
		return f.place(tables)
	}
	return f.Destination.Place(tables)
}

func (f *faulty) String() string { return f.name }

// spoilt is a fixture of a faulty destination.
func spoilt(spoil func(f *faulty)) func(testing.TB) sidecartest.DestinationFixture {
	return func(t testing.TB) sidecartest.DestinationFixture {
		t.Helper()
		var f *faulty
		fixture := memoryDestination(func(d *sidecartest.Destination) { f = &faulty{Destination: d, name: "faulty"} })(t)
		spoil(f)
		fixture.Open = func() (sidecar.Destination, func()) { return f, func() {} }
		fixture.Secrets = []string{"s3cret"}
		if f.MergeByKey {
			fixture.Merges = sidecartest.MergesAtLoad
		}
		return fixture
	}
}

// loading is a fixture of a destination whose Load is another one.
func loading(load func(ctx context.Context, f *faulty, load sidecar.Load) error) func(testing.TB) sidecartest.DestinationFixture {
	return spoilt(func(f *faulty) {
		f.load = func(ctx context.Context, given sidecar.Load) error { return load(ctx, f, given) }
	})
}

// merging is a fixture of a destination that merges, or not, and says something else.
func merging(merges bool, says sidecartest.Merge) func(testing.TB) sidecartest.DestinationFixture {
	return func(t testing.TB) sidecartest.DestinationFixture {
		t.Helper()
		fixture := memoryDestination(func(d *sidecartest.Destination) { d.MergeByKey = merges })(t)
		fixture.Merges = says
		return fixture
	}
}

// altered is a load with other rows, which were read already.
func altered(ctx context.Context, load sidecar.Load, alter func(rows []string) []string) (sidecar.Load, error) {
	reader, err := load.Rows.Open(ctx)
	if err != nil {
		return load, err
	}
	defer reader.Close()
	text, err := io.ReadAll(reader)
	var rows []string
	for row := range strings.Lines(string(text)) {
		rows = append(rows, strings.TrimSuffix(row, "\n"))
	}
	load.Rows = sidecartest.NewRows(alter(rows)...)
	return load, err
}

// altering is a fixture of a destination that changes the rows of some loads.
func altering(which func(load sidecar.Load) bool, alter func(rows []string) []string) func(testing.TB) sidecartest.DestinationFixture {
	return loading(func(ctx context.Context, f *faulty, load sidecar.Load) error {
		if which(load) {
			var err error
			if load, err = altered(ctx, load, alter); err != nil {
				return err
			}
		}
		return f.Destination.Load(ctx, load)
	})
}

func every(sidecar.Load) bool { return true }

func empty(load sidecar.Load) bool { return load.Rows.Complete() && load.Rows.Count() == 0 }

func same(rows []string) []string { return rows }

// first keeps what can be kept of rows.
func first(rows []string, count int) []string { return rows[:min(len(rows), count)] }

func destinationFaults() []fault[sidecartest.DestinationFixture] {
	return slices.Concat(loadFaults(), failureFaults(), otherFaults(), commitFaults())
}

func loadFaults() []fault[sidecartest.DestinationFixture] {
	another := func(from, to sidecar.Mode) func(testing.TB) sidecartest.DestinationFixture {
		return loading(func(ctx context.Context, f *faulty, load sidecar.Load) error {
			if load.Mode == from {
				load.Mode = to
			}
			return f.Destination.Load(ctx, load)
		})
	}
	return []fault[sidecartest.DestinationFixture]{
		{"keeps nothing", "an acknowledged load is there", altering(every, func([]string) []string { return nil })},
		{"takes equal rows for one", "Append adds every row", altering(every, func(rows []string) []string { return slices.Compact(rows) })},
		{"takes ReplaceFirst for Append", "ReplaceFirst starts over", another(sidecar.ReplaceFirst, sidecar.Append)},
		{"takes ReplaceWhole for Append", "ReplaceWhole takes the place of all rows", another(sidecar.ReplaceWhole, sidecar.Append)},
		{"empties a table before it has the rows", "ReplaceWhole is seen when it is whole",
			loading(func(ctx context.Context, f *faulty, load sidecar.Load) error {
				if load.Mode == sidecar.ReplaceWhole {
					f.Can.ReplaceEmpty = true
					if err := f.Destination.Load(ctx, sidecar.Load{Table: load.Table, Mode: load.Mode, Rows: sidecartest.NewRows()}); err != nil {
						return err
					}
				}
				return f.Destination.Load(ctx, load)
			})},
		{"does not wait for the last row", "a live Append waits for its last row",
			loading(func(ctx context.Context, f *faulty, load sidecar.Load) error {
				there := int(load.Rows.Count())
				load, err := altered(ctx, load, func(rows []string) []string { return first(rows, there) })
				if err != nil {
					return err
				}
				return f.Destination.Load(ctx, load)
			})},
		{"makes rows of an empty load", "an empty Append changes nothing", altering(empty, func([]string) []string { return []string{"{}"} })},
		{"takes an empty load for done", "an empty load replaces, or is refused",
			loading(func(ctx context.Context, f *faulty, load sidecar.Load) error {
				if empty(load) {
					return nil
				}
				return f.Destination.Load(ctx, load)
			})},
		{"trims texts", "rows arrive as they were", altering(every, func(rows []string) []string {
			for i := range rows {
				rows[i] = strings.ReplaceAll(rows[i], `" "`, `""`)
			}
			return rows
		})},
		{"says that it takes longer rows", "rows as long as RowBytes arrive", spoilt(func(f *faulty) {
			f.load = func(ctx context.Context, load sidecar.Load) error {
				f.Can.RowBytes = 100
				defer func() { f.Can.RowBytes = 0 }()
				return f.Destination.Load(ctx, load)
			}
		})},
		{"drops rows that are too long", "a longer row is refused with its load", spoilt(func(f *faulty) {
			f.Can.RowBytes = 100_000
			f.load = func(ctx context.Context, load sidecar.Load) error {
				load, err := altered(ctx, load, func(rows []string) []string {
					return slices.DeleteFunc(rows, func(row string) bool { return len(row) > f.Can.RowBytes })
				})
				if err != nil {
					return err
				}
				return f.Destination.Load(ctx, load)
			}
		})},
		{"loses the end of a long load", "many rows arrive", altering(every, func(rows []string) []string { return first(rows, 5000) })},
		{"takes one load at a time", "tables load side by side", spoilt(func(f *faulty) {
			var busy sync.Mutex
			f.load = func(ctx context.Context, load sidecar.Load) error {
				if !busy.TryLock() {
					return errTest
				}
				defer busy.Unlock()
				return f.Destination.Load(ctx, load)
			}
		})},
		{"does not merge as it says", "rows merge by key", merging(false, sidecartest.MergesAtLoad)},
		{"lets the first row of a key win", "the last row of a key wins where it says so", spoilt(func(f *faulty) {
			f.MergeByKey, f.Can.LastWins = true, true
			f.load = func(ctx context.Context, load sidecar.Load) error {
				load, err := altered(ctx, load, func(rows []string) []string { slices.Reverse(rows); return rows })
				if err != nil {
					return err
				}
				return f.Destination.Load(ctx, load)
			}
		})},
		{"obeys a member", "a member is data unless its name is reserved", altering(every, func(rows []string) []string {
			return slices.DeleteFunc(rows, func(row string) bool { return strings.Contains(row, "JITSU_TABLE_NAME") })
		})},
		{"merges although it says that it does not", "rows merge by key", merging(true, sidecartest.MergesNever)},
	}
}

// committing is a load that commits what it got when its rows fail; failure says how it puts that.
func committing(failure func(err error) error) func(ctx context.Context, f *faulty, load sidecar.Load) error {
	return func(ctx context.Context, f *faulty, load sidecar.Load) error {
		broken := load
		load, err := altered(ctx, load, func(rows []string) []string { return first(rows, 5) })
		if err == nil {
			return f.Destination.Load(ctx, broken)
		}
		if commitErr := f.Destination.Load(context.WithoutCancel(ctx), load); commitErr != nil {
			return commitErr
		}
		return failure(err)
	}
}

// saying is a load that fails in other words.
func saying(failure func(err error) error) func(ctx context.Context, f *faulty, load sidecar.Load) error {
	return func(ctx context.Context, f *faulty, load sidecar.Load) error {
		if err := f.Destination.Load(ctx, load); err != nil {
			return failure(err)
		}
		return nil
	}
}

func failureFaults() []fault[sidecartest.DestinationFixture] {
	asItIs := func(err error) error { return err }
	permanent := func(err error) error { return &sidecar.LoadError{Permanent: true, Message: "no", Cause: err} }
	hidden := func(error) error { return errTest }
	return []fault[sidecartest.DestinationFixture]{
		{"commits what it got of an aborted load", "nothing of an aborted load stays", loading(committing(asItIs))},
		{"commits what it got of a torn load", "rows that fail may be given again", loading(committing(asItIs))},
		{"commits what it got of a cancelled load", "a cancelled load leaves nothing", loading(committing(asItIs))},
		{"hides that the rows were aborted", "nothing of an aborted load stays", loading(saying(hidden))},
		{"hides that the load was cancelled", "a cancelled load leaves nothing", loading(saying(hidden))},
		{"gives torn rows up", "rows that fail may be given again", loading(saying(permanent))},
		{"does not count", "rows that are not as many as they say are refused", altering(every, same)},
		{"gives up when it fails itself", "a load that the destination fails may be given again", loading(saying(permanent))},
		{"does not say that an answer was lost", "a load whose answer was lost may be given again", loading(saying(hidden))},
		{"doubles rows whose answer was lost", "a load whose answer was lost may be given again", merging(false, sidecartest.MergesAtLoad)},
		{"leaves readers open", "an acknowledged load is there", loading(func(ctx context.Context, f *faulty, load sidecar.Load) error {
			if _, err := load.Rows.Open(ctx); err != nil {
				return err
			}
			return f.Destination.Load(ctx, load)
		})},
		{"shows its token", "nothing of an aborted load stays",
			loading(saying(func(err error) error { return errors.Join(err, errors.New("token s3cret")) }))},
	}
}
