// Package cursor reads and compares the values of a stream's cursor field, whose value grows with each version of a row. It is pure.
package cursor

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// kind is the type of a value. Values of different kinds are ordered by it, so that there is always an order.
type kind uint8

const (
	absent kind = iota // missing, null, or no scalar: the oldest
	number
	moment // a string that is a date or a time
	text
)

// Value is the value of a cursor field. The zero Value is older than any other.
type Value struct {
	kind  kind
	whole int64   // of a number that is one; nanoseconds of a moment
	float float64 // of a number
	text  []byte
}

// Path is where a field is in a row.
type Path string

// NewPath is the path of member names.
func NewPath(names []string) Path {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = gjson.Escape(name)
	}
	return Path(strings.Join(escaped, "."))
}

// Of is the value at a path in a row. It shares no memory with the row.
func Of(row []byte, path Path) Value { return parse(gjson.GetBytes(row, string(path))) }

// parse is a JSON value as that of a cursor.
func parse(value gjson.Result) Value {
	switch value.Type {
	case gjson.Number:
		whole, err := strconv.ParseInt(value.Raw, 10, 64)
		if err != nil {
			whole = 0
		}
		return Value{kind: number, float: value.Num, whole: whole}
	case gjson.String:
		if value.Str == "" {
			return Value{}
		}
		if at, isTime := parseTime(value.Str); isTime {
			return Value{kind: moment, whole: at.UnixNano()}
		}
		return Value{kind: text, text: []byte(value.Str)}
	}
	return Value{}
}

// parseTime reads the forms of dates and times that Airbyte's sources send.
func parseTime(value string) (time.Time, bool) {
	if len(value) < len("2006-01-02") || value[4] != '-' || value[7] != '-' {
		return time.Time{}, false
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly,
		"2006-01-02T15:04:05.999999999Z0700"} {
		if at, err := time.Parse(layout, value); err == nil && at.Year() > 1677 && at.Year() < 2263 { // what nanoseconds can hold
			return at, true
		}
	}
	return time.Time{}, false
}

// Comparable says that two values are of one kind, or that one is absent. Of others nobody knows which is newer: a text among times is a date that no
// calendar has, such as 0000-00-00, more often than not.
func Comparable(a, b Value) bool { return a.kind == b.kind || a.kind == absent || b.kind == absent }

// Comparable is Comparable of the values.
func (r Rank) Comparable(other Rank) bool {
	return r[0] == other[0] || r[0] == byte(absent) || other[0] == byte(absent)
}

// RankSize is the length of a Rank in bytes.
const RankSize = 9

// Rank is a Value in a few bytes, in the same order (bytes.Compare). Values that differ only beyond the 8th byte of a text, or the 53rd bit of a
// number, have one rank.
type Rank [RankSize]byte

// Rank of a value.
func (v Value) Rank() (r Rank) {
	r[0] = byte(v.kind)
	const sign = 1 << 63
	switch v.kind {
	case number:
		bits := math.Float64bits(v.float)
		if bits&sign != 0 {
			bits = ^bits
		} else {
			bits |= sign
		}
		binary.BigEndian.PutUint64(r[1:], bits)
	case moment:
		binary.BigEndian.PutUint64(r[1:], uint64(v.whole)^sign)
	case text:
		copy(r[1:], v.text)
	case absent:
	}
	return r
}

// Compare is negative when a is older than b, and 0 when neither is known to be.
func Compare(a, b Value) int {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	switch a.kind {
	case number:
		if a.float != b.float { // equal floats may be different integers
			return cmp.Compare(a.float, b.float)
		}
		return cmp.Compare(a.whole, b.whole)
	case moment:
		return cmp.Compare(a.whole, b.whole)
	case text:
		return bytes.Compare(a.text, b.text)
	}
	return 0
}
