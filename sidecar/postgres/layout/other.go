package layout

import (
	"encoding/hex"
	"net/netip"
	"slices"
)

// appendUUID appends a value to a column of UUIDs, in Postgres' own spelling.
func (e *Encoder) appendUUID(line []byte, v value) ([]byte, outcome) {
	if v.kind != kindString {
		return line, misfit
	}
	text := e.plain(v)
	var digits [32]byte
	n := 0
	for i, c := range text {
		switch {
		case c == '-' && len(text) == 36 && (i == 8 || i == 13 || i == 18 || i == 23):
			continue
		case c >= 'A' && c <= 'F':
			c += 'a' - 'A'
		case !isDigit(c) && (c < 'a' || c > 'f'):
			return line, misfit
		}
		if n == len(digits) {
			return line, misfit
		}
		digits[n] = c
		n++
	}
	if n != len(digits) {
		return line, misfit
	}
	for i, c := range digits {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			line = append(line, '-')
		}
		line = append(line, c)
	}
	return line, fits
}

// appendNetwork appends a value to a column of inet or cidr.
func (e *Encoder) appendNetwork(line []byte, c *field, v value) ([]byte, outcome) {
	if v.kind != kindString {
		return line, misfit
	}
	text := e.plain(v)
	if address, err := netip.ParseAddr(string(text)); err == nil {
		if address.Zone() != "" {
			return line, misfit
		}
		return append(line, text...), fits
	}
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil || c.strict && prefix.Masked() != prefix {
		return line, misfit
	}
	return append(line, text...), fits
}

// appendBytes appends a value to a column of bytea: Postgres' own hex form. Whether another text is base64 or the bytes themselves, nobody knows.
func (e *Encoder) appendBytes(line []byte, v value) ([]byte, outcome) {
	if v.kind != kindString {
		return line, misfit
	}
	text := e.plain(v)
	if len(text) < 2 || text[0] != '\\' || text[1] != 'x' {
		return line, misfit
	}
	decoded, err := hex.DecodeString(string(text[2:]))
	if err != nil {
		return line, misfit
	}
	return hex.AppendEncode(append(line, `\\x`...), decoded), fits
}

// appendLabel appends a value to a column of an enum.
func (e *Encoder) appendLabel(line []byte, c *field, v value) ([]byte, outcome) {
	if v.kind != kindString || !slices.Contains(c.labels, string(e.plain(v))) {
		return line, misfit
	}
	return appendCopy(line, e.plain(v)), fits
}

// appendArray appends a JSON array of scalars to a column of an array.
func (e *Encoder) appendArray(line []byte, at int, c *field, v value) ([]byte, outcome) {
	if v.kind != kindArray {
		return line, misfit
	}
	b, i := e.json, skipSpace(e.json, int(v.from)+1)
	array := []byte{'{'}
	var written, plain []byte
	for b[i] != ']' {
		item, ok := scanValue(b, i)
		if !ok {
			return line, misfit
		}
		switch nested := item.kind == kindArray || item.kind == kindObject; {
		case item.kind == kindNull:
			array = append(array, "NULL"...)
		case nested && c.item.class != classJSON:
			return line, misfit
		default:
			var became outcome
			if written, became = e.append(written[:0], at, c.item, item); became != fits {
				return line, misfit
			}
			plain = uncopy(plain, written)
			array = append(array, '"')
			for _, char := range plain {
				if char == '"' || char == '\\' {
					array = append(array, '\\')
				}
				array = append(array, char)
			}
			array = append(array, '"')
		}
		if i = skipSpace(b, int(item.to)); i < len(b) && b[i] == ',' {
			array = append(array, ',')
			i = skipSpace(b, i+1)
		}
		if i >= len(b) {
			return line, misfit
		}
	}
	return appendCopy(line, append(array, '}')), fits
}
