package local

import (
	"errors"
	"os"
	"path/filepath"
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
	for i, file := range files {
		if file.voids && file.file.handed == 0 {
			files[i].next.Checkpoints = file.file.early.Checkpoints
		}
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
	return f.change(func(r *record) error {
		for _, file := range files {
			r.Files[file.file.name] = file.next
			if file.voids {
				delete(r.States, file.next.Stream.String())
			}
		}
		return nil
	})
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
