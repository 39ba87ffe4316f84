package spool

import "sync"

// Rows are buffered, and handed to a destination, in buffers of bufferSize bytes: large enough that each is worth a write of its own. With many
// streams the buffers are smaller, down to leastBuffer, so that one for each stream fits into the memory limit.
const (
	bufferSize  = 256 << 10
	leastBuffer = 4 << 10
)

// buffers is a pool of buffers, so that a steady flow of rows allocates nothing. It also bounds what rows hold in memory: when too much is lent, full
// buffers go to the disk. A buffer counts as a whole, however few rows are in it: hundreds of streams have hundreds of buffers.
type buffers struct {
	size   int   // of a buffer, in bytes
	budget int64 // bytes that may be lent before full buffers go to the disk

	pieces sync.Pool // of *[]byte, pieceSize long: a load reads the file part of its spool through one

	mu sync.Mutex
	// +checklocks:mu
	free [][]byte // wait for their next use
	// +checklocks:mu
	lent int64 // bytes of the buffers that are in use
}

// pieceSize is how many bytes of the file are read at once.
const pieceSize = 256 << 10

// newBuffers makes a pool whose buffers are so small that one for each stream takes at most half of the budget, and one alone a small part of it.
func newBuffers(budget int64, streams int) *buffers {
	const least = 64 // buffers that fit
	share := min(budget/2/int64(max(streams, 1)), budget/least) / leastBuffer * leastBuffer
	b := &buffers{budget: budget, size: int(min(max(share, leastBuffer), bufferSize))}
	b.pieces.New = func() any { piece := make([]byte, pieceSize); return &piece }
	return b
}

// roomy says that a full buffer may stay in memory.
func (b *buffers) roomy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lent <= b.budget
}

// tight says that full buffers will soon go to the disk.
func (b *buffers) tight() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lent > b.budget-b.budget/8
}

// get returns an empty buffer that holds at least n bytes.
func (b *buffers) get(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent += int64(max(n, b.size))
	if n > b.size {
		for len(b.free) > 0 && !b.spare(len(b.free)) {
			b.pop()
		}
		return make([]byte, 0, n)
	}
	if len(b.free) > 0 {
		return b.pop()
	}
	return make([]byte, 0, b.size)
}

// spare says that n buffers may wait for their next use beside those that are lent.
//
// +checklocks:b.mu
func (b *buffers) spare(n int) bool { return b.lent+int64(n*b.size) <= b.budget }

// pop takes one of the buffers that wait.
//
// +checklocks:b.mu
func (b *buffers) pop() []byte {
	last := len(b.free) - 1
	buffer := b.free[last]
	b.free[last] = nil
	b.free = b.free[:last]
	return buffer
}

// put takes a buffer back.
func (b *buffers) put(buffer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent -= int64(cap(buffer))
	// Keep what the budget has room for: a batch gives back all its buffers at once, and the next one needs them. The garbage collector gets the others.
	if cap(buffer) == b.size && b.spare(len(b.free)+1) {
		b.free = append(b.free, buffer[:0])
	}
}
