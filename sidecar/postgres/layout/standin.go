package layout

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// Rows are told apart by their primary key. One whose value does not fit its column, or not as a whole, gets another one in its place that is made of
// it: so rows that differ stay different, and the next version of a row meets the one before.

// cutKey shortens the text that begins at line[start]. Its end then is a hash of the whole, so that different keys stay different.
func cutKey(line []byte, start, room int) []byte {
	text := string(uncopy(nil, line[start:]))
	sum := sha256.Sum256([]byte(text))
	suffix := "_" + hex.EncodeToString(sum[:])
	return appendCopy(line[:start], []byte(cutBytes(text, max(room-len(suffix), 0))+suffix))
}

// appendStandIn appends what stands in a column of the primary key for a value that it cannot take: a hash of it, which no real value is likely to
// be, or the zero value of a type that has no room for one. In integer and date, which have little, two hashes in many thousands are the same.
func (e *Encoder) appendStandIn(line []byte, c *field, v value) []byte {
	text := e.json[v.from:v.to]
	if v.kind == kindString {
		text = e.plain(v)
	}
	sum := sha256.Sum256(text)
	number := binary.BigEndian.Uint64(sum[:])
	switch {
	case c.class == classInt && c.bits == 64, c.class == classNumeric && c.digits == 0:
		return strconv.AppendInt(line, -int64(number>>1)-1, 10)
	case c.class == classFloat && c.bits == 64:
		return strconv.AppendInt(line, -int64(number>>11)-1, 10) // 53 bits, which it holds exactly
	case c.class == classInt && c.bits == 32:
		return strconv.AppendInt(line, -int64(number>>33)-1, 10)
	case c.class == classStamp, c.class == classDate:
		return appendLongAgo(line, c, number)
	case c.class == classUUID:
		return hex.AppendEncode(line, sum[:16])
	case c.class == classBytes:
		return hex.AppendEncode(append(line, `\\x`...), sum[:])
	case c.class == classText && (c.length == 0 || c.length >= leastHash):
		text := hex.EncodeToString(sum[:])
		return append(line, text[:min(len(text), max(int(c.length), leastHash))]...)
	}
	return append(line, c.nothing...)
}

// leastHash is how many hexadecimal digits tell texts apart well enough.
const leastHash = 16

// appendLongAgo appends one of the moments of the 2284 years from 4001 BC on.
func appendLongAgo(line []byte, c *field, number uint64) []byte {
	const day = 24 * 3600 * 1e6
	micros := int64(number >> 8)
	m := moment{micros: int(micros % 1e6)}
	m.year, m.month, m.day = dateOf(daysFrom(-4000, 1, 1) + int(micros/day))
	if c.class == classDate {
		return appendEra(appendDate(line, m), m)
	}
	seconds := int(micros % day / 1e6)
	m.hour, m.minute, m.second = seconds/3600, seconds/60%60, seconds%60
	m.cut(c.micros)
	line = appendClock(append(appendDate(line, m), ' '), m)
	if c.zone {
		line = append(line, "+00"...)
	}
	return appendEra(line, m)
}
