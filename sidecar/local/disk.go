package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sync-sidecar/sidecar/atomicfile"
)

// replaceFile gives one of the folder's own files new content.
func replaceFile(path string, content []byte) error {
	if err := atomicfile.Write(path, bytes.NewReader(content), atomicfile.Options{Mode: 0o644, Umask: true}); err != nil {
		return diskError(path, err)
	}
	return nil
}

// syncPath brings a file's content, or a folder's names, to the disk.
func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return diskError(path, err)
	}
	err = file.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system that has no such thing for folders
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return diskError(path, err)
	}
	return nil
}

// removeIfThere removes a file; one that is not there is fine.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return diskError(path, err)
	}
	return nil
}

// diskError says in a person's words why a file could not be written.
func diskError(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the disk of %s is full (%s): free some space, or set LOCAL_DIR to another disk: %w", path, freeSpace(path), err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%s has reached the largest size that a file may have here (see `ulimit -f`): %w", path, err)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s cannot be written by user %d: make it writable, or set LOCAL_DIR to a folder that is: %w", path, os.Getuid(), err)
	}
	return fmt.Errorf("local folder: %w", err)
}

// freeSpace describes the file system that path is on, or was to be on.
func freeSpace(path string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &stat); err != nil {
		return "free space unknown"
	}
	block := uint64(stat.Bsize) // its type differs between systems; it is never negative
	return fmt.Sprintf("%s free of %s", megabytes(stat.Bavail*block), megabytes(stat.Blocks*block))
}

// megabytes is a size for people.
func megabytes(bytes uint64) string {
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
