package local

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"slices"

	"sync-sidecar/sidecar/cursor"
	"sync-sidecar/sidecar/keyindex"
)

// The rows are split by key so that the keys of one part fit in memory: one part per partBytes of rows, but not more files than maxParts.
const (
	partBytes = 4 << 20
	maxParts  = 256
	keySize   = len(keySum{}) + 8 + cursor.RankSize + 8 // of an entry in a part: key, number of the row, how new it is, its sum
)

// search looks for the rows that another row with the same key replaces.
type search struct {
	merge    merging
	known    *keyindex.Index  // of the rows before; nil when there are none
	keys     *keyindex.Writer // takes the keys of the rows that stay; nil when they are not to be kept
	replaced *rowSet
	again    bool // a row before is replaced: which one, only a search of all rows tells
}

// run looks through the rows. dir is for its temporary files, where it needs some.
func (s *search) run(ctx context.Context, source *io.SectionReader, dir string) (err error) {
	if source.Size() < partBytes {
		newest := newestRows{}
		err := eachVersion(ctx, source, s.merge, func(sum keySum, row version) error {
			newest.add(sum, row, s.replaced)
			return nil
		})
		return errors.Join(err, context.Cause(ctx), s.compare(newest))
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return diskError(dir, err)
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); removeErr != nil {
			err = errors.Join(err, diskError(dir, removeErr))
		}
	}()
	parts, err := openParts(dir, int(min(source.Size()/partBytes+1, maxParts)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	if err := eachVersion(ctx, source, s.merge, parts.add); err != nil {
		return err
	}
	newest := newestRows{}
	for _, part := range parts.files {
		clear(newest)
		if err := part.each(func(sum keySum, row version) { newest.add(sum, row, s.replaced) }); err != nil {
			return err
		}
		if err := errors.Join(s.compare(newest), context.Cause(ctx)); err != nil || s.again {
			return err
		}
	}
	return nil
}

// compare looks for the newest rows of keys among the keys of the rows before, and notes their keys. A row that is there already, the same to the
// byte, is not needed twice.
func (s *search) compare(newest newestRows) error {
	if s.keys == nil {
		return nil
	}
	type row struct {
		keyindex.Entry
		number uint64
	}
	rows, entries := make([]row, 0, len(newest)), make([]keyindex.Entry, 0, len(newest))
	for sum, version := range newest {
		rows = append(rows, row{keyindex.Entry{Key: sum.fingerprint(), Row: version.row}, version.number})
	}
	slices.SortFunc(rows, func(a, b row) int { return a.Compare(b.Entry) })
	for _, row := range rows {
		entries = append(entries, row.Entry)
	}
	there := make([]bool, len(rows))
	err := s.known.Find(entries, func(i int, same bool) {
		there[i] = true
		s.again = s.again || !same
	})
	if err != nil || s.again {
		return err
	}
	for i, row := range rows {
		if there[i] {
			s.replaced.add(row.number)
		} else if err := s.keys.Add(row.Entry); err != nil {
			return err
		}
	}
	return nil
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

// add notes the key of a row. Parts are in the order of the keys' fingerprints.
func (p *keyParts) add(sum keySum, row version) error {
	at, _ := bits.Mul64(sum.fingerprint(), uint64(len(p.files)))
	part := p.files[at]
	entry := binary.BigEndian.AppendUint64(append(part.writer.AvailableBuffer(), sum[:]...), row.number)
	entry = binary.BigEndian.AppendUint64(append(entry, row.rank[:]...), row.row)
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
		rank, row := cursor.Rank(rest[8:][:cursor.RankSize]), rest[8+cursor.RankSize:]
		entry(sum, version{number: binary.BigEndian.Uint64(rest), rank: rank, row: binary.BigEndian.Uint64(row)})
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
