// Package incoming brings files into a folder all at once: they are written beside it first, and moved in only when the last one is there. A crash
// leaves either the folder as it was or a complete set of files that Recover moves in; until then nobody may use the folder.
//
// It is for the folder of a sync (see package sidecar/local), whose state says how long its files of rows are: with only some of them new, the
// next run would cut off rows that it takes for uncommitted.
package incoming

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sync-sidecar/sidecar/atomicfile"
)

// suffixes of what stands beside the folder: files being written, and a complete set on its way in.
const (
	partSuffix     = ".incoming"
	completeSuffix = ".arrived"
)

// Batch is a set of files on its way into a folder.
type Batch struct {
	dir string
}

// Begin starts a set of files for dir, which need not exist. What an earlier run left unfinished is dropped.
func Begin(dir string) (*Batch, error) {
	b := &Batch{dir: filepath.Clean(dir)}
	if err := Recover(b.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.dir+partSuffix, 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for what comes back: %w", err)
	}
	return b, nil
}

// File is one file on its way.
type File struct {
	Name     string // its path in the folder, with slashes
	Mode     fs.FileMode
	Modified time.Time
	Content  io.Reader
}

// Add writes one file.
func (b *Batch) Add(f File) (err error) {
	name := f.Name
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("file %q would be outside of %s", name, b.dir)
	}
	target := filepath.Join(b.dir+partSuffix, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("make a folder for %s: %w", name, err)
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, f.Mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := io.Copy(file, f.Content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Chtimes(target, f.Modified, f.Modified)
}

// Replace writes one file of dir by itself: for what is complete in itself, such as a result.
func Replace(dir string, f File) error {
	if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
		return fmt.Errorf("file %q would be outside of %s", f.Name, dir)
	}
	target := filepath.Join(dir, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("make a folder for %s: %w", f.Name, err)
	}
	return atomicfile.Write(target, f.Content, atomicfile.Options{Mode: f.Mode, Umask: true, Modified: f.Modified})
}

// Commit moves the set in. From its rename on the set is complete and survives a crash.
func (b *Batch) Commit() error {
	if err := syncFolders(b.dir + partSuffix); err != nil {
		return err
	}
	if err := os.Rename(b.dir+partSuffix, b.dir+completeSuffix); err != nil {
		return fmt.Errorf("complete what came back: %w", err)
	}
	if err := atomicfile.SyncFolder(filepath.Dir(b.dir)); err != nil {
		return err
	}
	return Recover(b.dir)
}

// Abort drops the set. It does nothing after Commit.
func (b *Batch) Abort() error { return os.RemoveAll(b.dir + partSuffix) }

// Recover finishes what a crash interrupted: it moves a complete set into dir, and drops an incomplete one. It must come before any use of dir.
func Recover(dir string) error {
	dir = filepath.Clean(dir)
	if err := os.RemoveAll(dir + partSuffix); err != nil {
		return fmt.Errorf("drop what came back in part: %w", err)
	}
	arrived := dir + completeSuffix
	if _, err := os.Stat(arrived); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	err := filepath.WalkDir(arrived, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := dir + strings.TrimPrefix(name, arrived)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755) //nolint:gosec // G122: whoever may put a symlink here may as well change the files
		}
		return os.Rename(name, target) //nolint:gosec // G122: as above
	})
	if err != nil {
		return fmt.Errorf("move what came back into %s: %w", dir, err)
	}
	if err := syncFolders(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(arrived); err != nil {
		return fmt.Errorf("tidy up: %w", err)
	}
	return nil
}

// syncFolders brings the names in a tree to the disk.
func syncFolders(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return atomicfile.SyncFolder(name)
	})
}
