package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendJSONText appends an array or object to a column of text: compact, with the order and the numbers that it has, and characters as themselves.
func (e *Encoder) appendJSONText(line []byte, at int, v value) []byte {
	text := e.json[v.from:v.to]
	if v.flags&hasHigh != 0 && !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte(string(utf8.RuneError)))
		e.note(at, replaced)
	}
	if v.flags&(hasSpace|hasUnicode) != 0 {
		e.spare = compact(e.spare, text)
		text = e.spare
	}
	if v.flags&hasEscape == 0 {
		return append(line, text...)
	}
	return doubleBackslashes(line, text)
}

// doubleBackslashes is appendCopy for JSON, in which only backslashes need it.
func doubleBackslashes(line, text []byte) []byte {
	for {
		next := bytes.IndexByte(text, '\\')
		if next < 0 {
			return append(line, text...)
		}
		line = append(append(line, text[:next+1]...), '\\')
		text = text[next+1:]
	}
}

// compact is JSON without white space, and without the escapes that JSON does not ask for. Half of a surrogate pair, which is no character, stays
// an escape.
func compact(buf, text []byte) []byte {
	buf = buf[:0]
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		case c != '\\' || i+1 == len(text):
		case text[i+1] == 'u':
			r, size := decodeEscape(text[i:])
			if size < 0 || r < ' ' || r == '"' || r == '\\' {
				size = max(size, -size)
				buf = append(buf, text[i:i+size]...)
			} else {
				buf = utf8.AppendRune(buf, r)
			}
			i += size - 1
			continue
		default:
			if i++; text[i] != '/' {
				buf = append(buf, c)
			}
			c = text[i]
		}
		buf = append(buf, c)
	}
	return buf
}

// appendJSON appends a value to a column of JSON. Numbers and booleans alone do not fit, as with Bulker. A string that is an array or object as JSON
// is taken as that; any other is a JSON string.
func (e *Encoder) appendJSON(line []byte, at int, c *field, v value) ([]byte, outcome) {
	switch v.kind {
	case kindArray, kindObject:
		return e.appendStored(line, at, c, e.json[v.from:v.to], v.flags)
	case kindString:
		inside := bytes.TrimLeft(e.plain(v), " \t\r\n")
		if len(inside) > 1 && (inside[0] == '{' || inside[0] == '[') && json.Valid(inside) {
			inside = bytes.TrimRight(bytes.Clone(inside), " \t\r\n")
			if inner, ok := scanValue(inside, 0); ok {
				return e.appendStored(line, at, c, inside, inner.flags)
			}
		}
		return e.appendStored(line, at, c, e.json[v.from:v.to], v.flags)
	}
	return line, misfit
}

// appendStored appends valid JSON, so that the server takes it.
func (e *Encoder) appendStored(line []byte, at int, c *field, text []byte, has flags) ([]byte, outcome) {
	if has&hasHigh != 0 && !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte(string(utf8.RuneError)))
		e.note(at, replaced)
	}
	if has&hasDepth != 0 || c.binary && has&hasWide != 0 && !numbersFit(text) {
		return line, misfit
	}
	if has&hasSpace != 0 {
		e.spare = compact(e.spare, text)
		text = e.spare
	}
	if c.binary && has&hasUnicode != 0 {
		text = e.storable(at, text)
	}
	if has&hasEscape == 0 {
		return append(line, text...), fits
	}
	return doubleBackslashes(line, text), fits
}

// storable is JSON without what jsonb cannot hold: U+0000, which goes, and halves of surrogate pairs. Characters beyond ASCII are themselves: not
// every encoding of a database takes them as escapes.
func (e *Encoder) storable(at int, text []byte) []byte {
	var cleaned []byte
	from := 0
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if text[i+1] != 'u' {
			i++
			continue
		}
		r, size := decodeEscape(text[i:])
		if r != 0 && r < utf8.RuneSelf {
			i += size - 1
			continue
		}
		cleaned = append(cleaned, text[from:i]...)
		switch {
		case r == 0:
			e.note(at, nulRemoved)
		case size < 0:
			e.note(at, replaced)
			fallthrough
		default:
			cleaned = utf8.AppendRune(cleaned, r)
		}
		size = max(size, -size)
		from = i + size
		i = from - 1
	}
	if from == 0 {
		return text
	}
	return append(cleaned, text[from:]...)
}

