package cursor

import (
	"unsafe"

	"github.com/tidwall/gjson"
)

// Order watches whether rows come from the oldest to the newest. Its zero value has seen no row.
type Order struct {
	// Disordered says that an older row came after a newer one, Mixed that the values of two rows cannot be compared.
	Disordered, Mixed bool
	newest            []byte // the newest value so far, as JSON
}

// Follow looks at the next row. Most rows are newer than the one before and spelled alike: those cost no more than finding the value.
func (o *Order) Follow(row []byte, path Path) {
	if len(row) == 0 {
		return
	}
	// The row is only looked at, and nothing of it is kept: gjson.GetBytes would copy the value.
	raw := gjson.Get(unsafe.String(&row[0], len(row)), string(path)).Raw //nolint:gosec // see above
	if !alike(raw, o.newest) || raw < string(o.newest) {
		value, newest := parse(gjson.Parse(raw)), parse(gjson.ParseBytes(o.newest))
		switch {
		case !Comparable(value, newest):
			o.Mixed = true
			return
		case Compare(value, newest) < 0:
			o.Disordered = true
			return
		}
	}
	o.newest = append(o.newest[:0], raw...)
}

// alike says that two values are spelled so that the order of their bytes is theirs: times of one length in UTC, or whole numbers of one length.
func alike(value string, other []byte) bool {
	if len(value) != len(other) || len(value) == 0 {
		return false
	}
	return digits(value) && digits(other) || utc(value) && utc(other)
}

// digits says that text is nothing but decimal digits.
func digits[T string | []byte](text T) bool {
	for i := range len(text) {
		if text[i]-'0' > 9 {
			return false
		}
	}
	return true
}

// utc says that value, as JSON, is surely a time in UTC. It may say no to one: parse takes more spellings, and the days after the 28th.
func utc[T string | []byte](value T) bool {
	const shape = `"0000-00-00T00:00:00`
	end := len(value) - len(`Z"`)
	if end < len(shape) || value[end] != 'Z' || value[end+1] != '"' {
		return false
	}
	for i := range len(shape) {
		if shape[i] == '0' && value[i]-'0' > 9 || shape[i] != '0' && value[i] != shape[i] {
			return false
		}
	}
	if fraction := value[len(shape):end]; len(fraction) > 0 && (len(fraction) == 1 || fraction[0] != '.' || !digits(fraction[1:])) {
		return false
	}
	two := func(at int) int { return int(value[at]-'0')*10 + int(value[at+1]-'0') }
	year := two(len(`"`))*100 + two(len(`"00`))
	month, day := two(len(`"0000-`)), two(len(`"0000-00-`))
	hour, minute, second := two(len(`"0000-00-00T`)), two(len(`"0000-00-00T00:`)), two(len(`"0000-00-00T00:00:`))
	return year > 1677 && year < 2262 && month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour <= 23 && minute <= 59 && second <= 59
}
