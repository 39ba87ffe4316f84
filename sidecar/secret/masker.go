// Package secret keeps secrets out of everything the sidecar says (I5): it finds the secret values of a connector's config and environment and
// masks them by value, in whatever form they turn up.
package secret

import (
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
	known atomic.Pointer[known]
	spare sync.Pool // of *spelling

	mu sync.Mutex
	// +checklocks:mu
	forms map[string]struct{}
}

// known are the patterns of all secrets.
type known struct {
	written *patterns // as they are
	spelled *patterns // in the plain spelling of those that can be spelled in several ways
	quotes  bool      // one of these holds a quote, which SQL and CSV double
	spaces  bool      // one of them holds a space, which forms write as a plus
}

// NewMasker returns a Masker of the given secrets.
func NewMasker(values ...string) *Masker {
	m := &Masker{}
	m.Add(values...)
	return m
}

// Add adds secrets, each with the forms it takes: see Mask.
func (m *Masker) Add(values ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
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
	m.known.Store(know(slices.Collect(maps.Keys(all))))
}

// know makes the patterns of all forms.
func know(forms []string) *known {
	k := &known{}
	var spelled []string
	plain := spelling{}
	for _, form := range forms {
		for more := plain.spell(form, false); more; more = plain.unescape() {
			// What begins or ends with a mark may have another quote there.
			text := strings.Trim(string(plain.text), string(rune(mark)))
			if string(plain.text) == form || len(text) < minLength {
				continue
			}
			spelled = append(spelled, text)
			k.quotes = k.quotes || strings.ContainsAny(form, `'"`)
			k.spaces = k.spaces || strings.Contains(form, " ")
		}
	}
	slices.Sort(spelled)
	k.written, k.spelled = compile(forms), compile(slices.Compact(spelled))
	return k
}

// Mask returns the text with every secret replaced by ***: as it is, as a line of it or a piece of a private key, in base64, however these are
// escaped (see spelling), and what is left of one that was cut off, with an ellipsis after it or at the end of the text. Text without secrets comes
// back as it is, without a copy. Whatever shortens a text has to mask it before: half of a secret in its middle is not found.
func (m *Masker) Mask(text string) string {
	if k := m.known.Load(); k != nil {
		spans := find(k.written, nil, text)
		if k.mayEscape(text) {
			spans = m.findEscaped(k, spans, text)
		}
		if len(spans) > 0 {
			text = replaced(text, spans)
		}
	}
	return maskShapes(text)
}

// findEscaped adds the stretches in which a secret is escaped. Where one begins in the original is asked only when there is one.
func (m *Masker) findEscaped(k *known, spans []span, text string) []span {
	plain, ok := m.spare.Get().(*spelling)
	if !ok {
		plain = &spelling{}
	}
	defer m.spare.Put(plain)
	if !k.isIn(plain, text) {
		return spans
	}
	for more := plain.spell(text, true); more; more = plain.unescape() {
		for _, s := range find(k.spelled, nil, plain.text) {
			spans = append(spans, span{int(plain.at[s.from]), int(plain.at[s.to])})
		}
	}
	return merged(spans)
}

// isIn says whether a secret is in the text in an escaped form.
func (k *known) isIn(plain *spelling, text string) bool {
	for more := plain.spell(text, false); more; more = plain.unescape() {
		if len(find(k.spelled, nil, plain.text)) > 0 {
			return true
		}
	}
	return false
}

// mayEscape says whether a secret can be in the text in an escaped form only. Most lines have nothing that escapes.
func (k *known) mayEscape(text string) bool {
	switch {
	case k.spelled == nil:
		return false
	case strings.IndexByte(text, '\\') >= 0, strings.IndexByte(text, '%') >= 0, strings.IndexByte(text, '&') >= 0:
		return true
	case k.spaces && strings.IndexByte(text, '+') >= 0:
		return true
	}
	return k.quotes && (strings.Contains(text, "''") || strings.Contains(text, `""`))
}