// numbersFit says that jsonb can hold the numbers in a JSON text.
func numbersFit(text []byte) bool {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end, _ := skipString(text, i+1)
			if end < 0 {
				return false
			}
			i = end
		case c == '-' || isDigit(c):
			end, _ := skipNumber(text, i)
			if end < 0 || !readDecimal(nil, text[i:end]).fitsNumeric() {
				return false
			}
			i = end
		default:
			i++
		}
	}
	return true
}

// beginUnmapped lets go what the row before had set aside.
func (e *Encoder) beginUnmapped() {
	switch {
	case len(e.taken) > keptLoose:
		e.taken = nil
	case e.misfits:
		clear(e.taken)
	}
	e.unmapped, e.misfits = append(e.unmapped[:0], '{'), false
}

// free is a name that no value of the row has that was set aside: the name itself, else with a number behind it. Several keys can be one column, and
// of two members of one name jsonb keeps the last.
func (e *Encoder) free(name string) string {
	if e.taken == nil {
		e.taken = map[string]int{}
	}
	name = strings.ReplaceAll(name, "\x00", "") // as appendQuoted writes it
	is := name
	for e.taken[is] > 0 {
		e.taken[name]++
		is = fmt.Sprintf("%s (%d)", name, e.taken[name])
	}
	e.taken[is]++
	return is
}

// setAside adds a value of the row to those for Unmapped. As with Bulker, arrays and objects are their JSON as a string.
func (e *Encoder) setAside(name string, v value) {
	if e.misfits {
		e.unmapped = append(e.unmapped, ',')
	}
	e.misfits = true
	e.unmapped = append(appendQuoted(e.unmapped, e.free(name)), ':')
	switch v.kind {
	case kindNull, kindNone:
		e.unmapped = append(e.unmapped, "null"...)
	case kindString:
		text := e.json[v.from:v.to]
		if v.flags&hasHigh != 0 {
			text = bytes.ToValidUTF8(text, []byte(string(utf8.RuneError)))
		}
		if v.flags&hasUnicode != 0 {
			text = e.storable(-1, text)
		}
		e.unmapped = append(e.unmapped, text...)
	case kindArray, kindObject:
		text := e.json[v.from:v.to]
		if v.flags&hasHigh != 0 {
			text = bytes.ToValidUTF8(text, []byte(string(utf8.RuneError)))
		}
		if v.flags&(hasSpace|hasUnicode) != 0 {
			e.spare = compact(e.spare, text)
			text = e.spare
		}
		e.unmapped = appendQuoted(e.unmapped, text)
	default:
		text := e.json[v.from:v.to]
		d := readDecimal(e.digits, text)
		if e.digits = kept(d.digits); d.fitsNumeric() || v.kind == kindTrue || v.kind == kindFalse {
			e.unmapped = append(e.unmapped, text...)
		} else {
			e.unmapped = append(append(append(e.unmapped, '"'), text...), '"')
		}
	}
}

// appendUnmapped appends what was set aside.
func (e *Encoder) appendUnmapped(line []byte) []byte {
	if !e.misfits {
		return append(line, `\N`...)
	}
	return doubleBackslashes(line, e.plan.lacking.spell(append(e.unmapped, '}')))
}

// appendQuoted appends a text, which is UTF-8, as a JSON string that jsonb takes.
func appendQuoted[T string | []byte](buf []byte, text T) []byte {
	buf = append(buf, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c == 0:
		case c < ' ':
			buf = append(buf, `\u00`...)
			if c < 16 {
				buf = append(buf, '0')
			}
			buf = strconv.AppendUint(buf, uint64(c), 16)
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}
