package sidecar

import "sync"

// blockSize is the unit in which rows are buffered and handed to a destination, in bytes. Small enough that hundreds of interleaved streams fit
// into the memory limit, large enough that a block is worth a write of its own.
const blockSize = 64 << 10

// blocks recycles buffers, so that a steady flow of rows allocates nothing, and bounds what sealed rows may hold in memory: what does not fit
// goes to the spool's file.
type blocks struct {
	mu     sync.Mutex
	free   [][]byte
	budget int64 // bytes that may still be held by sealed rows
}

func newBlocks(budget int64) *blocks {
	return &blocks{budget: budget}
}

// reserve asks to keep n bytes of sealed rows in memory.
func (b *blocks) reserve(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.budget < n {
		return false
	}
	b.budget -= n
	return true
}

// unreserve gives n bytes back.
func (b *blocks) unreserve(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.budget += n
}

// get returns an empty buffer that holds at least n bytes.
func (b *blocks) get(n int) []byte {
	if n > blockSize {
		return make([]byte, 0, n)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if last := len(b.free) - 1; last >= 0 {
		block := b.free[last]
		b.free = b.free[:last]
		return block
	}
	return make([]byte, 0, blockSize)
}

// put takes a buffer back. Those of unusual size go to the garbage collector.
func (b *blocks) put(block []byte) {
	if cap(block) != blockSize {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, block[:0])
}
