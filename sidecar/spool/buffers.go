package spool

import "sync"

// bufferSize is the unit in which rows are buffered and handed to a destination, in bytes: large enough that a buffer is worth a write of its own. Many
// streams have smaller ones, down to leastBuffer, so that all of them fit into the memory limit.
const (
	bufferSize  = 256 << 10
	leastBuffer = 4 << 10
)

// buffers recycles buffers, so that a steady flow of rows allocates nothing, and bounds what rows hold in memory: when too much is lent, a full buffer
// goes to the disk. A buffer counts as a whole, however few rows are in it: hundreds of streams have hundreds of buffers.
type buffers struct {
	size   int // of a buffer, in bytes
	mu     sync.Mutex
	free   [][]byte
	lent   int64 // bytes of the buffers that are out
	budget int64 // that may be out before buffers go to files

	pieces sync.Pool // *[]byte of pieceSize: a load reads its spool's file through one
}

// pieceSize is how much of a spool's file is read at once.
const pieceSize = 256 << 10

// newBuffers makes buffers of a size at which one for each stream takes up half of the budget at most, and one alone a small part of it.
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

// tight says that buffers will soon go to files.
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

// spare says that so many buffers may wait for their next use beside those that are lent. The caller holds mu.
func (b *buffers) spare(n int) bool { return b.lent+int64(n*b.size) <= b.budget }

// pop takes a buffer that waits. The caller holds mu.
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
	// What the budget has room for is kept: a batch gives all of its own back at once, and the next needs them. Others go to the garbage collector.
	if cap(buffer) == b.size && b.spare(len(b.free)+1) {
		b.free = append(b.free, buffer[:0])
	}
}
