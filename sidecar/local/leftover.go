package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sync-sidecar/sidecar/atomicfile"
)

// removeLeftovers removes temporary files of reads that were killed. A young one beside the results may belong to a process that is alive.
func (f *Folder) removeLeftovers() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return diskError(f.dir, err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(entry.Name(), tempSuffix) {
			continue
		}
		replaces, _ := atomicfile.Replaces(entry.Name())
		if replaces == recordFile || strings.HasPrefix(entry.Name(), recordFile) || time.Since(info.ModTime()) > time.Hour {
			if err := removeIfThere(filepath.Join(f.dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return errors.Join(removeTempsBelow(filepath.Join(f.dir, rowsDir)), removeTempsBelow(filepath.Join(f.dir, keysDir)))
}

// removeTempsBelow removes temporary files and folders.
func removeTempsBelow(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return diskError(path, err)
		case !strings.HasSuffix(entry.Name(), tempSuffix):
			return nil
		}
		if err := os.RemoveAll(path); err != nil { //nolint:gosec // whoever may put a symlink here may as well remove the files itself
			return diskError(path, err)
		}
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
}
