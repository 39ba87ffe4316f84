package layout

import (
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// outcome is what became of a value.
type outcome uint8

const (
	fits   outcome = iota
	misfit         // the column cannot take it
	nearby         // the column took the nearest value that it has
)

// decimal is a number as its digits: 0.digits × 10^point. Zero has no digits.
type decimal struct {
	negative bool
	digits   []byte // without zeros at either end
	point    int
}

// maxExponent is beyond every exponent that any type can hold.
const maxExponent = 1 << 24

// readDecimal reads a number that may have a sign, a point and an exponent. The digits are in buf.
func readDecimal(buf, text []byte) decimal {
	d := decimal{digits: buf[:0]}
	i := 0
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		d.negative = text[i] == '-'
		i++
	}
	seenPoint := false
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '.':
			seenPoint = true
			continue
		case !isDigit(c):
			d.point += readExponent(text[i:])
			i = len(text)
			continue
		case c == '0' && len(d.digits) == 0:
			if seenPoint {
				d.point--
			}
			continue
		}
		d.digits = append(d.digits, c)
		if !seenPoint {
			d.point++
		}
	}
	for len(d.digits) > 0 && d.digits[len(d.digits)-1] == '0' {
		d.digits = d.digits[:len(d.digits)-1]
	}
	if len(d.digits) == 0 {
		d.point, d.negative = 0, false
	}
	return d
}

// readExponent reads "e-12"; a number that has no end is maxExponent.
func readExponent(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	digits := text[1:]
	negative := digits[0] == '-'
	if negative || digits[0] == '+' {
		digits = digits[1:]
	}
	n := 0
	for _, c := range digits {
		if n = n*10 + int(c-'0'); n > maxExponent {
			n = maxExponent
			break
		}
	}
	if negative {
		return -n
	}
	return n
}

// fitsNumeric says that numeric can hold the number exactly (131072 digits before the point, 16383 after it).
func (d decimal) fitsNumeric() bool { return d.point <= 131072 && len(d.digits)-d.point <= 16383 }

// integer is the number as a whole one of so many bits; false when it is none.
func (d decimal) integer(bits int) (int64, bool) {
	if len(d.digits) > d.point || d.point > 19 {
		return 0, len(d.digits) == 0
	}
	n := uint64(0)
	for i := range d.point {
		n *= 10
		if i < len(d.digits) {
			n += uint64(d.digits[i] - '0')
		}
	}
	limit := uint64(1) << (bits - 1)
	switch {
	case d.negative && n <= limit:
		return -int64(n), true
	case !d.negative && n < limit:
		return int64(n), true
	}
	return 0, false
}

// nearest is the nearest number of so many bits that is finite, and whether Postgres prints it with the same digits.
func nearest(text []byte, size int) (f float64, exact, finite bool) {
	if len(text) == 0 {
		return 0, false, false
	}
	f, err := strconv.ParseFloat(unsafe.String(&text[0], len(text)), size) //nolint:gosec // it is only looked at; the error is dropped
	if err != nil || math.IsInf(f, 0) {
		return 0, false, false
	}
	mantissa, whole := 53, float64(1<<53) // beyond whole there are only whole numbers
	if size == 32 {
		mantissa, whole = 24, 1<<24
	}
	var asGiven, asStored [32]byte
	abs := math.Abs(f)
	if abs > 1e-5 && abs < whole && string(strconv.AppendFloat(asStored[:0], f, 'f', -1, size)) == string(text) {
		return f, true, true // as most programs print it
	}
	given := readDecimal(asGiven[:0], text)
	stored := readDecimal(asStored[:0], strconv.AppendFloat(make([]byte, 0, 32), f, 'e', -1, size))
	exact = given.point == stored.point && string(given.digits) == string(stored.digits)
	return f, exact && (abs < whole || !given.between(mantissa)), true
}

