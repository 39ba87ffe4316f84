package sidecar

import "sync"

// blockSize is the unit in which rows are buffered and handed to a destination, in bytes. Small enough that hundreds of interleaved streams fit
// into the memory limit, large enough that a block is worth a write of its own.
const blockSize = 64 << 10

// blocks recycles buffers, so that a steady flow of rows allocates nothing, and bounds what rows hold in memory: when too much is lent, a full block
// goes to its spool's file. A block counts as a whole, however few rows are in it: hundreds of streams have hundreds of blocks.
type blocks struct {
	mu     sync.Mutex
	free   [][]byte
	lent   int64 // bytes of the buffers that are out
	budget int64 // that may be out before blocks go to files
}

func newBlocks(budget int64) *blocks {
	return &blocks{budget: budget}
}

// roomy says that a full block may stay in memory.
func (b *blocks) roomy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lent <= b.budget
}

// tight says that blocks will soon go to files.
func (b *blocks) tight() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lent > b.budget-b.budget/8
}

// get returns an empty buffer that holds at least n bytes.
func (b *blocks) get(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent += int64(max(n, blockSize))
	if n > blockSize {
		for len(b.free) > 0 && !b.spare(len(b.free)) {
			b.pop()
		}
		return make([]byte, 0, n)
	}
	if len(b.free) > 0 {
		return b.pop()
	}
	return make([]byte, 0, blockSize)
}

// spare says that so many buffers may wait for their next use beside those that are lent. The caller holds mu.
func (b *blocks) spare(n int) bool { return b.lent+int64(n)*blockSize <= b.budget }

// pop takes a buffer that waits. The caller holds mu.
func (b *blocks) pop() []byte {
	last := len(b.free) - 1
	block := b.free[last]
	b.free[last] = nil
	b.free = b.free[:last]
	return block
}

// put takes a buffer back.
func (b *blocks) put(block []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent -= int64(cap(block))
	// What the budget has room for is kept: a batch gives all of its own back at once, and the next needs them. Others go to the garbage collector.
	if cap(block) == blockSize && b.spare(len(b.free)+1) {
		b.free = append(b.free, block[:0])
	}
}
