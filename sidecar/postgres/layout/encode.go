package layout

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNewColumn is the error of a row for which the plan lacks a column: after Plan.Observe saw all rows of the load, and the table has what
// Plan.Missing says, a new Encoder takes it.
var ErrNewColumn = errors.New("row needs a column that the table lacks")

// indexRoom is how many bytes a primary key surely may have: an entry of an index takes 2704, after a compression that not every text profits from.
const indexRoom = 2600

// field is a column as the encoder sees it. All that most values need is in few bytes, so that many columns fit into the processor's cache.
type field struct {
	columnType
	required bool  // it must not be null
	key      bool  // it is a part of the primary key
	promoted bool  // it became text because the values of this load are of several types
	room     int32 // of a text in the key: how many bytes an index surely takes; 0 is no limit
	aside    *aside
	*about
}

// about is what few values of a column need.
type about struct {
	name, typeName string
	nothing        string // what stands for a value where the column must not be null
	item           *field // of arrays: an element
	labels         []string
	tally          *tally
}

// Encoder writes rows as lines of a COPY. One goroutine uses it; it allocates nothing for a row whose keys it has seen.
type Encoder struct {
	walker
	columns  []field
	rows     int64
	there    bool           // Unmapped is a column of the COPY
	unmapped []byte         // the values of the row that Unmapped takes, as JSON
	misfits  bool           // there are some
	taken    map[string]int // how many there are of each name
	others   tally          // of values without a column

	line, spare, digits []byte // used again and again
}

// Encoder makes an encoder for the columns that are known now.
func (p *Plan) Encoder() *Encoder {
	e := &Encoder{walker: newWalker(p, false), others: tally{name: Unmapped}}
	for i, c := range p.columns {
		e.columns = append(e.columns, p.field(c))
		e.seen[i] = c.declared || c.Key
	}
	e.there = p.unmappedExists || p.unmappedNeeded
	return e
}

// Release lets the last row go, and what was kept for the next one. What was seen and noted stays.
func (e *Encoder) Release() {
	e.json, e.loose, e.unmapped, e.taken, e.line, e.spare, e.digits = nil, nil, nil, nil, nil, nil, nil
	clear(e.slots)
}

// field is a column for an encoder.
func (p *Plan) field(c *column) field {
	f := field{columnType: c.typ, required: c.NotNull || c.Key, key: c.Key, promoted: c.pending && c.observed.mixed() && !c.Key, aside: c.aside,
		about: &about{name: c.Name, typeName: c.Type, labels: c.Labels}}
	if f.class == classArray {
		item := strings.TrimSuffix(c.Type, "[]")
		f.item = &field{columnType: parseType(item), about: &about{typeName: item}}
	}
	if f.key && f.class == classText {
		f.room = int32(indexRoom / len(p.key))
	}
	nothing, has := f.zero()
	switch f.class {
	case classEnum:
		nothing, has = string(appendCopy(nil, []byte(f.labels[0]))), true
	case classOther:
		nothing, has = otherZero(c.Type, c.Category)
	}
	f.nothing, f.required = nothing, f.required && has // where there is nothing neutral, the server has to say what is wrong
	return f
}

// Append appends a row, one line in COPY's text format. After an error it returns dst as it was.
func (e *Encoder) Append(dst, row []byte) ([]byte, error) {
	e.rows++
	if err := e.walk(row); err != nil {
		return dst, fmt.Errorf("row %d: %w", e.rows, err)
	}
	if e.lacks() {
		return dst, ErrNewColumn
	}
	line := dst
	e.beginUnmapped()
	for at := range e.columns {
		if at > 0 {
			line = append(line, '\t')
		}
		line = e.column(line, at)
	}
	for i := range e.loose {
		if l := &e.loose[i]; l.kind != kindNone {
			e.note(-1, l.reason)
			e.setAside(l.name, l.value)
		}
	}
	switch {
	case e.misfits && e.plan.unmappedRefuses():
		return dst, fmt.Errorf("row %d has values that only column %s can take, but that is of type %s here: alter it to jsonb, or rename it",
			e.rows, Unmapped, e.plan.unmapped.Type)
	case e.there:
		if len(e.columns) > 0 {
			line = append(line, '\t')
		}
		line = e.appendUnmapped(line)
	case e.misfits:
		e.plan.unmappedNeeded = true
		return dst, ErrNewColumn
	}
	e.spare, e.unmapped = kept(e.spare), kept(e.unmapped)
	return append(line, '\n'), nil
}

// kept is a buffer to use again, unless an unusual row made it large.
func kept(buf []byte) []byte {
	if cap(buf) > 1<<20 {
		return nil
	}
	return buf
}

// column appends the value of a column.
func (e *Encoder) column(line []byte, at int) []byte {
	c, s := &e.columns[at], &e.slots[at]
	if s.row != e.row || s.kind == kindNull {
		if !c.required {
			return append(line, `\N`...)
		}
		e.setAside(c.name, value{kind: kindNull})
		if c.key {
			e.note(at, noKey)
		} else {
			e.note(at, notNull)
		}
		return append(line, c.nothing...)
	}
	start := len(line)
	line, became := e.append(line, at, c, s.value)
	why := doesNotFit
	if became != misfit && (c.aside != nil && c.aside.has(e.rows, line[start:]) || e.plan.lacking.in(line[start:])) {
		became, why = misfit, refused
	}
	if became == fits {
		if c.room == 0 || len(line)-start <= int(c.room) {
			return line
		}
		e.setAside(c.name, s.value)
		e.note(at, longKey)
		return cutKey(line, start, int(c.room))
	}
	e.setAside(c.name, s.value)
	if became == nearby {
		e.note(at, rounded)
		return line
	}
	line = line[:start]
	if c.required {
		if c.key && why == doesNotFit {
			why = badKey
		}
		e.note(at, why)
		if c.key {
			return e.appendStandIn(line, c, s.value)
		}
		return append(line, c.nothing...)
	}
	e.note(at, why)
	return append(line, `\N`...)
}

// Rows is the number of rows that were given to Append.
func (e *Encoder) Rows() int64 { return e.rows }

// Seen are the columns for which rows had a value, or which they should have: those that a merge sets. It leaves the others of the COPY as they are.
func (e *Encoder) Seen() []Column {
	var seen []Column
	for at, column := range e.plan.Columns() {
		if at >= len(e.columns) || e.seen[at] {
			seen = append(seen, column)
		}
	}
	return seen
}
