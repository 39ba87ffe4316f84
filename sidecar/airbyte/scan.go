package airbyte

import (
	"encoding/binary"
	"math/bits"
)

// The scanner accepts exactly what both encoding/json.Valid and utf8.Valid accept on one line; the fuzz tests compare them. It takes one pass, does
// not allocate, and is several times as fast. Nowhere else does this project parse JSON by itself.
//
// Every skip function takes the whole padded line (see pad) and the index at which to begin. It returns the index after what it skipped. When it
// cannot accept a byte, it returns the complement ^i of that byte's index i, which is negative.
//
// A padded line ends in a line feed. No function accepts a line feed, so it stops every loop, and no function has to compare an index with a length.
// More bytes follow it because strings are read eight bytes at a time.

const (
	// padding is the number of bytes that must follow the line feed of a line.
	padding = len(pads)
	pads    = "\x00\x00\x00\x00\x00\x00\x00\x00"
	// maxDepth is the deepest nesting that encoding/json allows, and so the deepest that Bulker takes.
	maxDepth = 10000
)

// pad returns a copy of text that the scanner can read. text must not hold a line feed.
func pad(text []byte) []byte {
	line := make([]byte, len(text)+1+padding)
	line[copy(line, text)] = '\n'
	return line
}

// unpad is the text of a padded line.
func unpad(line []byte) []byte { return line[:len(line)-1-padding] }

// skipSpace skips white space.
func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' {
		i++
	}
	return i
}

// skipValue skips any value; depth is the number of objects and arrays around it.
func skipValue(b []byte, i, depth int) int {
	switch b[i] {
	case '"':
		return skipString(b, i+1)
	case '{':
		return skipObject(b, i+1, depth+1)
	case '[':
		return skipArray(b, i+1, depth+1)
	case 't':
		return skipLiteral(b, i, "true")
	case 'f':
		return skipLiteral(b, i, "false")
	case 'n':
		return skipLiteral(b, i, "null")
	default:
		return skipNumber(b, i)
	}
}

// skipObject skips the rest of an object, from after the brace that opens it.
func skipObject(b []byte, i, depth int) int {
	if depth > maxDepth {
		return ^i
	}
	if b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if b[i] == '}' {
		return i + 1
	}
	for {
		if i = skipKey(b, i); i < 0 {
			return i
		}
		if b[i] == '"' {
			i = skipString(b, i+1)
		} else {
			i = skipValue(b, i, depth)
		}
		if i < 0 {
			return i
		}
		if b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if b[i] != ',' {
			break
		}
		if i++; b[i] <= ' ' {
			i = skipSpace(b, i)
		}
	}
	if b[i] != '}' {
		return ^i
	}
	return i + 1
}

// skipKey skips the key of a member, its quotes and the colon, up to the first byte of the value.
func skipKey(b []byte, i int) int {
	if b[i] != '"' {
		return ^i
	}
	if i = skipString(b, i+1); i < 0 {
		return i
	}
	if b[i] == ':' && b[i+1] > ' ' {
		return i + 1
	}
	return skipColon(b, i)
}

// skipColon skips the colon after a key, up to the first byte of the value.
func skipColon(b []byte, i int) int {
	if b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if b[i] != ':' {
		return ^i
	}
	if i++; b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	return i
}

// skipArray skips the rest of an array, from after the bracket that opens it.
func skipArray(b []byte, i, depth int) int {
	if depth > maxDepth {
		return ^i
	}
	i = skipSpace(b, i)
	if b[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(b, i, depth); i < 0 {
			return i
		}
		if b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if b[i] != ',' {
			break
		}
		if i++; b[i] <= ' ' {
			i = skipSpace(b, i)
		}
	}
	if b[i] != ']' {
		return ^i
	}
	return i + 1
}

// skipLiteral skips word.
func skipLiteral(b []byte, i int, word string) int {
	for n := range len(word) {
		if b[i+n] != word[n] {
			return ^(i + n)
		}
	}
	return i + len(word)
}

// skipNumber skips a number.
func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	switch {
	case b[i] == '0':
		i++
	case isDigit(b[i]):
		i = skipDigits(b, i)
	default:
		return ^i
	}
	if b[i] == '.' {
		if i++; !isDigit(b[i]) {
			return ^i
		}
		i = skipDigits(b, i)
	}
	if b[i] == 'e' || b[i] == 'E' {
		if i++; b[i] == '+' || b[i] == '-' {
			i++
		}
		if !isDigit(b[i]) {
			return ^i
		}
		i = skipDigits(b, i)
	}
	return i
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func skipDigits(b []byte, i int) int {
	for isDigit(b[i]) {
		i++
	}
	return i
}

// skipString skips the rest of a string, from after the quote that opens it.
func skipString(b []byte, i int) int {
	const (
		each = 0x0101010101010101 // each * c is the byte c eight times
		high = 0x80 * each
	)
	for {
		// In each byte of stop the high bit says that this byte of the string is a control character, a quote, a backslash or not ASCII. A borrow
		// can also mark bytes above a marked one, so only the lowest mark is used.
		w := binary.LittleEndian.Uint64(b[i : i+8])
		stop := ((w - ' '*each) | ((w ^ '"'*each) - each) | ((w ^ '\\'*each) - each) | w) & high
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i = skipEscapes(b, i)
		case c >= 0x80:
			i = skipRunes(b, i)
		default:
			return ^i
		}
		if i < 0 {
			return i
		}
	}
}

// skipEscapes skips a run of escape sequences. Text in other scripts than Latin, written as \uXXXX, is one long run.
func skipEscapes(b []byte, i int) int {
	for b[i] == '\\' {
		switch b[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if hexDigit[b[i+2]]&hexDigit[b[i+3]]&hexDigit[b[i+4]]&hexDigit[b[i+5]] == 0 {
				return ^i
			}
			i += 6
		default:
			return ^i
		}
	}
	return i
}

// hexDigit is 1 at hexadecimal digits and 0 elsewhere.
var hexDigit = [256]byte{
	'0': 1, '1': 1, '2': 1, '3': 1, '4': 1, '5': 1, '6': 1, '7': 1, '8': 1, '9': 1,
	'a': 1, 'b': 1, 'c': 1, 'd': 1, 'e': 1, 'f': 1, 'A': 1, 'B': 1, 'C': 1, 'D': 1, 'E': 1, 'F': 1,
}

// skipRunes skips a run of well-formed UTF-8 sequences of two to four bytes, as table 3-7 of the Unicode standard defines them: no overlong forms, no
// surrogates, nothing above U+10FFFF.
func skipRunes(b []byte, i int) int {
	for b[i] >= 0x80 {
		w := binary.LittleEndian.Uint32(b[i : i+4]) // the first byte of the sequence is the lowest
		switch {
		case w&0xC0C0F0 == 0x8080E0:
			if w&0x200F == 0 || w&0x200F == 0x200D { // E0 80..9F is overlong, ED A0..BF a surrogate
				return ^i
			}
			i += 3
		case w&0xC0E0 == 0x80C0:
			if w&0x1E == 0 { // C0 and C1 are overlong
				return ^i
			}
			i += 2
		case w&0xC0C0C0F8 == 0x808080F0:
			if plane := (w&7)<<2 | w>>12&3; plane == 0 || plane > 0x10 {
				return ^i
			}
			i += 4
		default:
			return ^i
		}
	}
	return i
}
