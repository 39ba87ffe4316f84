package secret

import (
	"bytes"
	"html"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// spelling is a text in a plain spelling. A secret is written in countless ways: with backslashes by JSON, by Python's repr, by a shell; with a
// percent sign by URLs, where each encoder leaves other characters as they are; with entities by HTML and XML; with doubled quotes by SQL and CSV;
// and each of these inside of others. Secret and text are brought into one spelling, in which all of these look alike:
//
//   - what escapes a character by its number or name is that character, which may be the beginning of another escape: each round undoes one;
//   - quotes and backslashes, one or many, are one mark, and a mark stands before everything else that is no letter and no digit, which anybody
//     may escape by a backslash;
//   - a space is a plus, as in a form; a line break is a mark and the letter n, as in its escape.
type spelling struct {
	text      []byte
	at        []int32 // where each byte of text, and its end, begins in the original
	positions bool    // whether at is asked for
	raw       []byte  // before the marks
	was       []int32 // the same as at, of raw
	rounds    int
}

// mark stands for any number of quotes and backslashes.
const mark = 0

// maxRounds is how often what is escaped by numbers and names is undone.
const maxRounds = 5

// spell begins with a text in which nothing is undone yet. It is true, for a loop that ends with unescape. The buffers are used again.
func (s *spelling) spell(text string, positions bool) bool {
	s.raw, s.was, s.positions, s.rounds = append(s.raw[:0], text...), s.was[:0], positions, 0
	if positions {
		for i := range len(text) + 1 {
			s.was = append(s.was, int32(i))
		}
	}
	s.mark()
	return true
}

// unescape replaces, in place, what stands for a character by its number or name, and drops backslashes before signs, which is not to be seen but for
// the escape that may come out of it. It is false when the text is what it was.
func (s *spelling) unescape() bool {
	raw, changed := s.raw, false
	from := bytes.IndexAny(raw, `%&\`)
	if s.rounds++; from < 0 || s.rounds > maxRounds {
		return false
	}
	to := from
	for from < len(raw) {
		char, length := "", 0
		switch raw[from] {
		case '%', '&', '\\':
			char, length = escaped(raw[from:])
			changed = changed || char != "" || length > 0 && from+length < len(raw) && !isQuote(raw[from+length])
		}
		if length == 0 {
			raw[to] = raw[from]
			if s.positions {
				s.was[to] = s.was[from]
			}
			from, to = from+1, to+1
			continue
		}
		copy(raw[to:], char) // never longer than what stood for it
		if s.positions {
			for i := range len(char) {
				s.was[to+i] = s.was[from]
			}
			if char == "" { // a dropped backslash belongs to what it escapes
				s.was[from+length] = s.was[from]
			}
		}
		from, to = from+length, to+len(char)
	}
	if s.positions {
		s.was[to] = s.was[len(raw)]
		s.was = s.was[:to+1]
	}
	s.raw = raw[:to]
	if changed {
		s.mark()
	}
	return changed
}

func isQuote(c byte) bool { return c == '\'' || c == '"' }

// escaped is what an escape at the beginning of a text stands for, and the length of the escape; 0 when there is none.
func escaped(text []byte) (char string, length int) {
	switch text[0] {
	case '%':
		if value, ok := number(text, 1, 2, 16); ok {
			return string([]byte{byte(value)}), len("%XX")
		}
	case '&':
		return entity(text)
	case '\\':
		if len(text) == 1 || !isAlphanumeric(text[1]) {
			return "", 1
		}
		return backslashed(text)
	}
	return "", 0
}

// entity is the character of &name; and &#number;.
func entity(text []byte) (char string, length int) {
	const longest = 12 // bytes: what escapes quotes and brackets, and most letters
	end := bytes.IndexByte(text[:min(len(text), longest)], ';')
	if end < len("&lt") {
		return "", 0
	}
	written := string(text[:end+1])
	// HTML also takes some names without their semicolon, which is left then.
	if char = html.UnescapeString(written); len(char) >= len(written) || strings.HasSuffix(char, ";") {
		return "", 0
	}
	return char, len(written)
}

// backslashed is the character of \u00e9, of which two may be one, \U000000e9, \xe9 and, as a part of one that is not ASCII, \303.
func backslashed(text []byte) (char string, length int) {
	if len(text) < len(`\xe9`) {
		return "", 0
	}
	switch text[1] {
	case 'x':
		if value, ok := number(text, 2, 2, 16); ok {
			return string([]byte{byte(value)}), len(`\xe9`)
		}
	case '2', '3':
		if value, ok := number(text, 1, 3, 8); ok {
			return string([]byte{byte(value)}), len(`\303`)
		}
	case 'U':
		if value, ok := number(text, 2, 8, 16); ok {
			return string(utf8.AppendRune(nil, rune(value))), len(`\U000000e9`)
		}
	case 'u':
		value, ok := number(text, 2, 4, 16)
		if !ok {
			return "", 0
		}
		length = len(`\u00e9`)
		if utf16.IsSurrogate(rune(value)) {
			low := length + leadingBackslashes(text[length:])
			second, ok := number(text, low+1, 4, 16)
			if ok && text[low] == 'u' && low > length {
				return string(utf16.DecodeRune(rune(value), rune(second))), low + len(`u00e9`)
			}
		}
		return string(rune(value)), length
	}
	return "", 0
}

func leadingBackslashes(text []byte) int { return len(text) - len(bytes.TrimLeft(text, `\`)) }

// number reads so many digits of a base at a position.
func number(text []byte, at, digits, base int) (value int, ok bool) {
	if at+digits > len(text) {
		return 0, false
	}
	for _, c := range text[at : at+digits] {
		digit := base
		switch {
		case c >= '0' && c <= '9':
			digit = int(c - '0')
		case c >= 'a' && c <= 'f':
			digit = int(c-'a') + 10
		case c >= 'A' && c <= 'F':
			digit = int(c-'A') + 10
		}
		if digit >= base {
			return 0, false
		}
		value = value*base + digit
	}
	return value, true
}

// mark makes the text of raw.
func (s *spelling) mark() {
	most := 2 * len(s.raw) // bytes, when every one of raw gets a mark
	s.text, s.at = slices.Grow(s.text[:0], most)[:most], s.at[:0]
	n := 0
	for i, c := range s.raw {
		begin := n
		sign := signs[c]
		if sign != c || !isAlphanumeric(c) {
			if n == 0 || s.text[n-1] != mark {
				s.text[n] = mark
				n++
			}
		}
		if sign != mark {
			s.text[n] = sign
			n++
		}
		if s.positions {
			for range n - begin {
				s.at = append(s.at, s.was[i])
			}
		}
	}
	s.text = s.text[:n]
	if s.positions {
		s.at = append(s.at, s.was[len(s.raw)])
	}
}

// signs are what each byte is in the text, after its mark if it has one. A package-level table is a constant in all but name.
var signs = func() (table [256]byte) {
	for c := range table {
		table[c] = byte(c)
	}
	for written, sign := range map[byte]byte{
		'\\': mark, '\'': mark, '"': mark, ' ': '+', 0: '0', '\a': 'a', '\b': 'b', '\t': 't', '\n': 'n', '\v': 'v', '\f': 'f', '\r': 'r', 0x1b: 'e',
	} {
		table[written] = sign
	}
	return table
}()

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
