package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sync-sidecar/sidecar"
)

// now is the time as files here show it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Lock makes this the only read of the sync until Close or the end of the process, however that ends: the kernel holds the lock (flock) of the
// file `lock`, whose text names who has it. A second Lock of the same Folder is fine.
func (f *Folder) Lock(context.Context) error {
	f.records.Lock()
	defer f.records.Unlock()
	if f.isLocked() {
		return nil
	}
	path := filepath.Join(f.dir, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return diskError(path, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(f.refuse(f.refusal(file, err)), file.Close())
	}
	if err := f.signLock(file); err != nil {
		return errors.Join(diskError(path, err), file.Close())
	}
	// What the last read saved may have come after Open.
	read, err := readRecord(f.dir)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	read.SyncID = f.identity.SyncID
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lock, f.record, f.refused = file, read, nil
	return nil
}

// isLocked says that Lock succeeded.
func (f *Folder) isLocked() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lock != nil
}

// refuse notes why Lock failed.
func (f *Folder) refuse(refused error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = refused
	return refused
}

// lockedError says that another run has the folder.
type lockedError struct{ dir, holder string }

// Error names the folder, who has it, and the next step.
func (e *lockedError) Error() string {
	return fmt.Sprintf("%s is in use by %s: wait for that run to end or stop it, or give this one a SYNC_ID of its own", e.dir, e.holder)
}

// Is makes it a sidecar.ErrLocked.
func (e *lockedError) Is(target error) bool { return target == sidecar.ErrLocked }

// refusal says who holds the lock and what to do.
func (f *Folder) refusal(file *os.File, cause error) error {
	if !errors.Is(cause, syscall.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: %w", file.Name(), cause)
	}
	holder, err := io.ReadAll(io.LimitReader(file, 1024))
	text := string(bytes.TrimSpace(holder))
	if err != nil || text == "" {
		text = "another process"
	}
	return &lockedError{dir: f.dir, holder: text}
}

// signLock writes who holds the lock into it.
func (f *Folder) signLock(file *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	task := ""
	if f.identity.TaskID != "" {
		task = "task " + strings.Join(strings.Fields(f.identity.TaskID), " ") + ", "
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%sprocess %d on %s since %s\n", task, os.Getpid(), host, now().Format(time.RFC3339))
	return err
}
