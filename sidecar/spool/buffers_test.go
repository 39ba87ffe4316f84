package spool

import "testing"

// TestBuffersKeepToTheBudget lends large buffers after small ones: what waits for its next use and what is lent are within the budget together.
func TestBuffersKeepToTheBudget(t *testing.T) {
	t.Parallel()
	b := newBuffers(64*bufferSize, 1)
	var lent [][]byte
	for range 8 {
		lent = append(lent, b.get(1))
	}
	for _, block := range lent {
		b.put(block)
	}
	if len(b.free) != 8 {
		t.Fatalf("%d buffers wait, want 8", len(b.free))
	}
	large := b.get(62 * bufferSize)
	if len(b.free) != 2 || b.lent != int64(cap(large)) {
		t.Errorf("%d buffers wait beside %d bytes that are lent", len(b.free), b.lent)
	}
	b.put(large)
	if b.lent != 0 || cap(b.get(1)) != bufferSize || len(b.free) != 1 {
		t.Errorf("%d bytes lent, %d buffers wait", b.lent, len(b.free))
	}
}

// TestBuffersOfManyStreams: one for each stream leaves half of the budget to full ones, as far as that goes.
func TestBuffersOfManyStreams(t *testing.T) {
	t.Parallel()
	const budget = 24 << 20
	for streams, want := range map[int]int{0: bufferSize, 48: bufferSize, 200: 60 << 10, 1000: 12 << 10, 3072: leastBuffer, 1e6: leastBuffer} {
		b := newBuffers(budget, streams)
		if got := cap(b.get(1)); got != want {
			t.Errorf("%d streams have buffers of %d bytes, want %d", streams, got, want)
		}
		if b.lent != int64(want) {
			t.Errorf("%d bytes are lent, want %d", b.lent, want)
		}
	}
}
