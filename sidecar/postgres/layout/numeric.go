package layout

import "strconv"

// appendNumeric appends a value to a column of decimal numbers.
func (e *Encoder) appendNumeric(line []byte, c *field, v value) ([]byte, outcome) {
	text := e.json[v.from:v.to]
	switch v.kind {
	case kindTrue:
		text = []byte{'1'}
	case kindFalse:
		text = []byte{'0'}
	case kindInt, kindFloat:
	case kindString:
		if text = e.plain(v); string(text) == "NaN" {
			return append(line, text...), fits
		}
		if !isDecimal(text) {
			return line, misfit
		}
	default:
		return line, misfit
	}
	d := readDecimal(e.digits[:0], text)
	e.digits = d.digits
	if !d.fitsNumeric() {
		return line, misfit
	}
	if c.digits > 0 {
		digits, scale := int(c.digits), int(c.scale)
		room := digits - scale // before the point
		beyond := len(d.digits)-d.point > scale
		if d.point > room || beyond && d.point == room && carries(d.digits, digits) {
			return line, misfit
		}
		if beyond {
			return append(line, text...), nearby
		}
	}
	return append(line, text...), fits
}

// carries says that rounding a number to its first digits, all of them 9, needs another one before them.
func carries(digits []byte, first int) bool {
	if len(digits) <= first || digits[first] < '5' {
		return false
	}
	for _, digit := range digits[:first] {
		if digit != '9' {
			return false
		}
	}
	return true
}

// appendFloatText appends a number with point or exponent to a column of text, as Bulker prints it where that keeps every digit: with an exponent
// where need be in a column that became text because of other values, else without.
func appendFloatText(line, text []byte, promoted bool) []byte {
	f, exact, finite := nearest(text, 64)
	switch {
	case !finite || !exact:
		return append(line, text...)
	case promoted:
		return strconv.AppendFloat(line, f, 'g', -1, 64)
	}
	return strconv.AppendFloat(line, f, 'f', -1, 64)
}
