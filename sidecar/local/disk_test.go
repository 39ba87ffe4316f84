package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// smallDisk is a folder on a file system of one MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if output, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" || os.Getuid() == 0 {
			t.Fatalf("mount a small disk: %v: %s", err, output)
		}
		t.Skip("only root may mount a small disk")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	folder, _ := open(t, dir, nil, appended, stream("items", airbyte.Incremental, airbyte.AppendDedup, []string{"id"}), replaced)
	t.Cleanup(func() { must(t, folder.Close(t.Context())) })
	load(t, folder, "users", sidecar.Append, row1)
	load(t, folder, "orders", sidecar.ReplaceFirst, row1)
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `1`, 9)}))
	big := strings.Repeat(row1, 1<<20/len(row1))
	fails := func(err error) {
		t.Helper()
		mustFail(t, err, dir, "disk", "is full", "free of 1.0 MB", "LOCAL_DIR")
		refusal := (*sidecar.LoadError)(nil)
		if !errors.As(err, &refusal) || !refusal.Environment || refusal.Permanent {
			t.Errorf("error is %#v, want one of the environment that may pass", err)
		}
	}
	fails(folder.Load(t.Context(), sidecar.Load{Table: table("users"), Rows: textRows{text: big}}))
	fails(folder.Load(t.Context(), sidecar.Load{Table: table("items"), Rows: textRows{text: big}}))
	fails(folder.Load(t.Context(), sidecar.Load{Table: table("orders"), Mode: sidecar.ReplaceFirst, Rows: textRows{text: big}}))
	rowsAre(t, folder, "users", row1)
	rowsAre(t, folder, "items", "-")
	rowsAre(t, folder, "orders", row1)
	noTemps(t, folder)

	var rows strings.Builder
	for id := 0; rows.Len() < 600<<10; id++ {
		fmt.Fprintf(&rows, "{\"id\":%d}\n", id)
	}
	half := row1 + rows.String() // there is no room for a second copy
	load(t, folder, "items", sidecar.Append, half)
	err := folder.Finish(t.Context(), []airbyte.StreamDescriptor{{Name: "items"}})
	mustFail(t, err, "items", "is full")
	rowsAre(t, folder, "items", half)
	noTemps(t, folder)

	fill := filepath.Join(dir, "fill")
	must(t, os.WriteFile(fill, nil, 0o600))
	file, err := os.OpenFile(fill, os.O_WRONLY, 0)
	must(t, err)
	for err == nil {
		_, err = file.WriteString("some bytes more\n")
	}
	must(t, file.Close())
	err = folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `2`, 9)})
	mustFail(t, err, recordFile, "is full")
	if states := given(t, dir); len(states) != 1 || string(states[0].State) != "1" {
		t.Errorf("states are %v, want the earlier one", states)
	}
	must(t, os.Remove(fill))
	must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{state("users", `2`, 9)}))
	load(t, folder, "users", sidecar.Append, row2)
	rowsAre(t, folder, "users", row1+row2)
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(t.Context(), Options{Dir: file})
	mustFail(t, err, file, "not a directory")
	// Root meets no such folder, so here are the words alone.
	mustFail(t, diskError("/data/x", os.ErrPermission), "/data/x cannot be written by user", "LOCAL_DIR")
}
