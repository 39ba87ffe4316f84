package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/atomicfile"
)

// Resume prepares the folder for the rows of a read: it must be called once, before the first Load, with the streams to read and the states that
// the source was given (none: it starts from the beginning), wherever these were kept. It locks the folder, removes what killed reads left, and
// cuts every file to the rows that those states cover:
//
//   - a stream that starts from a state: to the size that the file had at that state;
//   - a stream that starts without a state: rows of an earlier attempt that never finished go, rows of finished reads stay;
//   - a stream that is overwritten and starts without a state keeps its file until the new one is complete (I6).
//
// Where it cannot tell (a state from elsewhere, a file that someone changed) it keeps every row. The warnings say so, for a person to read.
func (f *Folder) Resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, given []sidecar.SavedState) (warnings []string, err error) {
	if err := f.Lock(ctx); err != nil {
		return nil, err
	}
	f.records.Lock()
	defer f.records.Unlock()
	if err := f.removeLeftovers(); err != nil {
		return nil, err
	}
	files := map[airbyte.StreamDescriptor]*rowsFile{}
	err = f.change(func(r *record) error {
		for _, stream := range catalog.Streams {
			file, warning, err := f.resumeStream(r, stream, given)
			if err != nil {
				return err
			}
			if warning != "" {
				warnings = append(warnings, warning)
			}
			files[stream.Stream.Descriptor()] = file
		}
		return sameFiles(files)
	})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.files = files
	f.mu.Unlock()
	return warnings, nil
}

// resumeStream cuts one stream's file and notes in the record where it begins.
func (f *Folder) resumeStream(r *record, stream airbyte.ConfiguredStream, given []sidecar.SavedState) (*rowsFile, string, error) {
	descriptor := stream.Stream.Descriptor()
	name, path := RowsFile(descriptor), f.rowsPath(descriptor)
	size, exists, err := fileSize(path)
	if err != nil {
		return nil, "", err
	}
	before, found := r.Files[name]
	known := before
	if known.Next != nil && size == known.Next.Committed {
		known = *known.Next // killed between the rename and the record of it
	}
	if !found {
		known.Committed = size // rows of another making are never cut
	}
	known.Next, known.Stream = nil, descriptor
	states, err := covering(given, stream)
	if err != nil {
		return nil, "", err
	}
	start := startOf(known, found, stream, states, size)
	if exists && start.doubt == "" && start.bytes < size {
		whole, err := endsRow(path, start.bytes)
		if err != nil {
			return nil, "", err
		}
		if !whole {
			start.bytes, start.doubt, start.changed = size, "it was changed since its last state", true
		}
	}
	warning := ""
	if start.doubt != "" {
		warning = fmt.Sprintf("%s keeps all its rows, some may be there twice: %s", path, start.doubt)
	}
	if exists && !start.untouched {
		if start.bytes, err = cut(path, start, size); err != nil {
			return nil, "", err
		}
	}
	begun := start.begin(known, stream, states)
	if err := r.dropUncovered(stream, before, begun, given); err != nil {
		return nil, "", err
	}
	r.Files[name] = begun
	return &rowsFile{name: name, path: path, config: stream, end: start.bytes}, warning, nil
}

// cut cuts a file where its rows of this read begin, and returns its size. When all rows stay, only a row that a crash left unfinished goes.
func cut(path string, start start, size int64) (int64, error) {
	end := start.bytes
	if end == size {
		tail, err := wholeRows(path, size)
		if err != nil {
			return 0, err
		}
		end = tail
	}
	if end == size {
		return end, nil
	}
	if err := os.Truncate(path, end); err != nil {
		return 0, diskError(path, err)
	}
	return end, syncPath(path)
}

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
	return filepath.WalkDir(filepath.Join(f.dir, "rows"), func(path string, entry fs.DirEntry, err error) error {
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

// sameFiles refuses streams whose different names the file system takes for the same (it may ignore case).
func sameFiles(files map[airbyte.StreamDescriptor]*rowsFile) error {
	type seen struct {
		info os.FileInfo
		path string
	}
	byName := map[string]seen{}
	for _, file := range files {
		info, err := os.Stat(file.path)
		if err != nil {
			continue // not there yet
		}
		folded := strings.ToLower(file.path)
		if other, found := byName[folded]; found && os.SameFile(info, other.info) {
			return fmt.Errorf("%s and %s are the same file on this file system: leave one of the streams out, or set LOCAL_DIR to another disk",
				other.path, file.path)
		}
		byName[folded] = seen{info, file.path}
	}
	return nil
}

// fileSize is the size of a file; 0 when it is not there.
func fileSize(path string) (size int64, exists bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, diskError(path, err)
	case !info.Mode().IsRegular():
		return 0, false, fmt.Errorf("%s is not a file: move it away, rows are to be there", path)
	}
	return info.Size(), true, nil
}
