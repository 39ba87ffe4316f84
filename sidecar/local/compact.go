package local

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sync-sidecar/sidecar/cursor"
)

// The file is split by key so that the keys of one part fit in memory: one part per partBytes of rows, but not more files than maxParts.
const (
	partBytes = 4 << 20
	maxParts  = 256
	keySize   = len(keySum{}) + 8 + cursor.RankSize // of an entry in a part: key, number of the row, how new it is
)

// compact writes the rows of path, up to the byte end, to temp without those that another row with the same key replaces: the one with the greatest
// cursor stays, of equal ones the last. It returns the size that the rows take; when no row is replaced that is end, and there is no temp.
//
// Memory does not grow with the rows, but for one bit each: keys go to files by their hash (first pass over the rows), each of which then tells
// which rows are replaced; the second pass copies the others. Keys that would all go to one file stay in memory.
func compact(ctx context.Context, path, temp string, merge merging, end int64) (size int64, err error) {
	source, err := os.Open(path)
	if err != nil {
		return 0, diskError(path, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	replaced, err := findReplaced(ctx, io.NewSectionReader(source, 0, end), path+".keys"+tempSuffix, merge)
	if err != nil || replaced.count == 0 {
		return end, err
	}
	return copyKept(ctx, io.NewSectionReader(source, 0, end), temp, replaced)
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
}

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
		version := version{number: number}
		if merge.cursor != "" {
			version.rank = cursor.Of(row, merge.cursor).Rank()
		}
		return found(sum, version)
	})
}

// findReplaced finds the rows that another row with the same key replaces. dir is for its temporary files, where it needs some.
func findReplaced(ctx context.Context, source *io.SectionReader, dir string, merge merging) (replaced *rowSet, err error) {
	replaced = &rowSet{}
	if source.Size() < partBytes {
		newest := newestRows{}
		err := eachVersion(ctx, source, merge, func(sum keySum, row version) error {
			newest.add(sum, row, replaced)
			return nil
		})
		return replaced, errors.Join(err, context.Cause(ctx))
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, diskError(dir, err)
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); removeErr != nil {
			err = errors.Join(err, diskError(dir, removeErr))
		}
	}()
	parts, err := openParts(dir, int(min(source.Size()/partBytes+1, maxParts)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	if err := eachVersion(ctx, source, merge, parts.add); err != nil {
		return nil, err
	}
	newest := newestRows{}
	for _, part := range parts.files {
		clear(newest)
		if err := part.each(func(sum keySum, row version) { newest.add(sum, row, replaced) }); err != nil {
			return nil, err
		}
	}
	return replaced, context.Cause(ctx)
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

// keyParts are temporary files of keys.
type keyParts struct{ files []*keyPart }

// keyPart is one of them: entries of keySize bytes.
type keyPart struct {
	file   *os.File
	writer *bufio.Writer
}

// openParts makes the files.
func openParts(dir string, count int) (*keyParts, error) {
	parts := &keyParts{}
	for i := range count {
		file, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, errors.Join(diskError(dir, err), parts.close())
		}
		parts.files = append(parts.files, &keyPart{file: file, writer: bufio.NewWriterSize(file, 8<<10)})
	}
	return parts, nil
}

// add notes the key of a row.
func (p *keyParts) add(sum keySum, row version) error {
	part := p.files[binary.BigEndian.Uint64(sum[:])%uint64(len(p.files))]
	entry := binary.BigEndian.AppendUint64(append(part.writer.AvailableBuffer(), sum[:]...), row.number)
	entry = append(entry, row.rank[:]...)
	if _, err := part.writer.Write(entry); err != nil {
		return diskError(part.file.Name(), err)
	}
	return nil
}

// each calls entry for what was added, in that order.
func (p *keyPart) each(entry func(sum keySum, row version)) error {
	if err := p.writer.Flush(); err != nil {
		return diskError(p.file.Name(), err)
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return diskError(p.file.Name(), err)
	}
	reader := bufio.NewReaderSize(p.file, 64<<10)
	var entryBytes [keySize]byte
	for {
		if _, err := io.ReadFull(reader, entryBytes[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return diskError(p.file.Name(), err)
		}
		sum := keySum(entryBytes[:])
		rest := entryBytes[len(sum):]
		entry(sum, version{number: binary.BigEndian.Uint64(rest), rank: cursor.Rank(rest[8:])})
	}
}

func (p *keyParts) close() error {
	var failures []error
	for _, part := range p.files {
		if err := part.file.Close(); err != nil {
			failures = append(failures, diskError(part.file.Name(), err))
		}
	}
	return errors.Join(failures...)
}
