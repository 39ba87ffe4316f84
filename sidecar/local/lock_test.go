package local

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func TestLockRefusesASecondRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, _ := open(t, dir, nil, appended)
	second, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync", TaskID: "other"}})
	must(t, err)
	_, err = second.Resume(t.Context(), airbyte.ConfiguredCatalog{}, nil)
	mustFail(t, err, filepath.Join(dir, "sync"), "task task", "process "+strconv.Itoa(os.Getpid()), "SYNC_ID")
	mustFail(t, second.Mirror(second).Lock(t.Context()), "in use")
	must(t, first.Lock(t.Context())) // again, by its holder

	other, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "another"}})
	must(t, err)
	must(t, other.Lock(t.Context()))
	must(t, other.Close(t.Context()))

	load(t, first, "users", sidecar.Append, row1)
	must(t, first.SaveStates(t.Context(), []sidecar.SavedState{state("users", `1`, 9)}))
	must(t, first.Close(t.Context()))
	must(t, second.Lock(t.Context()))
	states, err := second.LoadStates(t.Context()) // what was saved after its Open
	must(t, err)
	if len(states) != 1 {
		t.Errorf("states are %v, want the one that the first read saved", states)
	}
	must(t, second.Close(t.Context()))
	must(t, second.Close(t.Context()))
}

// TestLockEndsWithItsProcess: the lock of a killed process is free.
func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, err := os.Executable()
	must(t, err)
	child := exec.CommandContext(t.Context(), program)
	child.Env = append(os.Environ(), "LOCAL_TEST_CHILD="+dir, "LOCAL_TEST_SEED=0")
	var stderr bytes.Buffer
	child.Stderr = &stderr
	stdout, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	if !bufio.NewScanner(stdout).Scan() { // its first line comes after Lock
		t.Fatalf("the child says %s", stderr.String())
	}
	folder, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync"}})
	must(t, err)
	refused := folder.Lock(t.Context())
	must(t, child.Process.Kill())
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	mustFail(t, refused, "process "+strconv.Itoa(child.Process.Pid))
	must(t, folder.Lock(t.Context()))
	must(t, folder.Close(t.Context()))
}

// lostLock is a journal whose lock another run took over.
type lostLock struct{ sidecar.Journal }

func (lostLock) LockError() error { return sidecar.ErrLocked }

// TestRefusedReadLeavesTheFolder: a read that was refused records its verdict in the other journal, and writes nothing into the folder, which another
// read is writing to.
func TestRefusedReadLeavesTheFolder(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	second, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync", TaskID: "other"}})
	must(t, err)
	journal, err := Open(t.Context(), Options{Dir: elsewhere, Identity: sidecar.Identity{SyncID: "sync", TaskID: "other"}})
	must(t, err)
	both := second.Mirror(lostLock{journal})
	first, _ := open(t, dir, nil, appended)
	load(t, first, "users", sidecar.Append, row1)
	must(t, first.SaveStates(t.Context(), []sidecar.SavedState{state("users", `1`, 9)}))

	err = both.Lock(t.Context())
	if !errors.Is(err, sidecar.ErrLocked) {
		t.Errorf("the refusal is %v", err)
	}
	must(t, both.SaveTask(t.Context(), sidecar.TaskRecord{Status: sidecar.StatusFailed, Error: "refused"}))
	states, err := ReadStates(first.Path())
	must(t, err)
	if len(states) != 1 {
		t.Errorf("the folder holds the states %v", states)
	}
	if keeper, ok := both.(sidecar.LockKeeper); !ok || !errors.Is(keeper.LockError(), sidecar.ErrLocked) {
		t.Error("nobody hears that the journal's lock was lost")
	}
}
