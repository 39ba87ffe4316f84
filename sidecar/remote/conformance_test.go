package remote

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/local/localtest"
	"sync-sidecar/sidecar/sidecartest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	localtest.Verify(t, localtest.Subject{
		Open: func(t testing.TB, dir string, identity sidecar.Identity) localtest.Folder {
			t.Helper()
			return newRig(t, dir, identity, nil).open()
		},
		Dir:        local.Dir,
		RowsFile:   func(stream sidecar.StreamConfig) string { return local.RowsFile(stream.Table.Stream) },
		LockHolder: "TestLockHolder",
	})
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
