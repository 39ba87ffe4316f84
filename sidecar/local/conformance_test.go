package local

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local/localtest"
	"sync-sidecar/sidecar/sidecartest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	localtest.Verify(t, localtest.Subject{
		Open: func(t testing.TB, dir string, identity sidecar.Identity) localtest.Folder {
			t.Helper()
			return openFolder(t, dir, identity)
		},
		Dir:        Dir,
		RowsFile:   func(stream sidecar.StreamConfig) string { return RowsFile(stream.Table.Stream) },
		LockHolder: "TestLockHolder",
	})
}

// TestLockHolder is the process of "the lock ends with its process".
func TestLockHolder(t *testing.T) { //nolint:paralleltest // it is alone in its process
	sidecartest.HoldLock(t, openJournal)
}

func openJournal(t testing.TB, dir string, identity sidecar.Identity) sidecar.Journal {
	t.Helper()
	return openFolder(t, dir, identity)
}

func openFolder(t testing.TB, dir string, identity sidecar.Identity) *Folder {
	t.Helper()
	folder, err := Open(t.Context(), Options{Dir: dir, Identity: identity})
	must(t, err)
	return folder
}
