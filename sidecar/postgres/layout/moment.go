package layout

import (
	"bytes"
	"strings"
)

// moment is a date or a point in time as text says it.
type moment struct {
	year                 int // 0 is 1 BC
	month, day           int
	hour, minute, second int
	micros               int
	east                 int  // the zone, in seconds east of UTC
	timed                bool // there is a time, not only a date
	zoned                bool // there is a zone
	finer                bool // there were digits beyond microseconds
	loose                bool // spelled in a way that does not make a new column one of times: all that parseMoment takes beyond Bulker's forms
}

// reader reads fixed pieces of a text; ok is false after the first that is not there.
type reader struct {
	text []byte
	i    int
	ok   bool
}

// digits reads a number of at least so many digits and no more than that.
func (r *reader) digits(least, most int) int {
	n, count := 0, 0
	for count < most && r.i < len(r.text) && isDigit(r.text[r.i]) {
		n = n*10 + int(r.text[r.i]-'0')
		r.i++
		count++
	}
	r.ok = r.ok && count >= least
	return n
}

// take reads one of some bytes, and says which; 0 when it is none.
func (r *reader) take(one string) byte {
	if r.i < len(r.text) {
		for j := range len(one) {
			if r.text[r.i] == one[j] {
				r.i++
				return one[j]
			}
		}
	}
	return 0
}

func (r *reader) must(c byte) {
	if r.i < len(r.text) && r.text[r.i] == c {
		r.i++
		return
	}
	r.ok = false
}

func (r *reader) within(n, low, high int) int {
	r.ok = r.ok && n >= low && n <= high
	return n
}

// parseMoment reads the forms that Bulker takes (bulkerlib/types/datatype.go), and what else connectors write of which nobody can be in doubt: years
// of any length, eras (" BC", Airbyte's Java connectors), a lower-case t or z, a blank for the T (SQL, Python's str), no seconds where they are 0
// (Java's toString), zones without a colon, of hours alone (Postgres), behind a blank (Ruby), and with a name behind them (Java). What is on no
// calendar or clock is none.
func parseMoment(text []byte) (moment, bool) {
	r, m := reader{text: text, ok: true}, moment{}
	sign := r.take("+-")
	start := r.i
	m.year = r.digits(4, 6)
	m.loose = sign != 0 || r.i-start > 4
	if sign == '-' {
		m.year = -m.year
	}
	r.must('-')
	m.month = r.within(r.digits(2, 2), 1, 12)
	r.must('-')
	m.day = r.digits(2, 2)
	if t := r.take("Tt"); t != 0 || r.blankBefore("0123456789") {
		m.loose = m.loose || t != 'T'
		r.clock(&m, 1)
		r.zone(&m)
	}
	if len(text)-r.i == len(" BC") && string(text[r.i:]) == " BC" && m.year > 0 && sign == 0 {
		m.year, m.loose = 1-m.year, true
		r.i = len(text)
	}
	r.within(m.day, 1, daysIn(m.year, m.month))
	return m, r.ok && r.i == len(text)
}

// blankBefore skips a blank that stands before one of some bytes, and says whether there was one.
func (r *reader) blankBefore(one string) bool {
	if r.i+1 >= len(r.text) || r.text[r.i] != ' ' || strings.IndexByte(one, r.text[r.i+1]) < 0 {
		return false
	}
	r.i++
	return true
}

// clock reads a time of day; hour is the least number of digits of its hour.
func (r *reader) clock(m *moment, hour int) {
	m.timed = true
	m.hour = r.within(r.digits(hour, 2), 0, 23)
	r.must(':')
	m.minute = r.within(r.digits(2, 2), 0, 59)
	if r.take(":") == 0 {
		m.loose = true
		return
	}
	m.second = r.within(r.digits(2, 2), 0, 59)
	if r.take(".,") == 0 {
		return
	}
	start := r.i
	m.micros = r.digits(1, 6)
	for n := r.i - start; n < 6; n++ {
		m.micros *= 10
	}
	for r.i < len(r.text) && isDigit(r.text[r.i]) {
		m.finer = m.finer || r.text[r.i] != '0'
		r.i++
	}
}

// zone reads the zone of a time, if there is one.
func (r *reader) zone(m *moment) {
	m.loose = r.blankBefore("+-U") || m.loose
	switch sign := r.take("Zz+-U"); sign {
	case 0:
		return
	case 'U':
		r.must('T')
		r.must('C')
		m.loose = true
	case 'Z', 'z':
		m.loose = m.loose || sign == 'z'
	default:
		hours := r.within(r.digits(2, 2), 0, 24)
		if r.take(":") == 0 {
			m.loose = m.loose || len(r.text) != len("2006-01-02T15:04:05-0700")
		}
		minutes := 0
		if r.i < len(r.text) && isDigit(r.text[r.i]) {
			minutes = r.within(r.digits(2, 2), 0, 59)
		} else {
			r.ok, m.loose = r.ok && r.text[r.i-1] != ':', true
		}
		m.east = hours*3600 + minutes*60
		if sign == '-' {
			m.east = -m.east
		}
	}
	m.zoned = true
	r.zoneName(m)
}

// zoneName skips the name of a zone whose difference from UTC stands before it, as in +01:00[Europe/Paris].
func (r *reader) zoneName(m *moment) {
	rest := r.text[r.i:]
	if len(rest) > len("[]") && rest[0] == '[' && bytes.IndexByte(rest, ']') == len(rest)-1 {
		r.i, m.loose = len(r.text), true
	}
}

// daysIn is the number of days of a month; 0 when there is no such month.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// makesColumn says that a string makes a new column one of times, as with Bulker.
func makesColumn(text []byte) bool {
	if len(text) < 19 || len(text) > 35 || text[0] != '1' && text[0] != '2' {
		return false
	}
	m, ok := parseMoment(text)
	return ok && m.timed && !m.loose
}

// isDate says that a string is a date, which in a column of times is a time.
func isDate(text []byte) bool {
	m, ok := parseMoment(text)
	return ok && !m.timed && !m.loose
}

// utc is the moment in UTC.
func (m moment) utc() moment {
	seconds := int64(daysFrom(m.year, m.month, m.day))*86400 + int64(m.hour*3600+m.minute*60+m.second-m.east)
	days := floor(seconds, 86400)
	rest := int(seconds - days*86400)
	m.year, m.month, m.day = dateOf(int(days))
	m.hour, m.minute, m.second, m.east = rest/3600, rest/60%60, rest%60, 0
	return m
}

// daysFrom is the number of days from 1970-01-01 to a date of the proleptic Gregorian calendar.
func daysFrom(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := int(floor(int64(year), 400))
	of := year - era*400
	return era*146097 + of*365 + of/4 - of/100 + (153*(month-3)+2)/5 + day - 1 - 719468
}

// dateOf is the date so many days after 1970-01-01.
func dateOf(days int) (year, month, day int) {
	days += 719468
	era := int(floor(int64(days), 146097))
	of := days - era*146097
	yearOf := (of - of/1460 + of/36524 - of/146096) / 365
	dayOf := of - (365*yearOf + yearOf/4 - yearOf/100)
	shifted := (5*dayOf + 2) / 153
	year, month, day = yearOf+era*400, shifted+3, dayOf-(153*shifted+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// floor is n/by, rounded down.
func floor(n, by int64) int64 {
	if n%by < 0 {
		return n/by - 1
	}
	return n / by
}
