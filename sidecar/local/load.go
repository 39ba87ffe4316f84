package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sync-sidecar/sidecar"
)

// copyBuffer is the size of a write where the rows do not write themselves; copyChunk is how much is copied between two looks at the context.
const (
	copyBuffer = 256 << 10
	copyChunk  = 64 << 20
)

// Load adds rows to the stream's file, or makes it anew. Rows of a load that failed are cut away again. The rows survive the end of this process
// when Load returns; a power cut they survive once a state covers them (SaveStates, Finish) or, replaced, at once.
func (f *Folder) Load(ctx context.Context, load sidecar.Load) error {
	file, err := f.file(load.Table)
	if err != nil {
		return err
	}
	if load.Mode == sidecar.ReplaceWhole || load.Mode == sidecar.ReplaceFirst && !f.nothingToReplace(file) {
		err = f.replace(ctx, file, load.Rows)
	} else {
		err = f.append(ctx, file, load.Rows)
	}
	return loadError(load.Table, err)
}

// loadError makes a refusal of what the disk said. That the rows ended early is the reader's own word and stays as it is.
func loadError(table sidecar.Table, err error) error {
	var disk *os.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sidecar.ErrLoadAborted), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), !errors.As(err, &disk):
		return fmt.Errorf("rows of stream %s: %w", table.Stream, err)
	}
	return &sidecar.LoadError{Environment: true, Message: "rows of stream " + table.Stream.String(), Cause: err}
}

// file is what Resume prepared for a table.
func (f *Folder) file(table sidecar.Table) (*rowsFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, found := f.files[table.Stream]
	if !found {
		return nil, &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("stream %s is not in the catalog that Resume was given", table.Stream)}
	}
	file.keyless = len(table.PrimaryKey) == 0
	return file, nil
}

// nothingToReplace says that there is no row, and no state that vouches for rows. Until a state does, a crash takes the rows of this read back
// (Resume cuts to UnfinishedFrom), so that a first batch which is added is as good as one that is renamed into place, and costs no record. A stream
// that is overwritten is not cut.
func (f *Folder) nothingToReplace(file *rowsFile) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.record.Files[file.name]
	_, vouched := f.record.States[file.config.Stream.Descriptor().String()]
	return !overwritten(file.config) && file.end == 0 && file.handed == 0 && !vouched && len(known.Checkpoints) == 0 &&
		known.UnfinishedFrom != nil
}

// append adds rows at the end.
func (f *Folder) append(ctx context.Context, file *rowsFile, rows sidecar.Rows) (err error) {
	f.mu.Lock()
	end := file.end
	f.mu.Unlock()
	target, created, err := openEnd(file.path, end)
	if err != nil {
		return err
	}
	written, err := f.copyRows(ctx, target, rows)
	if err == nil {
		err = checkRows(target, end, written, rows)
	}
	if err != nil {
		// The rows are given again: what arrived of them goes. Should that fail too, the next append cuts it.
		return errors.Join(err, undo(target, end, created))
	}
	if err := target.Close(); err != nil {
		return diskError(file.path, err)
	}
	f.mu.Lock()
	file.end, file.handed = end+written, file.handed+written
	file.dirty, file.created = true, file.created || created
	f.mu.Unlock()
	return nil
}

// openEnd opens a file of rows for writing at its end, and cuts what a load that could not clean up left behind it.
func openEnd(path string, end int64) (target *os.File, created bool, err error) {
	target, err = os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, false, diskError(path, err)
		}
		created = true
		target, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	}
	if err != nil {
		return nil, false, diskError(path, err)
	}
	info, err := target.Stat()
	switch {
	case err != nil:
	case info.Size() < end:
		err = fmt.Errorf("it has %d bytes, and %d were written: someone cut or removed it during this read", info.Size(), end)
	case info.Size() > end:
		err = target.Truncate(end)
	}
	if err == nil {
		_, err = target.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, false, errors.Join(diskError(path, &os.PathError{Op: "append to", Path: path, Err: err}), target.Close())
	}
	return target, created, nil
}

// undo takes a failed append back and closes the file.
func undo(target *os.File, end int64, created bool) error {
	err := errors.Join(target.Truncate(end), target.Close())
	if created {
		err = errors.Join(err, removeIfThere(target.Name()))
	}
	return err
}

// replace makes the rows the whole content, by rename, when all of them are there (I6).
func (f *Folder) replace(ctx context.Context, file *rowsFile, rows sidecar.Rows) error {
	temp := file.path + tempSuffix
	if err := os.MkdirAll(filepath.Dir(file.path), 0o755); err != nil {
		return diskError(file.path, err)
	}
	target, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return diskError(temp, err)
	}
	written, err := f.copyRows(ctx, target, rows)
	if err == nil {
		err = checkRows(target, 0, written, rows)
	}
	if err == nil {
		if err = target.Sync(); err != nil {
			err = diskError(temp, err)
		}
	}
	if err = errors.Join(err, target.Close()); err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	stream := file.config.Stream.Descriptor()
	whole := newFile{file: file, next: fileRecord{Stream: stream, Committed: written}, voids: true}
	whole.temp, whole.size = temp, written
	return f.swap([]newFile{whole})
}

// copyRows writes the rows where target stands, in large pieces and without looking into them.
func (f *Folder) copyRows(ctx context.Context, target *os.File, rows sidecar.Rows) (written int64, err error) {
	source, err := rows.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	switch source := source.(type) {
	case *os.File: // the kernel copies
		for {
			n, err := io.CopyN(target, source, copyChunk)
			written += n
			if errors.Is(err, io.EOF) {
				return written, nil
			}
			if err = errors.Join(err, context.Cause(ctx)); err != nil {
				return written, writeError(target, err)
			}
		}
	case io.WriterTo:
		written, err = source.WriteTo(target)
	default:
		buffer := f.buffers.Get().(*[]byte) //nolint:forcetypeassert // only New and Put below fill the pool
		defer f.buffers.Put(buffer)
		// os.File's own ReadFrom would use a buffer of 32 KiB.
		written, err = io.CopyBuffer(struct{ io.Writer }{target}, source, *buffer)
	}
	return written, writeError(target, err)
}

// writeError tells errors of the disk from those of the rows.
func writeError(target *os.File, err error) error {
	var disk *os.PathError
	if errors.As(err, &disk) && disk.Path == target.Name() {
		return diskError(target.Name(), err)
	}
	return err
}

// checkRows compares what was written after begin with what the rows say they were: this is the last place where a torn row can be noticed.
func checkRows(target *os.File, begin, written int64, rows sidecar.Rows) error {
	if size := rows.Size(); written != size {
		return fmt.Errorf("%d bytes were read of %d", written, size)
	}
	if written == 0 {
		return nil
	}
	last := make([]byte, 1)
	if _, err := target.ReadAt(last, begin+written-1); err != nil {
		return diskError(target.Name(), err)
	}
	if last[0] != '\n' {
		return errors.New("the last row has no line feed")
	}
	return nil
}
