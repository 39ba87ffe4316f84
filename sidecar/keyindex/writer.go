package keyindex

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Writer writes a new run, of rows behind those that the index covers.
type Writer struct {
	index *Index
	run   *run
	out   *bufio.Writer
}

// Begin begins a run where the index ends.
func (x *Index) Begin() (*Writer, error) {
	if err := os.MkdirAll(x.dir, 0o755); err != nil {
		return nil, fmt.Errorf("key index: %w", err)
	}
	return x.begin(x.Covered(), "new"+tempSuffix)
}

func (x *Index) begin(from int64, name string) (*Writer, error) {
	file, err := os.OpenFile(filepath.Join(x.dir, name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("key index: %w", err)
	}
	w := &Writer{index: x, run: &run{file: file, kind: x.kind, from: from}, out: bufio.NewWriterSize(file, 64<<10)}
	if _, err := w.out.Write(make([]byte, headerSize)); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	return w, nil
}

// Add adds an entry. They have to come in the order of Compare.
func (w *Writer) Add(entry Entry) error {
	var encoded [entrySize]byte
	binary.BigEndian.PutUint64(encoded[:], entry.Key)
	binary.BigEndian.PutUint64(encoded[8:], entry.Row)
	if _, err := w.out.Write(encoded[:]); err != nil {
		return fmt.Errorf("key index: %w", err)
	}
	w.run.count++
	return nil
}

// Abort drops the run. It does nothing after Commit.
func (w *Writer) Abort() error {
	if w.run == nil {
		return nil
	}
	file := w.run.file
	w.run = nil
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// Commit makes the run part of the index: it covers the rows up to the offset to. The index is closed afterwards.
func (w *Writer) Commit(rows io.ReaderAt, to int64) error {
	x := w.index
	if to <= w.run.from { // no rows
		return errors.Join(w.Abort(), x.Close())
	}
	tail, err := tailSum(rows, to)
	if err == nil {
		w.run.to, w.run.tail = to, tail
		err = w.finish()
	}
	if err == nil {
		err = x.mergeSmall()
	}
	if err != nil {
		err = fmt.Errorf("key index: %w", err)
	}
	return errors.Join(err, w.Abort(), x.Close())
}

// finish completes the file and puts it into place.
func (w *Writer) finish() error {
	r := w.run
	if err := w.out.Flush(); err != nil {
		return err
	}
	if _, err := r.file.WriteAt(r.header(), 0); err != nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return err
	}
	x := w.index
	temp, path := r.file.Name(), filepath.Join(x.dir, fmt.Sprintf("%d-%d%s", r.from, r.to, runSuffix))
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	// A power cut may undo the rename: the rows are read again then.
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	err = r.file.Close()
	r.file = file
	x.runs = append(slices.DeleteFunc(x.runs, func(other *run) bool {
		replaced := other.from >= r.from
		if replaced {
			err = errors.Join(err, other.file.Close())
		}
		return replaced
	}), r)
	w.run = nil
	return errors.Join(err, x.removeOthers())
}

// mergeSmall merges the last runs until each is at most half as long as the one before.
func (x *Index) mergeSmall() error {
	first, sum := len(x.runs), int64(0)
	for first > 0 && (first == len(x.runs) || x.runs[first-1].count < 2*sum) {
		first--
		sum += x.runs[first].count
	}
	if len(x.runs)-first < 2 {
		return nil
	}
	merged := x.runs[first:]
	w, err := x.begin(merged[0].from, "merged"+tempSuffix)
	if err != nil {
		return err
	}
	last := merged[len(merged)-1]
	w.run.to, w.run.tail = last.to, last.tail
	if err := w.merge(merged); err != nil {
		return errors.Join(err, w.Abort())
	}
	return errors.Join(w.finish(), w.Abort())
}

// merge adds the entries of all runs in their order.
func (w *Writer) merge(runs []*run) error {
	type source struct {
		reader *reader
		number int64
		entry  Entry
	}
	var sources []*source
	for _, r := range runs {
		sources = append(sources, &source{reader: r.reader(scanBlock), number: -1})
	}
	next := func(s *source) (more bool, err error) {
		s.number++
		s.entry, more, err = s.reader.at(s.number)
		return more, err
	}
	var failed error
	sources = slices.DeleteFunc(sources, func(s *source) bool {
		more, err := next(s)
		failed = errors.Join(failed, err)
		return !more
	})
	for failed == nil && len(sources) > 0 {
		least := 0
		for i := range sources {
			if sources[i].entry.Key < sources[least].entry.Key {
				least = i
			}
		}
		if err := w.Add(sources[least].entry); err != nil {
			return err
		}
		more, err := next(sources[least])
		if failed = err; !more {
			sources = slices.Delete(sources, least, least+1)
		}
	}
	return failed
}
