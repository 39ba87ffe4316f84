// Package secret keeps secrets out of everything the sidecar says (I5): it finds the secret values of a connector's config and masks them by
// value, in whatever form they turn up.
package secret

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Mask is what stands where a secret was.
const Mask = "***"

// minLength is the length in bytes from which a value is masked. Shorter ones would blot out parts of ordinary words and numbers all over the
// log, and protect nothing: four characters can be guessed.
const minLength = 5

// Masker masks secrets by value. The zero value masks only what gives itself away by its shape: the password in a URL and the token after
// "Bearer". It is safe for use by several goroutines, and secrets can be added while others mask.
//
// Not masked by value: what is shorter than 5 bytes, and words that no secret consists of but that config is full of (see trivial).
type Masker struct {
	mutex    sync.Mutex // guards forms
	forms    map[string]struct{}
	patterns atomic.Pointer[patterns]
}

// NewMasker returns a Masker of the given secrets.
func NewMasker(values ...string) *Masker {
	m := &Masker{}
	m.Add(values...)
	return m
}

// Add adds secrets, each with the forms it takes in JSON, in URLs, in base64, and line by line.
func (m *Masker) Add(values ...string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	before := len(m.forms)
	all := maps.Clone(m.forms)
	if all == nil {
		all = make(map[string]struct{})
	}
	for _, value := range values {
		for _, form := range formsOf(value) {
			all[form] = struct{}{}
		}
	}
	if len(all) == before {
		return
	}
	m.forms = all
	m.patterns.Store(compile(slices.Collect(maps.Keys(all))))
}

// Mask returns the text with every secret replaced by ***. Text without secrets comes back as it is, without a copy.
func (m *Masker) Mask(text string) string {
	masked, _ := mask(m.patterns.Load(), text)
	return maskShapes(masked)
}

// Writer returns a writer that masks what it passes on. One Write must be one whole piece of text, such as a line of a log (zerolog writes each
// event at once): a secret that is cut in two between Writes is not recognised.
func (m *Masker) Writer(next io.Writer) io.Writer { return &writer{masker: m, next: next} }

type writer struct {
	masker *Masker
	next   io.Writer
}

// Write masks the text and passes it on. It reports the length of what it was given: the masked text may be shorter.
func (w *writer) Write(text []byte) (int, error) {
	// The text is copied only if there is something to mask.
	masked, changed := mask(w.masker.patterns.Load(), text)
	if hasShapeBytes(masked) {
		masked, changed = []byte(maskShapes(string(masked))), true
	}
	if !changed {
		return w.next.Write(text)
	}
	if _, err := w.next.Write(masked); err != nil {
		return 0, err
	}
	return len(text), nil
}

// prefixLength is how much of a pattern is looked at first; no pattern is shorter than minLength.
const prefixLength = 4

// patterns finds any of many strings in one pass over a text. Almost every position of almost every text is dismissed by one look into a
// bitmap, which the first bytes of the strings fill sparsely.
type patterns struct {
	filter   [1 << 13]uint8 // bits, by hash of a prefix
	byPrefix map[uint32][]string
}

// compile makes patterns of strings that are at least minLength long.
func compile(forms []string) *patterns {
	p := &patterns{byPrefix: make(map[uint32][]string, len(forms))}
	// Longest first: the first that matches covers the others.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	for _, form := range forms {
		prefix := prefixAt(form, 0)
		slot, bit := slotOf(prefix)
		p.filter[slot] |= bit
		p.byPrefix[prefix] = append(p.byPrefix[prefix], form)
	}
	return p
}

// prefixAt packs the four bytes at a position.
func prefixAt[T string | []byte](text T, at int) uint32 {
	return uint32(text[at]) | uint32(text[at+1])<<8 | uint32(text[at+2])<<16 | uint32(text[at+3])<<24
}

// slotOf is the place of a prefix in the filter: the top 16 bits of a multiplicative hash.
func slotOf(prefix uint32) (slot int, bit uint8) {
	hash := prefix * 2654435769 >> 16
	return int(hash >> 3), 1 << (hash & 7)
}

// matchAt is the length of the longest pattern that begins at a position with the given prefix, or 0.
func matchAt[T string | []byte](p *patterns, prefix uint32, text T, at int) int {
	for _, form := range p.byPrefix[prefix] {
		if len(text)-at >= len(form) && string(text[at:at+len(form)]) == form {
			return len(form)
		}
	}
	return 0
}

// mask replaces each stretch of text that patterns cover, also where they overlap, and says whether there was one.
func mask[T string | []byte](p *patterns, text T) (T, bool) {
	if p == nil {
		return text, false
	}
	var out []byte
	done := 0                // the text before it is in out
	begin, covered := -1, -1 // the stretch that is being covered
	flush := func() {
		out = append(append(out, text[done:begin]...), Mask...)
		done = covered
	}
	if len(text) < prefixLength {
		return text, false
	}
	next := prefixAt(text, 0)
	for at := 0; at+prefixLength <= len(text); at++ {
		prefix := next
		if at+prefixLength < len(text) {
			next = prefix>>8 | uint32(text[at+prefixLength])<<24
		}
		slot, bit := slotOf(prefix)
		if p.filter[slot]&bit == 0 {
			continue
		}
		length := matchAt(p, prefix, text, at)
		if length == 0 {
			continue
		}
		if begin >= 0 && at > covered {
			flush()
			begin = -1
		}
		if begin < 0 {
			begin = at
		}
		covered = max(covered, at+length)
	}
	if begin < 0 {
		return text, false
	}
	flush()
	return T(append(out, text[done:]...)), true
}
