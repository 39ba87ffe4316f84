package server

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonb holds every JSON text but two: strings with U+0000, and strings with half of a surrogate pair. Sources do send them in cursors. In a state
// they are written with U+001A (SUBSTITUTE) before the four hex digits of what they stand for, and U+001A itself likewise:
//
//	\u0000 → \u001a0000    \ud83d (alone) → \u001ad83d    \u001a → \u001a001a
//
// so that reading can undo it exactly, that no two strings become one, and that every other reader of the table finds JSON of the same shape,
// and the very same JSON when there is nothing to escape. What does not round-trip is what JSON gives no meaning to: white space, order of
// members, all but the last of equal keys, the spelling of a number (1e2 is 100).
const substitute = 0x1a

// EscapeState makes raw acceptable to jsonb, reversibly. Without anything to escape it returns raw itself.
func EscapeState(raw []byte) []byte {
	return rewriteEscapes(raw, func(out []byte, unit uint16, lone bool) []byte {
		if unit == 0 || unit == substitute || lone {
			return appendHex(append(out, `\u001a`...), unit)
		}
		return appendHex(append(out, `\u`...), unit)
	})
}

// CleanJSON makes raw acceptable to jsonb for good: what it cannot hold becomes U+FFFD.
func CleanJSON(raw []byte) []byte {
	return rewriteEscapes(raw, func(out []byte, unit uint16, lone bool) []byte {
		if unit == 0 || lone {
			unit = 0xfffd
		}
		return appendHex(append(out, `\u`...), unit)
	})
}

// UnescapeState undoes EscapeState, on what jsonb made of it.
func UnescapeState(stored []byte) []byte {
	if !bytes.Contains(stored, []byte(`\u001a`)) {
		return stored
	}
	out := make([]byte, 0, len(stored))
	for i := 0; i < len(stored); {
		if stored[i] != '\\' || i+1 == len(stored) {
			out = append(out, stored[i])
			i++
			continue
		}
		if unit, ok := escapedUnit(stored[i:]); ok {
			out = appendHex(append(out, `\u`...), unit)
			i += len(`\u001a0000`)
			continue
		}
		out = append(out, stored[i], stored[i+1])
		i += 2
	}
	return out
}

// escapedUnit reads `\u001a` and four digits that EscapeState can have written; other writers' U+001A stay what they are.
func escapedUnit(text []byte) (unit uint16, ok bool) {
	digits, found := bytes.CutPrefix(text, []byte(`\u001a`))
	if !found {
		return 0, false
	}
	unit, ok = hexUnit(digits)
	return unit, ok && (unit == 0 || unit == substitute || utf16.IsSurrogate(rune(unit)))
}

// CleanText makes s acceptable to a text column: NUL and invalid UTF-8 become U+FFFD.
func CleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// rewriteEscapes gives every \uXXXX of the JSON text raw, but those of whole surrogate pairs, to rewrite, which appends what stands for it.
func rewriteEscapes(raw []byte, rewrite func(out []byte, unit uint16, lone bool) []byte) []byte {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	}
	if !bytes.Contains(raw, []byte(`\u`)) {
		return raw
	}
	out := make([]byte, 0, len(raw)+16)
	for i := 0; i < len(raw); {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			i++
			continue
		}
		unit, ok := unicodeEscape(raw[i:])
		switch {
		case !ok: // \n, \\, or no JSON at all, which Postgres will refuse
			out = append(out, raw[i], raw[i+1])
			i += 2
		case isPair(unit, raw[i+len(`\u0000`):]):
			out = append(out, raw[i:i+len(`\ud83d\ude00`)]...)
			i += len(`\ud83d\ude00`)
		default:
			out = rewrite(out, unit, utf16.IsSurrogate(rune(unit)))
			i += len(`\u0000`)
		}
	}
	return out
}

// isPair says whether unit and the escape at the head of rest are a surrogate pair.
func isPair(unit uint16, rest []byte) bool {
	low, ok := unicodeEscape(rest)
	return ok && utf16.DecodeRune(rune(unit), rune(low)) != '\ufffd'
}

// unicodeEscape reads a \uXXXX at the head of text.
func unicodeEscape(text []byte) (unit uint16, ok bool) {
	if len(text) < 2 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	return hexUnit(text[2:])
}

// hexUnit reads four hexadecimal digits at the head of text.
func hexUnit(text []byte) (unit uint16, ok bool) {
	if len(text) < 4 {
		return 0, false
	}
	for _, c := range text[:4] {
		digit := strings.IndexByte("0123456789abcdefABCDEF", c)
		if digit < 0 {
			return 0, false
		}
		if digit > 0xf { // of the capitals
			digit -= 6
		}
		unit = unit<<4 | uint16(digit)
	}
	return unit, true
}

func appendHex(out []byte, unit uint16) []byte {
	const digits = "0123456789abcdef"
	return append(out, digits[unit>>12], digits[unit>>8&0xf], digits[unit>>4&0xf], digits[unit&0xf])
}
