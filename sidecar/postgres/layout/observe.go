package layout

import "fmt"

// sorts are the sorts of values that a new column was seen to have.
type sorts uint8

const (
	sortBool      sorts = 1 << iota
	sortInt             // a whole number of 64 bits
	sortWideInt         // one that a float would round
	sortFloat           // a number with point or exponent
	sortWideFloat       // one that a float would round
	sortHuge            // a number beyond bigint or double precision, or with more digits than numeric has
	sortStamp           // a time with a date
	sortText            // anything else
)

// mixed says that the column is text because its values are of several sorts.
func (s sorts) mixed() bool { return s.typeName() == "text" && s&(s-1) != 0 }

// typeName is the type that takes values of these sorts, as Bulker finds it, but without rounding a number and without failing for a boolean among
// numbers.
func (s sorts) typeName() string {
	const wide, numbers = sortWideInt | sortWideFloat, sortInt | sortWideInt | sortFloat | sortWideFloat
	switch {
	case s == 0:
		return "text"
	case s == sortBool:
		return "boolean"
	case s&^(sortInt|sortWideInt) == 0:
		return "bigint"
	case s&^numbers == 0 && s&wide != 0:
		return "numeric"
	case s&^numbers == 0:
		return "double precision"
	case s == sortStamp:
		return "timestamp with time zone"
	}
	return "text"
}

// sortOf is the sort of a value, for a column that has seen others.
func (e *Encoder) sortOf(v value, others sorts) sorts {
	text := e.json[v.from:v.to]
	switch v.kind {
	case kindTrue, kindFalse:
		return sortBool
	case kindInt:
		if _, fits := readDecimal(e.digits[:0], text).integer(64); !fits {
			return sortHuge
		}
		if !surelyExact(text) {
			if _, exact, _ := nearest(text, 64); !exact {
				return sortWideInt
			}
		}
		return sortInt
	case kindFloat:
		switch _, exact, finite := nearest(text, 64); {
		case !finite, !exact && !readDecimal(e.digits[:0], text).fitsNumeric():
			return sortHuge
		case !exact:
			return sortWideFloat
		}
		return sortFloat
	case kindString:
		if plain := e.plain(v); makesColumn(plain) || others == sortStamp && isDate(plain) {
			return sortStamp
		}
	}
	return sortText
}

// Observe learns from a row which columns the table lacks, and of what types. It is given every row of a load before the load is encoded anew.
func (p *Plan) Observe(row []byte) error {
	if p.observer == nil {
		p.observer = &Encoder{walker: newWalker(p, true), others: tally{name: Unmapped}}
	}
	e := p.observer
	e.rows++
	if err := e.walk(row); err != nil {
		return fmt.Errorf("row %d: %w", e.rows, err)
	}
	for at := len(e.columns); at < len(p.columns); at++ {
		f := p.field(p.columns[at])
		f.aside = nil
		e.columns = append(e.columns, f)
	}
	e.beginUnmapped()
	for at, c := range p.columns {
		s := &e.slots[at]
		there := s.row == e.row && s.kind != kindNull
		switch {
		case !c.pending:
			e.line = e.column(e.line[:0], at)
		case there:
			if seen := c.observed | e.sortOf(s.value, c.observed); seen != c.observed {
				p.settle(c, seen)
			}
		case c.Key:
			p.unmappedNeeded = true
		}
	}
	e.line, e.spare, e.unmapped = kept(e.line), kept(e.spare), kept(e.unmapped)
	p.unmappedNeeded = p.unmappedNeeded || e.misfits
	for i := range e.loose {
		p.unmappedNeeded = p.unmappedNeeded || e.loose[i].kind != kindNone
	}
	return nil
}

// settle gives a new column the type of its values.
func (p *Plan) settle(c *column, seen sorts) {
	c.observed = seen
	c.Type = seen.typeName()
	c.typ = parseType(c.Type)
	if c.Key {
		c.Default = keyDefault(c.Type)
	}
}
