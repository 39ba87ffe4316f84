package verdictfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The files whose locks say who lives.
const (
	sidecarSuffix = ".lock"
	waiterSuffix  = ".wait"
)

// lockPatience is how long a lock is tried for: whoever asks whether it is held holds it for a moment.
const lockPatience = time.Second

// errHeld says that another process holds the lock.
var errHeld = errors.New("held by another process")

// hold takes the lock of a file, which it makes. The kernel frees it when the process ends, whatever ends it.
func hold(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if errors.Is(err, fs.ErrPermission) { // another user's, of an earlier run: locking needs no more than this
		file, err = os.Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("make the lock file: %w", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 100) {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return file, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		case time.Now().After(deadline):
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, errHeld), file.Close())
		}
	}
}

// lockState is what can be known of a lock.
type lockState int

const (
	lockUnknown lockState = iota // a file system without locks, or that cannot be read
	lockFree
	lockHeld
)

// ask says whether anybody holds the lock of a file.
func ask(path string) lockState {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return lockFree
	}
	if err != nil {
		return lockUnknown
	}
	defer file.Close() // which unlocks
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	switch {
	case err == nil:
		return lockFree
	case errors.Is(err, unix.EWOULDBLOCK):
		return lockHeld
	default:
		return lockUnknown
	}
}
