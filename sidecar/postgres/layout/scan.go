package layout

import (
	"encoding/binary"
	"math/bits"
)

// The rows are JSON that the connector's reader has checked. So the scanner finds where values end and what is in them, in one pass, and checks only
// what would otherwise break a line of the COPY: it never reads beyond the row, whatever the row is.

// kind is the kind of a JSON value.
type kind uint8

const (
	kindNone kind = iota // no value
	kindNull
	kindFalse
	kindTrue
	kindInt   // a number without point and exponent
	kindFloat // any other number
	kindString
	kindArray
	kindObject
)

// flags are what a value has in it, so that most values can be copied as they are.
type flags uint8

const (
	hasEscape  flags = 1 << iota // a backslash
	hasUnicode                   // a \u escape, or \/, which others spell differently
	hasHigh                      // bytes beyond ASCII
	hasSpace                     // white space outside of strings
	hasWide                      // of an array or object: a number with an exponent, or a very long one
	hasDepth                     // of an array or object: nested deeper than deepNesting
)

// deepNesting is a depth that every server takes: max_stack_depth bounds it there.
const deepNesting = 500

// longNumber is more digits than a number has that jsonb surely takes.
const longNumber = 1000

// value is a JSON value in a row, which is no longer than MaxRow: row[from:to], a string with its quotes.
type value struct {
	from, to int32
	kind     kind
	flags    flags
}

const (
	each = 0x0101010101010101 // each * c is the byte c eight times
	high = 0x80 * each
)

// skipSpace skips white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// skipString skips the rest of a string, from after the quote that opens it; negative when it has no end or a raw control character.
func skipString(b []byte, i int) (int, flags) {
	var found flags
	for {
		if i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			if w&high != 0 {
				found |= hasHigh
			}
			// In each byte of stop the high bit says that this byte is a control character, a quote or a backslash. A borrow can also mark bytes above
			// a marked one, so only the lowest mark is used.
			stop := ((w - ' '*each) | ((w ^ '"'*each) - each) | ((w ^ '\\'*each) - each)) &^ w & high
			if stop == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stop) >> 3
		}
		if i >= len(b) {
			return -1, found
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, found
		case c == '\\':
			if i++; i >= len(b) {
				return -1, found
			}
			found |= hasEscape
			switch b[i] {
			case 'n', 't', 'r', 'b', 'f', '"', '\\':
			case 'u', '/':
				found |= hasUnicode
			default:
				return -1, found
			}
			i++
		case c < ' ':
			return -1, found
		case c >= 0x80:
			found |= hasHigh
			i++
		default:
			i++
		}
	}
}

// scanValue finds the end of the value that begins at b[i]; false when there is none.
func scanValue(b []byte, i int) (value, bool) {
	if i >= len(b) {
		return value{}, false
	}
	var v value
	var end int
	switch b[i] {
	case '"':
		v.kind = kindString
		end, v.flags = skipString(b, i+1)
	case '{':
		v.kind = kindObject
		end, v.flags = skipContainer(b, i)
	case '[':
		v.kind = kindArray
		end, v.flags = skipContainer(b, i)
	case 't':
		v.kind, end = kindTrue, skipWord(b, i, "true")
	case 'f':
		v.kind, end = kindFalse, skipWord(b, i, "false")
	case 'n':
		v.kind, end = kindNull, skipWord(b, i, "null")
	default:
		end, v.kind = skipNumber(b, i)
	}
	v.from, v.to = int32(i), int32(end)
	return v, end > 0
}

func skipWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// skipNumber skips a number as JSON spells it.
func skipNumber(b []byte, i int) (int, kind) {
	found := kindInt
	if b[i] == '-' {
		i++
	}
	end := skipDigits(b, i)
	if end == i || b[i] == '0' && end > i+1 {
		return -1, found
	}
	if i = end; i < len(b) && b[i] == '.' {
		if end = skipDigits(b, i+1); end == i+1 {
			return -1, found
		}
		i, found = end, kindFloat
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if end = skipDigits(b, i); end == i {
			return -1, found
		}
		i, found = end, kindFloat
	}
	return i, found
}

// skipContainer skips the array or object that begins at b[i].
func skipContainer(b []byte, i int) (int, flags) {
	var found, inString flags
	depth := 0
	for i < len(b) {
		switch c := b[i]; c {
		case '"':
			if i, inString = skipString(b, i+1); i < 0 {
				return -1, found
			}
			found |= inString
			continue
		case '{', '[':
			if depth++; depth > deepNesting {
				found |= hasDepth
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, found
			}
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end := i
			for end < len(b) && (isDigit(b[end]) || b[end] == '.') {
				end++
			}
			if end < len(b) && (b[end] == 'e' || b[end] == 'E') || end-i > longNumber {
				found |= hasWide
			}
			i = end
			continue
		default:
			switch {
			case c == ' ' || c == '\t' || c == '\r' || c == '\n':
				found |= hasSpace
			case c < ' ' || c == '\\' || c >= 0x7f:
				return -1, found
			}
		}
		i++
	}
	return -1, found
}
