package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// File holds the slots. Its methods may be called from several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Punch frees the disk space of a part of the file, whose size stays. Where the file system cannot, the error is errors.ErrUnsupported.
	Punch(offset, length int64) error
}

// unlinked is a file without a name: a killed process leaves nothing behind.
type unlinked struct{ *os.File }

// Punch implements File.
func (f unlinked) Punch(offset, length int64) error { return punchHole(f.File, offset, length) }

// openUnlinked makes a file without a name.
func openUnlinked(dir string) (File, error) {
	file, err := os.CreateTemp(dir, "sync-sidecar-spool-*")
	if err != nil {
		return nil, fmt.Errorf("make a spool file in %s (SPOOL_DIR): %w", dirName(dir), err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink a spool file: %w", err), file.Close())
	}
	return unlinked{file}, nil
}

// dirName is a folder as a person knows it.
func dirName(dir string) string {
	if dir == "" {
		return os.TempDir()
	}
	return dir
}
