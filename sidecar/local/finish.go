package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/cursor"
	"sync-sidecar/sidecar/keyindex"
)

// Finish tells the folder that streams were read to their end and that all their rows and states are here: it must be called once at the end of a
// read, after the last SaveStates, for the streams that are complete. Their rows are then kept by later reads that start without a state, and those
// with append_dedup and a primary key are brought to one row per key: the last one wins, in the place where it stands. SaveTask does the same for
// the streams that it is told are a success; called before the verdict, Finish lets the verdict know what went wrong. Calling it again is harmless.
func (f *Folder) Finish(ctx context.Context, streams []airbyte.StreamDescriptor) error {
	if err := f.vouch(streams); err != nil {
		return fmt.Errorf("finish streams: %w", err)
	}
	return f.merge(ctx, streams)
}

// vouch records all that was loaded of the streams as committed.
func (f *Folder) vouch(streams []airbyte.StreamDescriptor) error {
	f.records.Lock()
	defer f.records.Unlock()
	if err := f.syncRows(streams); err != nil {
		return err
	}
	return f.change(func(e *edit) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, stream := range streams {
			file, found := f.files[stream]
			// A source that does not get its last state again reads these rows again.
			again := found && file.unconfirmed && file.config.SyncMode == airbyte.Incremental
			if found && !again {
				known, _ := e.file(file.name)
				known.Stream, known.Committed, known.UnfinishedFrom = stream, file.end, nil
				e.setFile(file.name, known)
			}
		}
		return nil
	})
}

// mergeBatch is how many bytes of merged rows may wait for being put into place together: a record of each alone would take longer than the merge
// where there are many small streams, and all together would need the disk twice. openIndexes is how many indexes of keys may wait.
const (
	mergeBatch  = 64 << 20
	openIndexes = 16
)

// merge brings the files of streams to one row per key, where their catalog wants that. One that fails does not keep the others from it.
func (f *Folder) merge(ctx context.Context, streams []airbyte.StreamDescriptor) error {
	var failures []error
	var merged []newFile
	var waiting int64
	indexes := 0
	flush := func() {
		if len(merged) > 0 {
			failures = append(failures, f.putMerged(merged))
		}
		merged, waiting, indexes = nil, 0, 0
	}
	for _, stream := range streams {
		next, wanted, err := f.mergeStream(ctx, stream)
		switch {
		case err != nil:
			failures = append(failures, fmt.Errorf("bring stream %s to one row per key: %w", stream, err))
		case wanted:
			merged = append(merged, next)
			if next.temp != "" {
				waiting += next.next.Committed - next.from
			}
			if next.keys != nil {
				indexes++
			}
		}
		if waiting >= mergeBatch || indexes >= openIndexes {
			flush()
		}
	}
	flush()
	return errors.Join(failures...)
}

// mergeStream merges the rows of one stream into a new file, where that is wanted. When nothing was there twice the file stays.
func (f *Folder) mergeStream(ctx context.Context, stream airbyte.StreamDescriptor) (merged newFile, wanted bool, err error) {
	f.mu.Lock()
	file, found := f.files[stream]
	if !found || file.keyless || file.config.DestinationSyncMode != airbyte.AppendDedup || len(file.config.Key()) == 0 {
		f.mu.Unlock()
		return newFile{}, false, nil
	}
	end, next := file.end, f.record.Files[file.name]
	f.mu.Unlock()
	if next.OnePerKey == end {
		return newFile{}, false, nil
	}
	c, err := f.compact(ctx, file, next.OnePerKey, end)
	if err != nil {
		return newFile{}, false, err
	}
	if next.OnePerKey = c.size; c.temp != "" {
		next.Committed = c.size
	}
	return newFile{file: file, compaction: c, next: next}, true, nil
}

// compact is what becomes of a file of rows. Only a large one has an index of its keys.
func (f *Folder) compact(ctx context.Context, file *rowsFile, unique, end int64) (compaction, error) {
	rows := duplicates{path: file.path, merge: merging{key: file.config.Key(), cursor: cursorOf(file.config)}, unique: unique, end: end}
	index := f.keysPath(file.name)
	if end >= f.indexFrom {
		rows.index = index
	} else if err := keyindex.Remove(index); err != nil {
		return compaction{}, err
	}
	return compact(ctx, rows)
}

// putMerged brings merged files to the disk, and puts them into place.
func (f *Folder) putMerged(merged []newFile) error {
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	for _, file := range merged {
		if file.temp != "" {
			group.Go(func() error { return syncPath(file.temp) })
		}
	}
	err := group.Wait()
	if err == nil {
		err = f.swap(merged)
	}
	for _, file := range merged {
		if err == nil && file.keys != nil {
			err = errors.Join(err, f.commitKeys(file))
		}
		err = errors.Join(err, file.discard())
	}
	if err != nil {
		return fmt.Errorf("put merged rows into place: %w", err)
	}
	return nil
}

// commitKeys makes the keys of a file part of its index, now that its record says that it has one row per key. Killed before, they are found again.
func (f *Folder) commitKeys(file newFile) error {
	rows, err := os.Open(file.file.path)
	if err != nil {
		return diskError(file.file.path, err)
	}
	return errors.Join(file.keys.Commit(rows, file.size), rows.Close())
}

// keysPath is where the index of the keys of a file of rows is.
func (f *Folder) keysPath(rowsFile string) string {
	return filepath.Join(f.dir, keysDir, filepath.FromSlash(strings.TrimPrefix(rowsFile, rowsDir+"/")))
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

// cursorOf is where the value is that grows with each version of a row; empty when that is not known.
func cursorOf(stream airbyte.ConfiguredStream) cursor.Path {
	if len(stream.Cursor()) == 0 {
		return ""
	}
	return cursor.NewPath(stream.Cursor())
}
