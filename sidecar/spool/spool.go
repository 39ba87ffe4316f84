package spool

import (
	"context"
	"errors"
	"io"
	"sync"
)

// errReleased is what a late reader of an acknowledged spool gets.
var errReleased = errors.New("rows were released")

// Spool holds the rows of one load until they are acknowledged. One goroutine appends, the appender; any number of others may read from the first
// byte, also while the appender still adds rows.
type Spool struct {
	buffers *buffers
	disk    *disk
	share   int64         // bytes of full buffers that this spool may hold in memory
	ended   chan struct{} // closed when no more rows come: complete or broken

	// The appender's alone:
	tail []byte // being filled
	rows int64  // appended so far

	mu sync.Mutex // never held while the disk works
	// +checklocks:mu
	changed chan struct{} // closed and replaced whenever a reader may go on
	// +checklocks:mu
	sealed [][]byte // the first bytes, in memory
	// +checklocks:mu
	inMemory int64 // bytes in sealed
	// +checklocks:mu
	slots []uint32 // of the file, which holds the bytes after those in memory
	// +checklocks:mu
	inFile int64 // bytes in slots
	// +checklocks:mu
	complete bool
	// +checklocks:mu
	count int64 // rows, once complete
	// +checklocks:mu
	err error // why the rows are not complete

	// using counts the readers that use a buffer or a slot at this moment. Release waits for them; with err set under mu, no new ones come.
	using sync.WaitGroup
}

// Add appends a row and a line feed, and returns how many bytes that added. extra, unless empty, is spliced into the object as further members:
// `"name":value`, comma-separated. After an error the row is not in the spool; when NoSpace of that error, Add may be called again.
func (s *Spool) Add(row, extra []byte) (int64, error) {
	need := len(row) + 1
	if len(extra) > 0 {
		need += len(extra) + 1
	}
	if s.tail == nil || cap(s.tail)-len(s.tail) < need {
		if err := s.seal(true); err != nil {
			return 0, err
		}
		if cap(s.tail) < need {
			s.giveTail()
			s.tail = s.buffers.get(need)
		}
	}
	before := len(s.tail)
	if len(extra) > 0 {
		s.tail = appendMembers(s.tail, row, extra)
	} else {
		s.tail = append(s.tail, row...)
	}
	s.tail = append(s.tail, '\n')
	s.rows++
	return int64(len(s.tail) - before), nil
}

// appendMembers appends the object row to dst with extra members at its end: there they win over members of the same name.
func appendMembers(dst, row, extra []byte) []byte {
	body := len(row) - 1 // without the closing brace: airbyte.Reader hands over objects without space around them
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

// seal makes the rows of the tail readable: in memory when there is room, else on the disk. When more come, the buffer of rows that went to the disk
// is used again: where memory is used up, the pool would leave it to the garbage collector.
func (s *Spool) seal(more bool) error {
	if len(s.tail) == 0 {
		return nil
	}
	size := int64(len(s.tail))
	s.mu.Lock()
	err, slots, inFile := s.err, s.slots, s.inFile
	if err == nil && slots == nil && s.inMemory+size <= s.share && s.buffers.roomy() {
		s.sealed = append(s.sealed, s.tail)
		s.inMemory += size
		s.tail = nil
		s.wake()
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	slots, err = s.disk.write(slots, inFile, s.tail)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots = slots
	switch {
	case err == nil:
		if s.tail = s.tail[:0]; !more || cap(s.tail) > s.buffers.size {
			s.giveTail()
		}
		s.inFile += size
		s.wake()
	case !NoSpace(err):
		s.fail(err)
	}
	return err
}

// giveTail gives the buffer that is being filled back; there may be none.
func (s *Spool) giveTail() {
	if s.tail != nil {
		s.buffers.put(s.tail)
		s.tail = nil
	}
}

// fail breaks the spool; the first error counts.
//
// +checklocks:s.mu
func (s *Spool) fail(err error) {
	if s.err == nil {
		s.err = err
		if !s.complete {
			close(s.ended)
		}
	}
	s.wake()
}

// Finish says that no more rows come. When NoSpace of its error, Finish may be called again.
func (s *Spool) Finish() error {
	if err := s.seal(false); err != nil {
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

// Abort makes every reader fail with err: the rows must not be committed.
func (s *Spool) Abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.complete {
		s.fail(err)
	}
}

// wake lets readers look again.
//
// +checklocks:s.mu
func (s *Spool) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Release frees everything, when the appender is done with the spool. Readers that are still there fail; Release waits until none of them uses a
// buffer.
func (s *Spool) Release() error {
	s.mu.Lock()
	sealed, slots, inFile := s.sealed, s.slots, s.inFile
	s.sealed, s.slots, s.inMemory, s.inFile = nil, nil, 0, 0
	s.fail(errReleased)
	s.mu.Unlock()
	s.using.Wait()
	for _, buffer := range sealed {
		s.buffers.put(buffer)
	}
	s.giveTail()
	if slots == nil {
		return nil
	}
	return s.disk.release(slots, inFile)
}

// OnDisk says whether rows of this spool are on the disk: then further ones go there, too.
func (s *Spool) OnDisk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots != nil
}

// Err is why the rows never will be complete; nil when they are, or still may be.
func (s *Spool) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Ended is closed when no more rows come: all are there, or Err says why not.
func (s *Spool) Ended() <-chan struct{} { return s.ended }

// Count implements sidecar.Rows.
func (s *Spool) Count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Size implements sidecar.Rows.
func (s *Spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inMemory + s.inFile
}

// Complete implements sidecar.Rows.
func (s *Spool) Complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complete
}

// Open implements sidecar.Rows.
func (s *Spool) Open(ctx context.Context) (io.ReadCloser, error) {
	return &reader{ctx: ctx, spool: s}, nil
}
