package main

import "math/bits"

// random is SplitMix64 (Steele, Lea, Flood 2014): seeded for free, so every row has its own.
type random struct{ state uint64 }

// newRandom is the random numbers of one row.
func newRandom(seed uint64, row int64) random {
	r := random{state: seed ^ uint64(row)*0x9e37_79b9_7f4a_7c15}
	r.state = r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e37_79b9_7f4a_7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58_476d_1ce4_e5b9
	z = (z ^ z>>27) * 0x94d0_49bb_1331_11eb
	return z ^ z>>31
}

// below is a number in [0, n), or 0 when n is not positive.
func (r *random) below(n int64) int64 {
	if n <= 0 {
		return 0
	}
	high, _ := bits.Mul64(r.next(), uint64(n))
	return int64(high)
}

// chance is true once in n times.
func (r *random) chance(n int64) bool { return r.below(n) == 0 }

func (r *random) pick(words []string) string { return words[r.below(int64(len(words)))] }
