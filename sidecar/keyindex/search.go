package keyindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sort"
)

// Blocks in entries: of a reader that looks for keys, and of one that reads all of them.
const (
	probeBlock = 16 << 10 / entrySize
	scanBlock  = 256 << 10 / entrySize
)

// reader reads entries of a run block by block.
type reader struct {
	run    *run
	first  int64 // number of the block's first entry
	block  []Entry
	buffer []byte
}

func (r *run) reader(block int) *reader {
	return &reader{run: r, buffer: make([]byte, block*entrySize)}
}

// at is the entry of a number; false behind the last one.
func (r *reader) at(number int64) (entry Entry, found bool, err error) {
	if number < r.first || number >= r.first+int64(len(r.block)) {
		if number >= r.run.count {
			return Entry{}, false, nil
		}
		if err := r.load(number); err != nil {
			return Entry{}, false, err
		}
	}
	return r.block[number-r.first], true, nil
}

// load reads the block that begins with an entry.
func (r *reader) load(first int64) error {
	count := min(int64(len(r.buffer)/entrySize), r.run.count-first)
	buffer := r.buffer[:count*entrySize]
	if _, err := r.run.file.ReadAt(buffer, headerSize+first*entrySize); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("key index: %w", err)
	}
	r.first, r.block = first, r.block[:0]
	for at := 0; at < len(buffer); at += entrySize {
		r.block = append(r.block, Entry{binary.BigEndian.Uint64(buffer[at:]), binary.BigEndian.Uint64(buffer[at+8:])})
	}
	return nil
}

// patience is how many guesses are made before the rest is halved: fingerprints are spread evenly, but for what a damaged file holds.
const patience = 8

// lowerBound is the number of the first entry whose key is not less. It guesses where that is from what the keys are worth.
func (r *reader) lowerBound(key uint64) (int64, error) {
	low, high := int64(0), r.run.count // the answer is one of them, or between
	lowKey, highKey := uint64(0), ^uint64(0)
	for guesses := 0; low < high; guesses++ {
		if guesses > 0 || len(r.block) == 0 {
			guess := low + (high-low)/2
			if guesses < patience {
				guess = low + spread(key-lowKey, highKey-lowKey, high-low)
			}
			if err := r.load(max(low, min(guess-int64(len(r.buffer)/entrySize/2), high-1))); err != nil {
				return 0, err
			}
		}
		last := r.first + int64(len(r.block)) - 1
		switch begin, end := r.block[0].Key, r.block[len(r.block)-1].Key; {
		case end < key:
			low, lowKey = max(low, last+1), end
		case begin >= key && r.first > low:
			high, highKey = min(high, r.first), begin
		default:
			return r.first + int64(sort.Search(len(r.block), func(i int) bool { return r.block[i].Key >= key })), nil
		}
	}
	return low, nil
}

// spread is where a part of a whole lies among count.
func spread(part, whole uint64, count int64) int64 {
	if whole == 0 {
		return 0
	}
	high, low := bits.Mul64(min(part, whole), uint64(count))
	quotient, _ := bits.Div64(high, low, whole) // part ≤ whole, so that it fits
	return int64(min(quotient, uint64(count)))
}
