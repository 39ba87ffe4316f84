package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// LoadStates returns the states that were saved, in the order of their keys. A state that was reset (`null`) is none.
func (f *Folder) LoadStates(context.Context) ([]sidecar.SavedState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.record.saved()
}

// ReadStates returns the states that the sync's folder dir (see Dir) holds, without opening it: a read may be at work there.
func ReadStates(dir string) ([]sidecar.SavedState, error) {
	read, err := readRecord(dir)
	if err != nil {
		return nil, err
	}
	return read.saved()
}

// Syncs are the ids of the syncs below LOCAL_DIR of which states were saved, sorted; none where there is no such folder.
func Syncs(localDir string) ([]string, error) {
	entries, err := os.ReadDir(localDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for syncs: %w", err)
	}
	var syncs []string
	for _, entry := range entries {
		if _, err := os.Stat(filepath.Join(localDir, entry.Name(), recordFile)); err != nil {
			continue
		}
		id, whole := unsafeName(entry.Name())
		if !whole { // it was cut
			id = entry.Name()
		}
		syncs = append(syncs, id)
	}
	slices.Sort(syncs)
	return syncs, nil
}

// saved lists the states of a record.
func (r record) saved() ([]sidecar.SavedState, error) {
	var states []sidecar.SavedState
	for key, saved := range r.States {
		var compact bytes.Buffer
		if err := json.Compact(&compact, saved.State); err != nil {
			return nil, fmt.Errorf("saved state %s: %w", key, err)
		}
		if compact.Len() == 0 || compact.String() == "null" {
			continue
		}
		state := sidecar.SavedState{Key: key, State: compact.Bytes(), SavedAt: saved.SavedAt}
		if saved.Stream != nil {
			state.Stream = *saved.Stream
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b sidecar.SavedState) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return states, nil
}

// ReplaceStates implements sidecar.StateReplacer. Rows stay. A read that goes on from one of the last states that were saved here, which may be an
// earlier one that is saved now again, cuts the files to what it covers (Resume).
func (f *Folder) ReplaceStates(ctx context.Context, gone []string, states []sidecar.SavedState) error {
	if err := f.Lock(ctx); err != nil {
		return err
	}
	f.records.Lock()
	defer f.records.Unlock()
	return f.change(func(e *edit) error {
		for _, key := range gone {
			e.dropState(key)
		}
		for _, state := range states {
			if !json.Valid(state.State) {
				return fmt.Errorf("%w: state %q is not JSON", sidecar.ErrStateRefused, state.Key)
			}
			e.keep(state)
		}
		for name, file := range f.record.Files {
			kept := slices.DeleteFunc(slices.Clone(file.Checkpoints), func(p checkpoint) bool { return slices.Contains(gone, p.Key) && !e.has(p.Key) })
			if len(kept) < len(file.Checkpoints) {
				file.Checkpoints, file.UnfinishedFrom = kept, nil
				e.setFile(name, file)
			}
		}
		return nil
	})
}

// SaveStates records the states, and how far they commit each file, at once; before that it brings the rows that they cover to the disk (I1).
// Folders that are no destination (no Resume) record the states alone. What becomes of the states of other kinds sidecar.StateKinds says.
func (f *Folder) SaveStates(_ context.Context, states []sidecar.SavedState) error {
	return f.saveStates(states, true)
}

// saveStates is SaveStates; taken says that no other journal has to take the states first.
func (f *Folder) saveStates(states []sidecar.SavedState, taken bool) error {
	f.records.Lock()
	defer f.records.Unlock()
	if err := f.syncRows(coveredBy(states)); err != nil {
		return err
	}
	plan := f.kinds.Plan(states)
	err := f.change(func(e *edit) error {
		for _, state := range states {
			if err := f.commit(e, state, taken); err != nil {
				return err
			}
		}
		save, gone := plan.Settle(e.keys())
		for _, key := range gone {
			e.dropState(key)
		}
		for _, state := range save {
			e.keep(state)
		}
		return nil
	})
	if err == nil {
		f.kinds.Saved(states)
	}
	return err
}

// keep makes a state the saved one of its key.
func (e *edit) keep(state sidecar.SavedState) {
	saved := stateRecord{SavedAt: now(), State: state.State}
	if !sidecar.OfAllStreams(state.Key) {
		saved.Stream = &state.Stream
	}
	e.setState(state.Key, saved)
}

// commit notes how large each covered file is at a state; taken as in saveStates.
func (f *Folder) commit(e *edit, state sidecar.SavedState, taken bool) error {
	return f.eachCovered(e, state, func(file *rowsFile, known *fileRecord, sum string) error {
		position := state.Covers[known.Stream]
		end := max(file.base()+position.Bytes, file.floor)
		if end < 0 || end > file.end {
			return fmt.Errorf("state %s covers %d bytes of stream %s, and only %d were loaded", state.Key, position.Bytes, known.Stream, file.handed)
		}
		known.add(checkpoint{Key: state.Key, Digest: sum, Bytes: end})
		if file.handed == 0 {
			file.early.add(checkpoint{Key: state.Key, Digest: sum})
		}
		file.unconfirmed = true
		if taken {
			file.confirm(known, state.Key, sum)
		}
		return nil
	})
}

// eachCovered changes what is recorded of each file that a state covers. Streams whose rows are at another destination have none.
func (f *Folder) eachCovered(e *edit, state sidecar.SavedState, change func(file *rowsFile, known *fileRecord, sum string) error) error {
	sums, err := newDigests(state)
	if err != nil {
		return fmt.Errorf("%w: %w", sidecar.ErrStateRefused, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for stream := range state.Covers {
		file, found := f.files[stream]
		if !found {
			continue
		}
		sum, err := sums.of(stream)
		if err != nil {
			return err
		}
		known, _ := e.file(file.name)
		known.Stream = stream
		if err := change(file, &known, sum); err != nil {
			return err
		}
		e.setFile(file.name, known)
	}
	return nil
}

// confirm notes that the journal took a state: reads start from it, or from a later one.
func (r *rowsFile) confirm(known *fileRecord, key, sum string) {
	known.confirm(key, sum)
	r.unconfirmed = false
	if r.config.SyncMode == airbyte.Incremental {
		known.UnfinishedFrom = nil // without a state only after a reset, and then these rows stay
	}
}

// coveredBy lists the streams that the states cover.
func coveredBy(states []sidecar.SavedState) []airbyte.StreamDescriptor {
	var streams []airbyte.StreamDescriptor
	for _, state := range states {
		for stream := range state.Covers {
			streams = append(streams, stream)
		}
	}
	return streams
}

// syncsAtOnce is how many files are brought to the disk at once: a file system commits what comes together in one go.
const syncsAtOnce = 16

// syncRows brings what was loaded of the streams to the disk.
func (f *Folder) syncRows(streams []airbyte.StreamDescriptor) error {
	var dirty []*rowsFile
	f.mu.Lock()
	for _, stream := range streams {
		if file, found := f.files[stream]; found && file.dirty {
			dirty = append(dirty, file)
		}
	}
	f.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	for _, file := range dirty {
		group.Go(func() error { return f.syncFile(file) })
	}
	return group.Wait()
}

// syncFile brings what was loaded of a stream to the disk.
func (f *Folder) syncFile(file *rowsFile) error {
	f.mu.Lock()
	created := file.created
	file.dirty, file.created = false, false // rows that are loaded from here on are dirty again
	f.mu.Unlock()
	err := syncPath(file.path)
	if created {
		err = errors.Join(err, f.syncFolders(file.path))
	}
	if err != nil {
		f.mu.Lock()
		file.dirty, file.created = true, file.created || created
		f.mu.Unlock()
	}
	return err
}
