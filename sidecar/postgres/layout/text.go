package layout

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// appendString appends a string of the row, as COPY reads it.
func (e *Encoder) appendString(line []byte, at int, v value) []byte {
	text := e.json[v.from+1 : v.to-1]
	if v.flags&hasHigh != 0 && !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte(string(utf8.RuneError)))
		e.note(at, replaced)
	}
	if v.flags&hasEscape == 0 {
		return append(line, text...)
	}
	for {
		next := bytes.IndexByte(text, '\\')
		if next < 0 {
			return append(line, text...)
		}
		line = append(line, text[:next]...)
		text = text[next:]
		for len(text) > 1 && text[0] == '\\' { // other scripts are one long run of escapes
			line, text = e.appendEscape(line, at, text)
		}
	}
}

// appendEscape appends the character of the escape at the beginning of a text, as COPY reads it, and returns what follows.
func (e *Encoder) appendEscape(line []byte, at int, text []byte) (written, rest []byte) {
	switch c := text[1]; c {
	case 'n', 't', 'r', '\\':
		return append(line, '\\', c), text[2:]
	case 'u':
		r, size := decodeEscape(text)
		switch {
		case r == 0:
			e.note(at, nulRemoved)
		case size < 0:
			e.note(at, replaced)
			return utf8.AppendRune(line, utf8.RuneError), text[-size:]
		case r == '\\' || r == '\n' || r == '\t' || r == '\r':
			line = appendCopy(line, []byte{byte(r)})
		default:
			line = utf8.AppendRune(line, r)
		}
		return line, text[size:]
	default:
		return append(line, simpleEscape(c)), text[2:]
	}
}

// appendCopy appends a text as COPY reads it.
func appendCopy(line, text []byte) []byte {
	for i := 0; ; i++ {
		next := bytes.IndexAny(text[i:], "\\\n\t\r")
		if next < 0 {
			return append(line, text[i:]...)
		}
		line = append(line, text[i:i+next]...)
		i += next
		switch c := text[i]; c {
		case '\n':
			line = append(line, `\n`...)
		case '\t':
			line = append(line, `\t`...)
		case '\r':
			line = append(line, `\r`...)
		default:
			line = append(line, '\\', c)
		}
	}
}

// uncopy is what COPY makes of a text that appendCopy wrote.
func uncopy(buf, written []byte) []byte {
	buf = buf[:0]
	for i := 0; i < len(written); i++ {
		c := written[i]
		if c == '\\' && i+1 < len(written) {
			i++
			c = simpleEscape(written[i])
		}
		buf = append(buf, c)
	}
	return buf
}

// simpleEscape is the character that a backslash followed by c stands for.
func simpleEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}

// decodeEscape is the character of the \u escape, or of the pair of them, at the beginning of a text, and its length there. Half of a pair has a
// negative length.
func decodeEscape(text []byte) (rune, int) {
	r, ok := hexRune(text)
	if !ok {
		return utf8.RuneError, -min(len(text), 6)
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if second, ok := hexRune(text[6:]); ok {
		if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, -6
}

// hexRune is the number of a \u escape at the beginning of a text.
func hexRune(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range text[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape is the text of the inside of a JSON string: the inside itself when it has no escapes, else it is in buf. Half of a surrogate pair becomes
// U+FFFD.
func unescape(buf, inside []byte) []byte {
	next := bytes.IndexByte(inside, '\\')
	if next < 0 {
		return inside
	}
	buf = buf[:0]
	for ; next >= 0 && next+1 < len(inside); next = bytes.IndexByte(inside, '\\') {
		buf = append(buf, inside[:next]...)
		inside = inside[next:]
		if inside[1] != 'u' {
			buf = append(buf, simpleEscape(inside[1]))
			inside = inside[2:]
			continue
		}
		r, size := decodeEscape(inside)
		buf = utf8.AppendRune(buf, r)
		inside = inside[max(size, -size):]
	}
	return append(buf, inside...)
}

// plain is the text of a string of the row, until the next call.
func (e *Encoder) plain(v value) []byte {
	inside := e.json[v.from+1 : v.to-1]
	if v.flags&hasEscape == 0 {
		return inside
	}
	e.spare = unescape(e.spare, inside)
	return e.spare
}

// appendText appends any value to a column of text.
func (e *Encoder) appendText(line []byte, at int, c *field, v value) ([]byte, outcome) {
	start := len(line)
	switch v.kind {
	case kindString:
		line = e.appendString(line, at, v)
	case kindFloat:
		line = appendFloatText(line, e.json[v.from:v.to], c.promoted)
	case kindArray, kindObject:
		line = e.appendJSONText(line, at, v)
	default:
		line = append(line, e.json[v.from:v.to]...)
	}
	if c.length > 0 && characters(line[start:]) > int(c.length) {
		return line, misfit
	}
	if c.bytes > 0 && len(uncopy(nil, line[start:])) > int(c.bytes) { // the server would cut it
		return line, misfit
	}
	return line, fits
}

// characters counts those of a text as appendCopy writes it.
func characters(written []byte) int {
	n := utf8.RuneCount(written)
	for i := 0; i < len(written); i++ {
		if written[i] == '\\' {
			i++
			n--
		}
	}
	return n
}
