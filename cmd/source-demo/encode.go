package main

import "strconv"

// These append JSON values. They are what makes the source faster than what reads it: no reflection, no allocation.

const hexDigits = "0123456789ABCDEF"

// appendKey appends a foreign key, or null when the table that it points to is empty.
func appendKey(b []byte, id, count int64) []byte {
	if count == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, id, 10)
}

func appendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// appendMaybe appends a string that is already escaped, or null.
func appendMaybe(b []byte, null bool, escaped string) []byte {
	if null {
		return append(b, "null"...)
	}
	return append(append(append(b, '"'), escaped...), '"')
}

// appendTags appends an array of none to three different words.
func appendTags(b []byte, words []string, r *random) []byte {
	b = append(b, '[')
	first := r.below(int64(len(words)))
	for i := range r.below(4) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), words[(first+i)%int64(len(words))]...), '"')
	}
	return append(b, ']')
}

// appendHundredths appends n/100 with two digits after the point.
func appendHundredths(b []byte, n int64) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = append(strconv.AppendInt(b, n/100, 10), '.')
	return append2(b, n%100)
}

// appendTenThousandths appends n/10000 with four digits after the point.
func appendTenThousandths(b []byte, n int64) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = append(strconv.AppendInt(b, n/10_000, 10), '.')
	return append2(append2(b, n/100%100), n%100)
}

func append2(b []byte, n int64) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// appendTime appends RFC 3339 in UTC with milliseconds, from epoch milliseconds after 1970.
func appendTime(b []byte, millis int64) []byte {
	day, rest := millis/86_400_000, millis%86_400_000
	b = append(appendDate(b, day), 'T')
	b = append(append2(b, rest/3_600_000), ':')
	b = append(append2(b, rest/60_000%60), ':')
	b = append(append2(b, rest/1000%60), '.')
	return append(append2(append(b, byte('0'+rest%1000/100)), rest%100), 'Z')
}

// appendDate appends YYYY-MM-DD from days since 1970-01-01: Howard Hinnant's civil_from_days, several times as fast as time.Time's formatting.
func appendDate(b []byte, days int64) []byte {
	days += 719_468
	era := days / 146_097
	dayOfEra := days % 146_097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36_524 - dayOfEra/146_096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153 // months since March
	day, month, year := dayOfYear-(153*shifted+2)/5+1, shifted+3, yearOfEra+era*400
	if month > 12 {
		month, year = month-12, year+1
	}
	b = append(append2(append2(b, year/100), year%100), '-')
	return append2(append(append2(b, month), '-'), day)
}
