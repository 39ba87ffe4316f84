package layout

import "fmt"

// Note says what did not go into a table as it was, in so many rows.
type Note struct {
	Column string
	Reason string // for people
	Count  int64
	Row    int64 // the first of them, counted from 1
}

// reason is why a value is not in its column, or not as it was.
type reason uint8

const (
	doesNotFit  reason = iota // the value, into the column's type
	noKey                     // a part of the primary key is null or missing
	badKey                    // a part of the primary key does not fit
	longKey                   // a text of the primary key is longer than an index takes
	notNull                   // null, in a column that must not be
	rounded                   // to the nearest number that the column has
	nulRemoved                // U+0000, which no text of Postgres can have
	replaced                  // what is no character
	cutToMicros               // a fraction of a second, or to fewer digits of it
	cutToDay                  // the time of a date
	sameColumn                // another key of the row has the same column
	noColumn                  // a table cannot have more columns, or none of that name
	refused                   // by the server
	newKey                    // no column yet: never noted
	reasons                   // how many there are
)

// text is the reason in words; typeName is the column's type.
func (r reason) text(typeName string) string {
	switch r {
	case doesNotFit:
		return fmt.Sprintf("not a value of type %s: kept in %s", typeName, Unmapped)
	case noKey:
		return fmt.Sprintf("null or missing, though part of the primary key: the column has the zero value of %s", typeName)
	case badKey:
		return fmt.Sprintf("not a value of type %s, though part of the primary key: the column has a hash in its place, or the type's zero value; "+
			"the original is in %s", typeName, Unmapped)
	case longKey:
		return fmt.Sprintf("too long for the index of the primary key: cut, with a hash at the end; the whole text is in %s", Unmapped)
	case notNull:
		return fmt.Sprintf("null or missing, though the column is NOT NULL: it has the zero value of %s", typeName)
	case rounded:
		return fmt.Sprintf("rounded to what %s can hold: the exact number is in %s", typeName, Unmapped)
	case nulRemoved:
		return "NUL characters removed: Postgres cannot hold them"
	case replaced:
		return "bytes that are no character, or half of one, replaced by U+FFFD"
	case cutToMicros:
		return fmt.Sprintf("cut to the fraction of a second that %s has", typeName)
	case cutToDay:
		return "cut to the day (UTC)"
	case sameColumn:
		return fmt.Sprintf("another key of the row has the same column: kept in %s", Unmapped)
	case noColumn:
		return fmt.Sprintf("the table can have no such column: kept in %s", Unmapped)
	case refused, newKey, reasons:
	}
	return fmt.Sprintf("refused by the server: kept in %s", Unmapped)
}

// tally counts what happened to the values of a column.
type tally struct {
	name, typeName string
	count, first   [reasons]int64
}

// note counts one value of the row. at is negative for what has no column.
func (e *Encoder) note(at int, r reason) {
	t := &e.others
	if at >= 0 {
		t = e.columns[at].tally
		if t == nil {
			t = &tally{name: e.columns[at].name, typeName: e.columns[at].typeName}
			e.columns[at].tally = t
		}
	}
	if t.count[r]++; t.first[r] == 0 {
		t.first[r] = e.rows
	}
}

// Notes are what did not go into the table as it was, column by column.
func (e *Encoder) Notes() []Note {
	var notes []Note
	for i := range e.columns {
		notes = e.columns[i].tally.notes(notes)
	}
	return e.others.notes(notes)
}

func (t *tally) notes(notes []Note) []Note {
	if t == nil {
		return notes
	}
	for r := range reasons {
		if t.count[r] > 0 {
			notes = append(notes, Note{Column: t.name, Reason: r.text(t.typeName), Count: t.count[r], Row: t.first[r]})
		}
	}
	return notes
}
