package layout

// appendMoment appends a value to a column of dates or of times with a date.
func (e *Encoder) appendMoment(line []byte, at int, c *field, v value) ([]byte, outcome) {
	if v.kind != kindString {
		return line, misfit
	}
	text := e.plain(v)
	if c.class == classStamp && c.micros == 1 {
		if clock := plainStamp(text); clock > 0 && c.zone {
			return append(line, text...), fits
		} else if clock > 0 && text[clock] == 'Z' {
			return append(line, text[:clock]...), fits
		}
	}
	m, ok := parseMoment(text)
	if !ok {
		return line, misfit
	}
	m = m.utc()
	if !m.storable(c.class) {
		return line, misfit
	}
	m.cut(c.micros)
	line = appendDate(line, m)
	if c.class == classDate {
		if m.hour|m.minute|m.second|m.micros != 0 || m.finer {
			e.note(at, cutToDay)
		}
		return appendEra(line, m), fits
	}
	line = appendClock(append(line, ' '), m)
	if c.zone {
		line = append(line, "+00"...)
	}
	if m.finer {
		e.note(at, cutToMicros)
	}
	return appendEra(line, m), fits
}

// plainStamp says that text is surely a time with a zone that Postgres reads as it stands: it is the index of the zone, or 0. It may say so of a good
// one, too.
func plainStamp(text []byte) int {
	const shape = "0000-00-00T00:00:00"
	if len(text) <= len(shape) {
		return 0
	}
	for i := range len(shape) {
		if shape[i] == '0' && !isDigit(text[i]) || shape[i] != '0' && text[i] != shape[i] {
			return 0
		}
	}
	two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	month, day := two(5), two(8)
	if two(0)+two(2) == 0 || month < 1 || month > 12 || day < 1 || day > 28 || two(11) > 23 || two(14) > 59 || two(17) > 59 {
		return 0
	}
	clock := len(shape)
	if text[clock] == '.' {
		if clock = skipDigits(text, clock+1); clock == len(shape)+1 || clock > len(shape)+len(".000000") {
			return 0
		}
	}
	zone := text[clock:]
	switch {
	case len(zone) == 1 && zone[0] == 'Z':
	case len(zone) == len("+00:00") && (zone[0] == '+' || zone[0] == '-') && isDigit(zone[1]) && isDigit(zone[2]) && zone[3] == ':' &&
		isDigit(zone[4]) && isDigit(zone[5]) && two(clock+1) <= 14 && two(clock+4) <= 59:
	default:
		return 0
	}
	return clock
}

// storable says that the type can hold a moment in UTC: from 4713 BC on (its 24th of November is the first day of the Julian calendar's count), until
// 294276 for times and 5874897 for dates.
func (m moment) storable(c class) bool {
	last := 294276
	if c == classDate {
		last = 5874897
	}
	return m.year <= last && daysFrom(m.year, m.month, m.day) >= daysFrom(-4712, 11, 24)
}

// cut leaves what a type keeps of a fraction of a second, of which micros is the least.
func (m *moment) cut(micros int32) {
	if rest := m.micros % int(micros); rest != 0 {
		m.micros -= rest
		m.finer = true
	}
}

// appendDate appends the date without its era.
func appendDate(line []byte, m moment) []byte {
	year := m.year
	if year <= 0 {
		year = 1 - year
	}
	line = appendPadded(line, year, 4)
	line = appendPadded(append(line, '-'), m.month, 2)
	return appendPadded(append(line, '-'), m.day, 2)
}

// appendEra appends what a date before the year 1 ends with.
func appendEra(line []byte, m moment) []byte {
	if m.year <= 0 {
		return append(line, " BC"...)
	}
	return line
}

// appendClock appends the time of day.
func appendClock(line []byte, m moment) []byte {
	line = appendPadded(line, m.hour, 2)
	line = appendPadded(append(line, ':'), m.minute, 2)
	line = appendPadded(append(line, ':'), m.second, 2)
	if m.micros != 0 {
		line = appendPadded(append(line, '.'), m.micros, 6)
	}
	return line
}

// appendPadded appends a number with at least so many digits.
func appendPadded(line []byte, n, digits int) []byte {
	var text [20]byte
	i := len(text)
	for ; n > 0 || digits > 0; digits-- {
		i--
		text[i] = byte('0' + n%10)
		n /= 10
	}
	return append(line, text[i:]...)
}

// appendTime appends a value to a column of times of day.
func (e *Encoder) appendTime(line []byte, c *field, v value) ([]byte, outcome) {
	if v.kind != kindString {
		return line, misfit
	}
	r, m := reader{text: e.plain(v), ok: true}, moment{}
	r.clock(&m, 2)
	if c.zone {
		r.zone(&m)
	}
	m.cut(c.micros)
	if !r.ok || r.i != len(r.text) || m.finer || m.east > 15*3600 || m.east < -15*3600 {
		return line, misfit
	}
	line = appendClock(line, m)
	if !c.zone {
		return line, fits
	}
	sign := byte('+')
	if m.east < 0 {
		sign, m.east = '-', -m.east
	}
	line = appendPadded(append(line, sign), m.east/3600, 2)
	return appendPadded(append(line, ':'), m.east/60%60, 2), fits
}
