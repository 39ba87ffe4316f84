package secret

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// span is a stretch of a text: text[from:to].
type span struct{ from, to int }

// gramLength is how much of a pattern is looked at first. Only every second position of a text is, so a pattern is known by its first four bytes
// and by those that begin with its second; none is shorter than minLength, which is one more.
const gramLength = 4

// patterns finds any of many strings in one pass over a text. Almost every position of almost every text is dismissed by one look into a
// bitmap, which the first bytes of the strings fill sparsely.
type patterns struct {
	filter []uint8 // bits, by hash of a gram
	shift  uint    // of the hash, to the number of bits
	first  map[uint32][]string
	second map[uint32][]string
}

// Sizes of the bitmap, in bits: each pattern sets two of at least filterSpread. The smallest stays in a processor's first cache.
const (
	filterSpread = 64
	minFilter    = 1 << 16
	maxFilter    = 1 << 22
)

// compile makes patterns of different strings that are at least minLength long; nil of none.
func compile(forms []string) *patterns {
	if len(forms) == 0 {
		return nil
	}
	size := min(max(minFilter, filterSpread*len(forms)), maxFilter)
	width := bits.Len(uint(size - 1)) // of the next power of two
	p := &patterns{filter: make([]uint8, 1<<(width-3)), shift: uint(32 - width),
		first: make(map[uint32][]string, len(forms)), second: make(map[uint32][]string, len(forms))}
	// Longest first: the first that matches covers the others.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	for _, form := range forms {
		p.enter(p.first, gramAt(form, 0), form)
		p.enter(p.second, gramAt(form, 1), form)
	}
	return p
}

// enter makes a pattern known by a gram.
func (p *patterns) enter(by map[uint32][]string, gram uint32, form string) {
	slot, bit := p.slotOf(gram)
	p.filter[slot] |= bit
	by[gram] = append(by[gram], form)
}

// gramAt packs the four bytes at a position.
func gramAt[T string | []byte](text T, at int) uint32 {
	_ = text[at+gramLength-1] // one check of the bounds
	return uint32(text[at]) | uint32(text[at+1])<<8 | uint32(text[at+2])<<16 | uint32(text[at+3])<<24
}

// slotOf is the place of a gram in the filter: the top bits of a multiplicative hash.
func (p *patterns) slotOf(gram uint32) (slot uint32, bit uint8) {
	hash := gram * 2654435769 >> (p.shift & 31)
	return hash >> 3, 1 << (hash & 7)
}

// find appends the stretches of a text that patterns cover, in order; those that overlap or touch are one. Without one it allocates nothing.
func find[T string | []byte](p *patterns, spans []span, text T) []span {
	if p == nil {
		return spans
	}
	for at := 0; at+gramLength <= len(text); at += 2 {
		gram := gramAt(text, at)
		slot, bit := p.slotOf(gram)
		if p.filter[slot]&bit == 0 {
			continue
		}
		if at > 0 {
			spans = extend(spans, at-1, matchOf(p.second[gram], text[at-1:]))
		}
		spans = extend(spans, at, matchOf(p.first[gram], text[at:]))
	}
	return spans
}

// extend adds a stretch to those before it.
func extend(spans []span, from, length int) []span {
	switch last := len(spans) - 1; {
	case length == 0:
		return spans
	case last >= 0 && from <= spans[last].to:
		spans[last].to = max(spans[last].to, from+length)
		return spans
	default:
		return append(spans, span{from, from + length})
	}
}

// matchOf is the length of the longest form, or beginning of one that was cut off, at the start of a text, or 0. The longest forms come first.
func matchOf[T string | []byte](forms []string, text T) int {
	longest := 0
	for _, form := range forms {
		common := commonLength(form, text)
		if common == len(form) {
			return max(longest, common)
		}
		if common > longest && isCut(form, text, common) {
			longest = common
		}
	}
	return longest
}

// commonLength is how many bytes two texts have in common at their beginnings.
func commonLength[T string | []byte](a string, b T) int {
	n := min(len(a), len(b))
	for at := range n {
		if a[at] != b[at] {
			return at
		}
	}
	return n
}

// certainLength is the length in bytes from which the beginning of a secret at the end of a text is one that was cut off, if it is also at least
// half of the secret. Less may be chance: "postgres" begins many passwords.
const certainLength = 8

// isCut says whether the first n bytes of a text are a secret that somebody cut off: an ellipsis follows them, or the end of the text.
func isCut[T string | []byte](form string, text T, n int) bool {
	if n < minLength {
		return false
	}
	if n == len(text) {
		return n >= certainLength && 2*n >= len(form)
	}
	const ways = 16 // how far it is looked, in bytes
	// The mark stands before each sign of a spelling, where a space is a plus.
	rest := strings.ReplaceAll(string(text[n:min(len(text), n+ways)]), string(rune(mark)), "")
	rest = strings.TrimLeft(rest, " +[(<")
	return strings.HasPrefix(rest, "…") || strings.HasPrefix(rest, "...")
}

// merged sorts spans and makes one of those that overlap or touch.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := spans[:0]
	for _, s := range spans {
		out = extend(out, s.from, s.to-s.from)
	}
	return out
}

// replaced is the text with a Mask for each span; spans are in order and apart.
func replaced(text string, spans []span) string {
	var out strings.Builder
	out.Grow(len(text))
	done := 0
	for _, s := range spans {
		out.WriteString(text[done:s.from])
		out.WriteString(Mask)
		done = s.to
	}
	out.WriteString(text[done:])
	return out.String()
}
