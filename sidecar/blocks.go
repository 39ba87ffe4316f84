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
		return make([]byte, 0, n)
	}
	if last := len(b.free) - 1; last >= 0 {
		block := b.free[last]
		b.free = b.free[:last]
		return block
	}
	return make([]byte, 0, blockSize)
}

// put takes a buffer back.
func (b *blocks) put(block []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent -= int64(cap(block))
	// Those that were lent at once within the budget are kept: a batch gives all of its own back at once, and the next needs them. Others go to the
	// garbage collector.
	if cap(block) == blockSize && int64(len(b.free)+1)*blockSize <= b.budget {
		b.free = append(b.free, block[:0])
	}
}
