// Package keyindex remembers on the disk which keys a file of rows holds, so that whoever adds rows need not read those before. It is kept beside the
// rows and can be lost at any time: the rows are the truth, and what does not fit them any more is dropped.
//
// An index is a folder of runs. A run covers the rows between two offsets of the file (its name says which), and holds 16 bytes for each, sorted: a
// fingerprint of the key and one of the whole row. Runs go on from each other, from the begin of the file. A run is written beside its name and
// renamed, so that a kill leaves it whole or not at all. Small runs are merged into larger ones: their number grows with the logarithm of the rows.
//
// A fingerprint has 64 bits: that a key seems to be there which is not costs its user time, and happens once in 10^11 among a hundred million keys.
package keyindex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Entry stands for a row: fingerprints of its key and of all of it.
type Entry struct{ Key, Row uint64 }

// Compare orders entries as a run holds them.
func (e Entry) Compare(other Entry) int { return cmp.Compare(e.Key, other.Key) }

// RowSum is the fingerprint of a row.
func RowSum(row []byte) uint64 { return xxhash.Sum64(row) }

// Sizes in bytes: of an entry, of what stands before the entries, and of the rows before the end of a run by which it is told whether it fits the
// file.
const (
	entrySize  = 16
	headerSize = 64
	tailSize   = 64 << 10
)

// magic begins every run of this format.
const magic = "sskeys1\n"

// suffixes of a run, and of one that is being written.
const (
	runSuffix  = ".run"
	tempSuffix = ".tmp"
)

// Index is what is known of the rows at the begin of a file. It is for one goroutine.
type Index struct {
	dir  string
	kind uint64
	runs []*run
}

// Open opens the index in the folder dir, which need not exist. What of it cannot be used is removed: runs whose keys are of another kind (a number
// that tells what a key is made of), that go beyond the offset limit, or that do not fit the rows.
func Open(dir string, kind uint64, rows io.ReaderAt, limit int64) (*Index, error) {
	x := &Index{dir: dir, kind: kind}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return nil, fmt.Errorf("key index: %w", err)
	}
	var found []*run
	for _, entry := range entries {
		candidate, err := openRun(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, errors.Join(err, closeAll(found))
		}
		if candidate != nil {
			found = append(found, candidate)
		}
	}
	x.runs = chain(found, func(r *run) bool { return r.kind == kind && r.to <= limit && r.fits(rows) })
	if err := x.removeOthers(); err != nil {
		return nil, errors.Join(err, closeAll(found))
	}
	others := slices.DeleteFunc(found, func(r *run) bool { return slices.Contains(x.runs, r) })
	return x, closeAll(others)
}

// chain picks the runs that go on from each other, from 0. Of those with one begin the longest counts: it was merged from the others.
func chain(found []*run, usable func(*run) bool) []*run {
	slices.SortFunc(found, func(a, b *run) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	var runs []*run
	end := int64(0)
	for _, candidate := range found {
		if candidate.from == end && candidate.to > end && usable(candidate) {
			runs, end = append(runs, candidate), candidate.to
		}
	}
	return runs
}

// Covered is up to which offset of the file the keys are known.
func (x *Index) Covered() int64 {
	if len(x.runs) == 0 {
		return 0
	}
	return x.runs[len(x.runs)-1].to
}

// Find calls found for each of the entries, which must be sorted, whose key is in the index; same says that the row there is the same to the byte.
func (x *Index) Find(entries []Entry, found func(i int, same bool)) error {
	for _, r := range x.runs {
		reader := r.reader(probeBlock)
		for i, entry := range entries {
			at, err := reader.lowerBound(entry.Key)
			if err != nil {
				return err
			}
			there, same := false, false
			for ; ; at++ {
				known, more, err := reader.at(at)
				if err != nil {
					return err
				}
				if !more || known.Key != entry.Key {
					break
				}
				there, same = true, same || known.Row == entry.Row
			}
			if there {
				found(i, same)
			}
		}
	}
	return nil
}

// Forget removes all that is known: the rows are about to be others. What is being written stays.
func (x *Index) Forget() error {
	var failures []error
	for _, r := range x.runs {
		if err := errors.Join(r.file.Close(), os.Remove(r.file.Name())); err != nil {
			failures = append(failures, fmt.Errorf("key index: %w", err))
		}
	}
	x.runs = nil
	return errors.Join(failures...)
}

// Remove removes the index in a folder, if there is one.
func Remove(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("key index: %w", err)
	}
	return nil
}

// Close closes the files. A second Close does nothing.
func (x *Index) Close() error {
	runs := x.runs
	x.runs = nil
	return closeAll(runs)
}

func closeAll(runs []*run) (err error) {
	for _, r := range runs {
		err = errors.Join(err, r.file.Close())
	}
	return err
}

// removeOthers removes what is in the folder beside the runs.
func (x *Index) removeOthers() error {
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return fmt.Errorf("key index: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(x.dir, entry.Name())
		if !slices.ContainsFunc(x.runs, func(r *run) bool { return r.file.Name() == path }) {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("key index: %w", err)
			}
		}
	}
	return nil
}

// run is a file of entries.
type run struct {
	file     *os.File
	kind     uint64
	from, to int64  // of the rows
	count    int64  // of entries
	tail     uint64 // of the rows before to
}

// openRun opens a file of entries; nil when it is none.
func openRun(path string) (*run, error) {
	if filepath.Ext(path) != runSuffix {
		return nil, nil //nolint:nilnil // no run is a valid answer
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key index: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("key index: %w", err), file.Close())
	}
	header := make([]byte, headerSize)
	if _, err := file.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("key index: %w", err), file.Close())
	}
	r := &run{file: file}
	if !r.parse(header) || info.Size() != headerSize+r.count*entrySize {
		return nil, file.Close()
	}
	return r, nil
}

// parse reads a header; false when it is none.
func (r *run) parse(header []byte) bool {
	sum := xxhash.Sum64(header[:headerSize-8])
	if !bytes.HasPrefix(header, []byte(magic)) || binary.BigEndian.Uint64(header[headerSize-8:]) != sum {
		return false
	}
	field := func(i int) uint64 { return binary.BigEndian.Uint64(header[len(magic)+8*i:]) }
	r.kind, r.from, r.to, r.count, r.tail = field(0), int64(field(1)), int64(field(2)), int64(field(3)), field(4)
	return r.from >= 0 && r.to > r.from && r.count >= 0
}

// header is what parse reads.
func (r *run) header() []byte {
	header := []byte(magic)
	for _, field := range []uint64{r.kind, uint64(r.from), uint64(r.to), uint64(r.count), r.tail} {
		header = binary.BigEndian.AppendUint64(header, field)
	}
	header = append(header, make([]byte, headerSize-8-len(header))...)
	return binary.BigEndian.AppendUint64(header, xxhash.Sum64(header))
}

// fits says whether the rows at the end of the run are those that it was made of.
func (r *run) fits(rows io.ReaderAt) bool {
	sum, err := tailSum(rows, r.to)
	return err == nil && sum == r.tail
}

// tailSum is a fingerprint of the rows before an offset.
func tailSum(rows io.ReaderAt, to int64) (uint64, error) {
	tail := make([]byte, min(to, tailSize))
	if _, err := rows.ReadAt(tail, to-int64(len(tail))); err != nil {
		return 0, err
	}
	return xxhash.Sum64(tail), nil
}
