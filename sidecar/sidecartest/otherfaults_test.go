package sidecartest_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/sidecartest"
)

// unresumed is a local folder whose Resume puts nothing where it belongs.
type unresumed struct {
	*local.Folder
	lock bool
}

func (u *unresumed) Resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, _ []sidecar.SavedState) ([]string, error) {
	var states []sidecar.SavedState
	for _, stream := range catalog.Streams {
		states = append(states, sidecar.SavedState{Key: stream.Stream.Name, Stream: stream.Stream.Descriptor(), State: []byte(`"of nobody"`)})
	}
	warnings, err := u.Folder.Resume(ctx, catalog, states)
	if !u.lock {
		err = errors.Join(err, u.Close(ctx))
	}
	return warnings, err
}

// folder is a fixture of such a folder.
func folder(lock bool) func(testing.TB) sidecartest.DestinationFixture {
	return func(t testing.TB) sidecartest.DestinationFixture {
		t.Helper()
		dir, identity := t.TempDir(), sidecar.Identity{SyncID: "sync"}
		return sidecartest.DestinationFixture{
			Open: func() (sidecar.Destination, func()) {
				opened, err := local.Open(t.Context(), local.Options{Dir: dir, Identity: identity})
				if err != nil {
					t.Fatal(err)
				}
				return &unresumed{opened, lock}, func() { _ = opened.Close(t.Context()) }
			},
			Rows: func(stream sidecar.StreamConfig) ([]string, error) {
				return linesOf(filepath.Join(local.Dir(dir, identity), local.RowsFile(stream.Table.Stream)))
			},
			Merges: sidecartest.MergesAtFinish,
		}
	}
}

func otherFaults() []fault[sidecartest.DestinationFixture] {
	return []fault[sidecartest.DestinationFixture]{
		{"has no names for places", "every table has a place with a name", spoilt(func(f *faulty) {
			f.place = func(tables []sidecar.Table) ([]sidecar.Placement, error) {
				return make([]sidecar.Placement, len(tables)), nil
			}
		})},
		{"knows no namespaces", "two tables never share their rows", spoilt(func(f *faulty) {
			f.load = func(ctx context.Context, load sidecar.Load) error {
				load.Table.Namespace = ""
				return f.Destination.Load(ctx, load)
			}
		})},
		{"cuts names", "a name of any kind is kept or refused", spoilt(func(f *faulty) {
			f.load = func(ctx context.Context, load sidecar.Load) error {
				load.Table.Name = load.Table.Name[:min(len(load.Table.Name), 63)]
				return f.Destination.Load(ctx, load)
			}
		})},
		{"fails to finish twice", "Finish loses nothing, however often", spoilt(func(f *faulty) {
			var finished int
			f.OnFinish = func(context.Context, []airbyte.StreamDescriptor) error {
				if finished++; finished > 2 {
					return errTest
				}
				return nil
			}
		})},
		{"does not cut to a state of a stream", "Resume cuts to the state of a stream", folder(true)},
		{"does not cut to a state of all", "Resume cuts to the state of all streams", folder(true)},
		{"does not take the lock", "Resume holds the lock", folder(false)},
		{"keeps rows that come again", "Resume without a state starts over", neverReplacing},
		{"is named after its token", "its name shows no secret", spoilt(func(f *faulty) { f.name = "s3cret" })},
	}
}

// neverReplacing is a fixture of a folder that only appends.
func neverReplacing(t testing.TB) sidecartest.DestinationFixture {
	t.Helper()
	fixture := folder(true)(t)
	open := fixture.Open
	fixture.Open = func() (sidecar.Destination, func()) {
		destination, end := open()
		return &appending{destination.(*unresumed).Folder}, end
	}
	return fixture
}

// appending is a local folder that never replaces.
type appending struct{ *local.Folder }

func (a *appending) Load(ctx context.Context, load sidecar.Load) error {
	load.Mode = sidecar.Append
	return a.Folder.Load(ctx, load)
}
