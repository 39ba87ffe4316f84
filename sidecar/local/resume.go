package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Resume prepares the folder for the rows of a read: it must be called once, before the first Load, with the streams to read and the states that
// the source was given (none: it starts from the beginning), wherever these were kept. It locks the folder, removes what killed reads left, and
// cuts every file to the rows that those states cover:
//
//   - a stream that starts from a state: to the size that the file had at that state. A file that is smaller has lost rows that will not come again:
//     Resume then changes nothing, and its error (errors.As *MissingRowsError) names the file;
//   - a stream that starts without a state: rows of an earlier attempt that never finished go, rows of finished reads stay;
//   - a stream that is overwritten and starts without a state keeps its file until the new one is complete (I6).
//
// Where it cannot tell (a state from elsewhere, a file that someone changed) it keeps every row. The warnings say so, for a person to read. A file
// that somebody replaced by another of the same size is taken for what it was.
func (f *Folder) Resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, given []sidecar.SavedState) (warnings []string, err error) {
	if err := f.Lock(ctx); err != nil {
		return nil, err
	}
	f.records.Lock()
	defer f.records.Unlock()
	if err := errors.Join(f.finishTails(), f.removeLeftovers()); err != nil {
		return nil, err
	}
	resumptions, err := f.lookAt(catalog, given)
	if err != nil {
		return nil, err
	}
	own, err := f.record.saved()
	if err != nil {
		return nil, err
	}
	saved, err := indexStates(own)
	if err != nil {
		return nil, err
	}
	files := map[airbyte.StreamDescriptor]*rowsFile{}
	err = f.change(func(e *edit) error {
		for _, r := range resumptions {
			warning, err := r.begin(e, saved, given)
			if err != nil {
				return err
			}
			if warning != "" {
				warnings = append(warnings, warning)
			}
			files[r.known.Stream] = r.file
		}
		return sameFiles(files)
	})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.files = files
	f.mu.Unlock()
	return bounded(warnings), nil
}

// maxWarnings is how many files a person is told of one by one.
const maxWarnings = 20

// bounded are the first of many warnings.
func bounded(warnings []string) []string {
	if more := len(warnings) - maxWarnings; more > 0 {
		warnings = append(warnings[:maxWarnings:maxWarnings], fmt.Sprintf("the same can be said of %d more files", more))
	}
	return warnings
}

// resumption is what becomes of one stream's file.
type resumption struct {
	file   *rowsFile
	exists bool
	size   int64
	before fileRecord // as it is recorded
	known  fileRecord // as it is
	states []givenState
	start  start
}

// lookAt decides where the rows of each stream begin, and touches nothing.
func (f *Folder) lookAt(catalog airbyte.ConfiguredCatalog, given []sidecar.SavedState) ([]*resumption, error) {
	states, err := indexStates(given)
	if err != nil {
		return nil, err
	}
	var resumptions []*resumption
	var missing []error
	for _, stream := range catalog.Streams {
		r, err := f.resumption(stream, states)
		if err != nil {
			return nil, err
		}
		if r.start.missing > 0 {
			missing = append(missing, &MissingRowsError{Path: r.file.path, Exists: r.exists, Bytes: r.size, Covered: r.start.missing, State: r.states[0].key})
		}
		resumptions = append(resumptions, r)
	}
	if more := len(missing) - maxWarnings; more > 0 {
		missing = append(missing[:maxWarnings:maxWarnings], fmt.Errorf("so have %d more files", more))
	}
	return resumptions, errors.Join(missing...)
}

// touched says that somebody has changed the file since the last read ended. Of one that was killed nobody knows.
func (r *resumption) touched() bool {
	info, err := os.Stat(r.file.path)
	if err != nil || r.known.LeftAt == nil {
		return false
	}
	changed := info.ModTime()
	if changed.Nanosecond() == 0 { // the Docker Engine's archives know seconds only
		return !changed.Equal(r.known.LeftAt.Truncate(time.Second))
	}
	return !changed.Equal(*r.known.LeftAt)
}

// resumption looks at one stream's file.
func (f *Folder) resumption(stream airbyte.ConfiguredStream, given stateIndex) (*resumption, error) {
	descriptor := stream.Stream.Descriptor()
	r := &resumption{file: &rowsFile{name: RowsFile(descriptor), path: f.rowsPath(descriptor), config: stream}}
	var err error
	if r.size, r.exists, err = fileSize(r.file.path); err != nil {
		return nil, err
	}
	var found bool
	r.before, found = f.record.Files[r.file.name]
	r.known = r.before
	if r.known.Next != nil && r.size == r.known.Next.Committed {
		r.known = *r.known.Next // killed between the rename and the record of it
	}
	if r.touched() {
		r.known.OnePerKey = 0
	}
	if !found {
		r.known.Committed = r.size // rows of another making are never cut
	}
	r.known.Next, r.known.TailFrom, r.known.Stream = nil, nil, descriptor
	if r.states, err = given.covering(stream); err != nil {
		return nil, err
	}
	r.start = startOf(r.known, found, stream, r.states, r.size)
	if r.exists && r.start.doubt == "" && r.start.bytes < r.size {
		whole, err := endsRow(r.file.path, r.start.bytes)
		if err != nil {
			return nil, err
		}
		if !whole {
			r.start.bytes, r.start.doubt, r.start.changed = r.size, "it was changed since its last state", true
		}
	}
	return r, nil
}

// begin cuts the file and notes in the record where it begins; saved are the folder's own states.
func (r *resumption) begin(e *edit, saved stateIndex, given []sidecar.SavedState) (warning string, err error) {
	warning = r.start.warning(r.file.path)
	if r.exists && !r.start.untouched {
		if r.start.bytes, err = cut(r.file.path, r.start, r.size); err != nil {
			return "", err
		}
	}
	begun := r.start.begin(r.known, r.file.config, r.states)
	if err := r.dropUncovered(e, begun, saved, given); err != nil {
		return "", err
	}
	e.setFile(r.file.name, begun)
	r.file.end = r.start.bytes
	return warning, nil
}

// dropUncovered removes the saved states that no longer vouch for the stream's rows: the record knew where the file stood at them, and begun does
// not, since rows were cut or replaced. A state that the source was given takes the place of one with the same key.
func (r *resumption) dropUncovered(e *edit, begun fileRecord, saved stateIndex, given []sidecar.SavedState) error {
	states, err := saved.covering(r.file.config)
	if err != nil {
		return err
	}
	for _, state := range states {
		if begun.find(state.key, state.digest) >= 0 || r.before.find(state.key, state.digest) < 0 {
			continue
		}
		e.dropState(state.key)
		for _, other := range given {
			if other.Key == state.key {
				e.keep(other)
			}
		}
	}
	return nil
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
