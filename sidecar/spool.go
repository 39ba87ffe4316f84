package sidecar

import (
	"context"
	"errors"
	"io"
	"sync"
)

// errSpoolReleased is what a late reader of an acknowledged spool gets.
var errSpoolReleased = errors.New("rows were released")

// spool holds the rows of one load until they are acknowledged: in memory first, beyond its share on the disk. One goroutine
// appends; any number may read, from the first byte, also while rows are still added.
type spool struct {
	blocks *blocks
	disk   *spoolDisk
	share  int64 // bytes of sealed rows this spool may hold in memory

	tail []byte // being filled: the appender's alone
	rows int64  // appended: the appender's alone until complete

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever a reader may go on
	ended    chan struct{} // closed when no more rows come: complete or broken
	sealed   [][]byte      // memory part: the first bytes
	inMemory int64
	slots    []uint32 // file part: what follows
	inFile   int64
	complete bool
	count    int64 // rows, once complete
	err      error // why the rows are not complete

	use sync.RWMutex // held while a reader uses a block; release waits for it
}

func newSpool(b *blocks, disk *spoolDisk, share int64) *spool {
	return &spool{blocks: b, disk: disk, share: share, changed: make(chan struct{}), ended: make(chan struct{})}
}

// add appends a row and its line feed. extra, when there is any, is spliced into the object as further members: `"name":value`, comma-separated.
// An error means that the disk refused; the spool is broken from then on.
func (s *spool) add(row, extra []byte) error {
	need := len(row) + 1
	if len(extra) > 0 {
		need += len(extra) + 1
	}
	if s.tail == nil || cap(s.tail)-len(s.tail) < need {
		if err := s.seal(); err != nil {
			return err
		}
		s.tail = s.blocks.get(need)
	}
	if len(extra) > 0 {
		s.tail = appendMembers(s.tail, row, extra)
	} else {
		s.tail = append(s.tail, row...)
	}
	s.tail = append(s.tail, '\n')
	s.rows++
	return nil
}

// appendMembers appends the object row to dst with extra members at its end, where they win over members of the same name.
func appendMembers(dst, row, extra []byte) []byte {
	end := len(row) - 1 // the closing brace: the reader hands over objects without surrounding space
	body := end
	for body > 0 && (row[body-1] == ' ' || row[body-1] == '\t' || row[body-1] == '\r') {
		body--
	}
	dst = append(dst, row[:body]...)
	if row[body-1] != '{' || body != 1 {
		dst = append(dst, ',')
	}
	dst = append(dst, extra...)
	return append(dst, '}')
}

// seal makes the rows of the tail readable.
func (s *spool) seal() error {
	if len(s.tail) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	n := int64(len(s.tail))
	if s.slots == nil && s.inMemory+n <= s.share && s.blocks.roomy() {
		s.sealed = append(s.sealed, s.tail)
		s.inMemory += n
		s.tail = nil
	} else if err := s.spill(); err != nil {
		s.fail(err)
		return err
	}
	s.wake()
	return nil
}

// fail breaks the spool, once. The caller holds mu.
func (s *spool) fail(err error) {
	if s.err == nil {
		s.err = err
		if !s.complete {
			close(s.ended)
		}
	}
	s.wake()
}

// spill moves the tail to the file. The caller holds mu.
func (s *spool) spill() (err error) {
	s.slots, err = s.disk.write(s.slots, s.inFile, s.tail)
	if err != nil {
		return err
	}
	s.inFile += int64(len(s.tail))
	s.blocks.put(s.tail)
	s.tail = nil
	return nil
}

// finish says that no more rows come.
func (s *spool) finish() error {
	if err := s.seal(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.complete || s.err != nil {
		return s.err
	}
	s.complete, s.count = true, s.rows
	close(s.ended)
	s.wake()
	return nil
}

// abort makes every reader fail with err: the rows must not be committed.
func (s *spool) abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.complete {
		s.fail(err)
	}
}

// wake lets readers look again. The caller holds mu.
func (s *spool) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// release frees everything; readers that are still there fail. It waits until none of them uses a block.
func (s *spool) release() error {
	s.mu.Lock()
	sealed, slots, inFile := s.sealed, s.slots, s.inFile
	s.sealed, s.slots, s.inMemory, s.inFile = nil, nil, 0, 0
	s.fail(errSpoolReleased)
	s.mu.Unlock()
	s.use.Lock()
	defer s.use.Unlock()
	for _, block := range sealed {
		s.blocks.put(block)
	}
	if s.tail != nil {
		s.blocks.put(s.tail)
		s.tail = nil
	}
	if slots == nil {
		return nil
	}
	return s.disk.release(slots, inFile)
}

// onDisk says that further rows go to the file.
func (s *spool) onDisk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots != nil
}

// failure is why the rows are not complete.
func (s *spool) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// appended is the number of bytes added so far; for the appending goroutine.
func (s *spool) appended() int64 { return s.Size() + int64(len(s.tail)) }

// Count implements Rows.
func (s *spool) Count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Size implements Rows.
func (s *spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inMemory + s.inFile
}

// Complete implements Rows.
func (s *spool) Complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complete
}

// Open implements Rows.
func (s *spool) Open(ctx context.Context) (io.ReadCloser, error) {
	return &spoolReader{ctx: ctx, spool: s}, nil
}
