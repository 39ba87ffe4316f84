package local

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// newFile is a file of rows that takes the place of another, or of its rows from an offset on.
type newFile struct {
	compaction // whose temp is brought to the disk
	file       *rowsFile
	next       fileRecord
	voids      bool // none of the other one's rows are in it: the state of its stream vouches for nothing any more

	inPlace bool // it was renamed, where it has to be
}

// swapping is a call of swap that waits for its turn.
type swapping struct {
	files []newFile
	done  bool
	err   error
}

// swap puts new files into place. Their records are written ahead, so that a kill at any point leaves pairs that fit, or what Resume makes a pair of
// (see replaceTail). After an error no temporary file is left, and each file is the old or the new one. Calls that wait for each other are done in
// one go: the disk is waited for once.
func (f *Folder) swap(files []newFile) error {
	mine := &swapping{files: files}
	f.mu.Lock()
	f.swaps = append(f.swaps, mine)
	f.mu.Unlock()
	f.records.Lock()
	defer f.records.Unlock()
	if !mine.done {
		f.mu.Lock()
		waiting := f.swaps
		f.swaps = nil
		f.mu.Unlock()
		f.swapAll(waiting)
	}
	if mine.err != nil {
		return errors.Join(mine.err, removeTemps(files))
	}
	return nil
}

// swapAll does what all calls ask for.
//
// +checklocks:f.records
func (f *Folder) swapAll(calls []*swapping) {
	var files []*newFile
	for _, call := range calls {
		call.done = true
		for i := range call.files {
			call.files[i].next = f.upToDate(call.files[i])
			files = append(files, &call.files[i])
		}
	}
	err := f.announce(files)
	folders := map[string]bool{}
	for _, call := range calls {
		if call.err = err; err == nil {
			call.err = call.rename(folders)
		}
	}
	for folder := range folders {
		err = errors.Join(err, syncPath(folder))
	}
	if err == nil {
		err = f.settle(files)
	}
	for _, call := range calls {
		if call.err == nil {
			call.err = err
		}
	}
}

// rename puts the files into place, and notes in which folders.
func (s *swapping) rename(folders map[string]bool) error {
	for i := range s.files {
		file := &s.files[i]
		switch {
		case file.temp == "":
		case file.from > 0:
			if err := replaceTail(file.file.path, file.temp, file.from); err != nil {
				file.temp = "" // it stays for the next Resume
				return err
			}
		default:
			if err := os.Rename(file.temp, file.file.path); err != nil {
				return diskError(file.file.path, err)
			}
			folders[filepath.Dir(file.file.path)] = true
		}
		file.inPlace = true
	}
	return nil
}

// settle records the files that are in place, and makes them those that later loads and states count from. No state may be recorded between their
// renames and this.
//
// +checklocks:f.records
func (f *Folder) settle(files []*newFile) error {
	files = slices.DeleteFunc(files, func(n *newFile) bool { return !n.inPlace })
	// A power cut that undoes this leaves what was announced, and the size of the file says that it came to pass.
	err := f.changeSoon(func(e *edit) error {
		for _, file := range files {
			file.record(e)
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

// record notes what the file is now.
func (n newFile) record(e *edit) {
	e.setFile(n.file.name, n.next)
	if n.voids {
		e.dropState(n.next.Stream.String())
	}
}

// removeTemps removes the temporary files of calls that came to nothing.
func removeTemps(files []newFile) (err error) {
	for _, file := range files {
		if file.temp != "" {
			err = errors.Join(err, removeIfThere(file.temp))
		}
	}
	return err
}

// settle makes the new file the one that later loads and states count from.
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

// upToDate is the record of a new file with the states that were saved while its rows were looked at.
//
// +checklocks:f.records
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
			if next.Checkpoints[i].Bytes > file.from || file.from == 0 {
				next.Checkpoints[i].Bytes = next.Committed
			}
		}
	}
	return next
}

// announce writes down what files will be.
//
// +checklocks:f.records
func (f *Folder) announce(files []*newFile) error {
	renames := false
	for _, file := range files {
		renames = renames || file.temp != ""
	}
	if !renames {
		return nil
	}
	return f.change(func(e *edit) error {
		for _, file := range files {
			if file.temp != "" {
				known, _ := e.file(file.file.name)
				announced := file.next
				if file.from > 0 {
					announced.TailFrom = &file.from
				}
				known.Stream, known.Next = file.next.Stream, &announced
				e.setFile(file.file.name, known)
			}
		}
		return nil
	})
}