// between says that a whole number is in the middle between two floats with so many bits. Go prints the even one of these with the digits of the
// middle, since it reads them as that; Postgres prints other digits.
func (d decimal) between(mantissa int) bool {
	n := uint64(0)
	for _, digit := range d.digits {
		high, low := bits.Mul64(n, 10)
		if n = low + uint64(digit-'0'); high != 0 || n < low {
			return false
		}
	}
	n >>= bits.TrailingZeros64(n)
	for range d.point - len(d.digits) { // the powers of 2 in those of 10 do not count
		high, low := bits.Mul64(n, 5)
		if n = low; high != 0 {
			return false
		}
	}
	return bits.Len64(n) == mantissa+1
}

// surelyExact says that a number is so short that a float of 64 bits holds it.
func surelyExact(text []byte) bool {
	if len(text) > 15 {
		return false
	}
	for _, c := range text {
		if c == 'e' || c == 'E' {
			return false
		}
	}
	return true
}

// appendInt appends a value to a column of whole numbers.
func (e *Encoder) appendInt(line []byte, c *field, v value) ([]byte, outcome) {
	text := e.json[v.from:v.to]
	switch v.kind {
	case kindTrue:
		return append(line, '1'), fits
	case kindFalse:
		return append(line, '0'), fits
	case kindInt:
		if len(text) <= 18 && c.bits == 64 && string(text) != "-0" {
			return append(line, text...), fits
		}
	case kindFloat:
	case kindString:
		if text = e.plain(v); !isInteger(text) {
			return line, misfit
		}
	default:
		return line, misfit
	}
	n, ok := readDecimal(e.digits[:0], text).integer(int(c.bits))
	if !ok {
		return line, misfit
	}
	return strconv.AppendInt(line, n, 10), fits
}

// isInteger says that text is digits, with or without a sign.
func isInteger(text []byte) bool {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	return len(text) > 0 && skipDigits(text, 0) == len(text)
}

// appendFloat appends a value to a column of floating-point numbers.
func (e *Encoder) appendFloat(line []byte, c *field, v value) ([]byte, outcome) {
	text := e.json[v.from:v.to]
	switch v.kind {
	case kindTrue:
		return append(line, '1'), fits
	case kindFalse:
		return append(line, '0'), fits
	case kindInt, kindFloat:
		if c.bits == 64 && surelyExact(text) {
			return append(line, text...), fits
		}
	case kindString:
		text = e.plain(v)
		f, err := strconv.ParseFloat(string(text), int(c.bits))
		if err != nil {
			return line, misfit
		}
		if !isDecimal(text) {
			return appendNumber(line, f, int(c.bits)), fits
		}
	default:
		return line, misfit
	}
	f, exact, finite := nearest(text, int(c.bits))
	if !finite {
		return line, misfit
	}
	switch {
	case !exact:
		return appendNumber(line, f, int(c.bits)), nearby
	case f == 0:
		return appendNumber(line, f, int(c.bits)), fits
	}
	return append(line, text...), fits
}

// appendNumber appends a float as Postgres reads it.
func appendNumber(line []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(line, "NaN"...)
	case math.IsInf(f, 1):
		return append(line, "Infinity"...)
	case math.IsInf(f, -1):
		return append(line, "-Infinity"...)
	case f == 0:
		return append(line, '0') // not -0, which equals it
	}
	return strconv.AppendFloat(line, f, 'g', -1, bits)
}

// isDecimal says that text is a number as people write it: digits, a point, an exponent.
func isDecimal(text []byte) bool {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	whole := skipDigits(text, 0)
	i, digits := whole, whole
	if i < len(text) && text[i] == '.' {
		i = skipDigits(text, i+1)
		digits = i - 1
	}
	if digits > 0 && i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		if i++; i < len(text) && (text[i] == '-' || text[i] == '+') {
			i++
		}
		end := skipDigits(text, i)
		return end > i && end == len(text)
	}
	return digits > 0 && i == len(text)
}
