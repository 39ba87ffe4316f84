package local

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// newFile is a file of rows that takes the place of another.
type newFile struct {
	file  *rowsFile
	temp  string // where it is, brought to the disk; "" when the other one stays and only next is new
	next  fileRecord
	voids bool // none of the other one's rows are in it: the state of its stream vouches for nothing any more
}

// swap renames new files into place. Their records are written ahead, so that a kill at any point leaves pairs that fit. After an error no temporary
// file is left, and each file is the old or the new one.
func (f *Folder) swap(files []newFile) (err error) {
	f.records.Lock()
	defer f.records.Unlock()
	defer func() {
		if err == nil {
			return
		}
		for _, file := range files {
			if file.temp != "" {
				err = errors.Join(err, removeIfThere(file.temp))
			}
		}
	}()
	for i := range files {
		files[i].next = f.upToDate(files[i])
	}
	if err := f.announce(files); err != nil {
		return err
	}
	folders := map[string]bool{}
	for _, file := range files {
		if file.temp == "" {
			continue
		}
		if err := os.Rename(file.temp, file.file.path); err != nil {
			return diskError(file.file.path, err)
		}
		folders[filepath.Dir(file.file.path)] = true
	}
	for folder := range folders {
		if err := syncPath(folder); err != nil {
			return err
		}
	}
	err = f.change(func(r *record) error {
		for _, file := range files {
			r.Files[file.file.name] = file.next
			if file.voids {
				delete(r.States, file.next.Stream.String())
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range files {
		file.settle()
	}
	return nil
}

// settle makes the new file the one that later loads and states count from. No state may be recorded between its rename and this.
func (n newFile) settle() {
	if n.temp == "" {
		return
	}
	n.file.end, n.file.floor = n.next.Committed, n.next.Committed
	if n.voids {
		n.file.handed, n.file.floor = n.file.handed+n.next.Committed, 0
		n.file.dirty, n.file.created = false, false
	}
}

// upToDate is the record of a new file with the states that were saved while its rows were looked at. The caller holds records.
func (f *Folder) upToDate(file newFile) fileRecord {
	f.mu.Lock()
	defer f.mu.Unlock()
	next, known := file.next, f.record.Files[file.file.name]
	switch {
	case file.voids && file.file.handed == 0:
		next.Checkpoints = file.file.early.Checkpoints
	case !file.voids:
		next.Checkpoints, next.UnfinishedFrom = slices.Clone(known.Checkpoints), known.UnfinishedFrom
		if file.temp == "" {
			next.Committed = known.Committed
			break
		}
		for i := range next.Checkpoints {
			// Rows after a state cannot be told from those before any more. Whoever resumes there brings them again, and they merge again.
			next.Checkpoints[i].Bytes = next.Committed
		}
	}
	return next
}

// announce writes down what files will be.
func (f *Folder) announce(files []newFile) error {
	renames := false
	for _, file := range files {
		renames = renames || file.temp != ""
	}
	if !renames {
		return nil
	}
	return f.change(func(r *record) error {
		for _, file := range files {
			if file.temp != "" {
				known := r.Files[file.file.name]
				known.Stream, known.Next = file.next.Stream, &file.next
				r.Files[file.file.name] = known
			}
		}
		return nil
	})
}
