package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"sync-sidecar/sidecar/airbyte"
)

// Finish tells the folder that streams were read to their end and that all their rows and states are here: it must be called once at the end of a
// read, after the last SaveStates, for the streams that are complete. Their rows are then kept by later reads that start without a state, and those
// with append_dedup and a primary key are brought to one row per key: the last one wins, in the place where it stands. SaveTask does the same for
// the streams that it is told are a success; called before the verdict, Finish lets the verdict know what went wrong. Calling it again is harmless.
func (f *Folder) Finish(ctx context.Context, streams []airbyte.StreamDescriptor) error {
	if err := f.vouch(streams); err != nil {
		return fmt.Errorf("finish streams: %w", err)
	}
	var failures []error
	for _, stream := range streams {
		if err := f.merge(ctx, stream); err != nil {
			failures = append(failures, fmt.Errorf("bring stream %s to one row per key: %w", stream, err))
		}
	}
	return errors.Join(failures...)
}

// vouch records all that was loaded of the streams as committed.
func (f *Folder) vouch(streams []airbyte.StreamDescriptor) error {
	f.records.Lock()
	defer f.records.Unlock()
	if err := f.syncRows(streams); err != nil {
		return err
	}
	return f.change(func(r *record) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, stream := range streams {
			if file, found := f.files[stream]; found {
				known := r.Files[file.name]
				known.Stream, known.Committed, known.UnfinishedFrom = stream, file.end, nil
				r.Files[file.name] = known
			}
		}
		return nil
	})
}

// merge brings the file of a stream to one row per key, where its catalog wants that.
func (f *Folder) merge(ctx context.Context, stream airbyte.StreamDescriptor) error {
	f.mu.Lock()
	file, found := f.files[stream]
	if !found || file.keyless || file.config.DestinationSyncMode != airbyte.AppendDedup || len(primaryKey(file.config)) == 0 {
		f.mu.Unlock()
		return nil
	}
	end, next := file.end, f.record.Files[file.name]
	f.mu.Unlock()
	if next.OnePerKey == end {
		return nil
	}
	temp := file.path + tempSuffix
	size, err := compact(ctx, file.path, temp, primaryKey(file.config), end)
	if err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	next.OnePerKey = size
	if size == end { // nothing was there twice: the file stays
		f.records.Lock()
		defer f.records.Unlock()
		return f.change(func(r *record) error { r.Files[file.name] = next; return nil })
	}
	next.Committed = size
	next.Checkpoints = append([]checkpoint(nil), next.Checkpoints...)
	for i := range next.Checkpoints {
		// Rows after a state cannot be told from those before any more. Whoever resumes there brings them again, and they merge again.
		next.Checkpoints[i].Bytes = size
	}
	if err := f.swap(file, temp, next, ""); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file.end, file.floor = size, size
	return nil
}

// primaryKey is what the configured catalog says, else what the source says: paths into the row.
func primaryKey(stream airbyte.ConfiguredStream) [][]string {
	if len(stream.PrimaryKey) > 0 {
		return stream.PrimaryKey
	}
	return stream.Stream.SourceDefinedPrimaryKey
}

// syncFolders brings the names of a new file and of its folders to the disk.
func (f *Folder) syncFolders(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if err := syncPath(dir); err != nil {
			return err
		}
		if dir == f.dir || len(dir) < len(f.dir) {
			return nil
		}
	}
}
