package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"

	"sync-sidecar/sidecar/cursor"
	"sync-sidecar/sidecar/keyindex"
)

// indexFrom is the size of a file from which on its keys are kept in an index: a smaller one is read again sooner than an index is looked after.
const indexFrom = 4 << 20

// compaction is what bringing a file of rows to one row per key came to.
type compaction struct {
	from int64            // the rows before stay as they are
	temp string           // holds those that take the place of the others; "" when all of them stay, too
	size int64            // of the whole file then
	keys *keyindex.Writer // the keys of the rows from from on, to be committed once the file is in place; nil for a small file

	index *keyindex.Index // that keys is for
}

// discard drops what was prepared, and closes the index. It does nothing after keys.Commit.
func (c compaction) discard() error {
	err := c.abort()
	if c.index != nil {
		err = errors.Join(err, c.index.Close())
	}
	return err
}

// abort drops what was prepared.
func (c compaction) abort() (err error) {
	if c.temp != "" {
		err = removeIfThere(c.temp)
	}
	if c.keys != nil {
		err = errors.Join(err, c.keys.Abort())
	}
	return err
}

// duplicates is a file in which there may be several rows of a key.
type duplicates struct {
	path   string
	merge  merging
	unique int64  // up to where there is one row per key
	end    int64  // of the rows
	index  string // the folder for the index of its keys; "" when it is to have none
}

// compact finds what becomes of the rows when of those with one key only one stays: that with the greatest cursor, of equal ones the last.
//
// When only new keys came, or old rows once more that are the same to the byte, only the rows behind those that have one row per key are read, and
// those stay where they are. Else, all are.
func compact(ctx context.Context, file duplicates) (c compaction, err error) {
	source, err := os.Open(file.path)
	if err != nil {
		return compaction{}, diskError(file.path, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if file.index == "" {
		c, _, err := compactRows(ctx, source, file, nil)
		return c, err
	}
	keys, err := keyindex.Open(file.index, file.merge.kind(), source, min(file.unique, file.end))
	if err != nil {
		return compaction{}, err
	}
	c, again, err := compactRows(ctx, source, file, keys)
	if err == nil && again {
		if err = keys.Forget(); err == nil {
			c, _, err = compactRows(ctx, source, file, keys)
		}
	}
	if err == nil && c.from == 0 && c.temp != "" {
		// The rows are about to be others. An index that is not there is not missed.
		err = keys.Forget()
	}
	if err != nil {
		return compaction{}, errors.Join(err, c.abort(), keys.Close())
	}
	c.index = keys
	return c, nil
}

// compactRows looks at the rows behind those whose keys are known. When one of them takes the place of a row before, nothing is done but to say so:
// again, with all rows. known may be nil.
//
// Memory does not grow with the rows, but for one bit each: keys go to files by their hash (first pass over the rows), each of which then tells
// which rows are replaced; the second pass copies the others. Keys that would all go to one file stay in memory.
func compactRows(ctx context.Context, source *os.File, file duplicates, known *keyindex.Index) (c compaction, again bool, err error) {
	search := &search{merge: file.merge, known: known, replaced: &rowSet{}}
	if known != nil {
		c.from = known.Covered()
		if c.keys, err = known.Begin(); err != nil {
			return compaction{}, false, err
		}
		search.keys = c.keys
	}
	defer func() {
		if err != nil || again {
			err = errors.Join(err, c.abort())
			c = compaction{}
		}
	}()
	rows := func() *io.SectionReader { return io.NewSectionReader(source, c.from, file.end-c.from) }
	if err := search.run(ctx, rows(), file.path+".keys"+tempSuffix); err != nil || search.again {
		return c, search.again, err
	}
	if c.size = file.end; search.replaced.count == 0 {
		return c, false, nil
	}
	c.temp = file.path + tempSuffix
	if c.from > 0 {
		c.temp = file.path + tailSuffix
	}
	size, err := copyKept(ctx, rows(), c.temp, search.replaced)
	c.size = c.from + size
	return c, false, err
}

// bufferFor is how large a buffer for a file should be.
func bufferFor(source *io.SectionReader) int { return int(min(source.Size(), copyBuffer)) }

// rowSet is a set of row numbers.
type rowSet struct {
	bits  []uint64
	count int64
}

func (s *rowSet) add(row uint64) {
	for uint64(len(s.bits)) <= row/64 {
		s.bits = append(s.bits, 0)
	}
	s.bits[row/64] |= 1 << (row % 64)
	s.count++
}

func (s *rowSet) has(row uint64) bool {
	return row/64 < uint64(len(s.bits)) && s.bits[row/64]&(1<<(row%64)) != 0
}

// merging says which rows are versions of one, and which of them is newer.
type merging struct {
	key    [][]string
	cursor cursor.Path // empty when none is known: the last one is the newest
}

// version is a row as one of those of its key.
type version struct {
	number uint64
	rank   cursor.Rank
	row    uint64 // see keyindex.RowSum
}

// kind tells keys of other members from these.
func (m merging) kind() uint64 { return xxhash.Sum64String(fmt.Sprintf("1 %q", m.key)) }

// newestRows are the newest rows of keys so far.
type newestRows map[keySum]version

// add notes a row: it replaces the one of its key, or is replaced by it.
func (n newestRows) add(sum keySum, row version, replaced *rowSet) {
	earlier, found := n[sum]
	switch {
	case found && row.rank.Comparable(earlier.rank) && bytes.Compare(row.rank[:], earlier.rank[:]) < 0:
		replaced.add(row.number)
		return
	case found:
		replaced.add(earlier.number)
	}
	n[sum] = row
}

// eachVersion calls found for every row that has a key.
func eachVersion(ctx context.Context, source *io.SectionReader, merge merging, found func(sum keySum, row version) error) error {
	var buffer []byte
	return eachRow(ctx, source, func(number uint64, row []byte) error {
		sum, has, next := keyOf(row, merge.key, buffer)
		if buffer = next; !has {
			return nil
		}
		version := version{number: number, row: keyindex.RowSum(row)}
		if merge.cursor != "" {
			version.rank = cursor.Of(row, merge.cursor).Rank()
		}
		return found(sum, version)
	})
}

// copyKept copies the rows that are not replaced.
func copyKept(ctx context.Context, source *io.SectionReader, temp string, replaced *rowSet) (size int64, err error) {
	target, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, diskError(temp, err)
	}
	defer func() {
		if closeErr := target.Close(); closeErr != nil {
			err = errors.Join(err, diskError(temp, closeErr))
		}
	}()
	writer := bufio.NewWriterSize(target, bufferFor(source))
	err = eachRow(ctx, source, func(number uint64, row []byte) error {
		if replaced.has(number) {
			return nil
		}
		n, err := writer.Write(row)
		size += int64(n)
		return err
	})
	if err == nil {
		err = writer.Flush()
	}
	if err != nil {
		return 0, diskError(temp, err)
	}
	return size, nil
}

// eachRow calls row for every line, with its line feed and its number from 0.
func eachRow(ctx context.Context, source *io.SectionReader, row func(number uint64, line []byte) error) error {
	reader := bufio.NewReaderSize(source, bufferFor(source))
	var long []byte
	for number := uint64(0); ; {
		line, err := reader.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, line...)
			continue
		case errors.Is(err, io.EOF) && len(line)+len(long) == 0:
			return nil
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("read rows: %w", err)
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if err := row(number, line); err != nil {
			return err
		}
		if number%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		number++
		long = long[:0]
	}
}
