package local

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// replaceTail puts the rows in temp in the place of those of path from an offset on. They must not be more bytes. The record of what the file will be
// (fileRecord.Next, with TailFrom) has to be on the disk, and temp too: should this be killed, the next Resume does it again, from its begin.
//
// The new rows are written over the old ones and the rest is cut afterwards, so that no row is missing at any time.
func replaceTail(path, temp string, from int64) (err error) {
	source, err := os.Open(temp)
	if err != nil {
		return diskError(temp, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return diskError(path, err)
	}
	if _, err = target.Seek(from, io.SeekStart); err == nil {
		var size int64
		if size, err = io.Copy(target, source); err == nil {
			err = errors.Join(target.Truncate(from+size), target.Sync())
		}
	}
	if err = errors.Join(err, target.Close()); err != nil {
		return diskError(path, err)
	}
	return nil
}

// finishTails does again what a kill may have interrupted while the end of a file was replaced: its new rows are still there.
//
// +checklocks:f.records
func (f *Folder) finishTails() error {
	for name, known := range f.record.Files {
		if known.Next == nil || known.Next.TailFrom == nil {
			continue
		}
		path := filepath.Join(f.dir, filepath.FromSlash(name))
		from, end := *known.Next.TailFrom, known.Next.Committed
		size, _, err := fileSize(path)
		if err != nil {
			return err
		}
		rest, there, err := fileSize(path + tailSuffix)
		if err != nil {
			return err
		}
		if there && rest == end-from && size >= from {
			if err := replaceTail(path, path+tailSuffix, from); err != nil {
				return err
			}
		}
	}
	return nil
}
