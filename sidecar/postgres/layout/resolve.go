package layout

import "strings"

// Where a member of a row goes that is not simply the index of a column.
const (
	unresolved = -1 - iota // not asked yet
	missing                // no column is known: Observe must see all rows first
	overflow               // Unmapped takes it
)

// pathName is the column of a field inside of objects.
func (p *Plan) pathName(path []string) string {
	joined := ""
	for _, name := range path {
		joined = join(joined, p.fold(name))
	}
	return p.columnName(joined)
}

// fold is a key as it is compared.
func (p *Plan) fold(name string) string {
	if p.options.ToSameCase {
		return strings.ToLower(name)
	}
	return name
}

// columnName is the column of a flattened key.
func (p *Plan) columnName(path string) string {
	return columnName(path, func(name string) bool { _, exists := p.existing[name]; return exists }, p.options)
}

// lookup finds the column of a flattened key that has a value; with learn a new one is added where there is none.
func (p *Plan) lookup(path string, learn bool) int {
	name := p.columnName(path)
	if at, known := p.byName[name]; known {
		if p.columns[at].unknown() && !learn {
			return missing
		}
		return at
	}
	there, exists := p.existing[name]
	switch {
	case name == Unmapped, exists && there.Generated, !exists && p.left <= 0:
		return overflow
	case !learn:
		return missing
	}
	at := p.add(Column{Name: name, Type: "text"})
	p.columns[at].pending = !exists
	return at
}

// aside are the values of a column that the server refused.
type aside struct {
	all    bool
	rows   map[int64]bool
	values map[string]bool // as they were written
	room   int             // how many bytes a value may have; 0 is no limit
}

// has says that the server refused this value of the row, or an equal one, or that it is longer than what it takes.
func (a *aside) has(row int64, written []byte) bool {
	if a.rows[row] {
		a.values[string(written)] = true
	}
	return a.all || a.rows[row] || a.values[string(written)] || a.room > 0 && len(written) > a.room
}

// SetAside says that the server refused the value of a column in a row, of which 1 is the first that an Encoder is given. The encoders that are made
// from then on put it into Unmapped, and equal values of later rows, too. Row 0 stands for every row.
func (p *Plan) SetAside(column string, row int64) {
	a := p.asideOf(column)
	if a == nil {
		return
	}
	if row == 0 {
		a.all = true
	}
	a.rows[row] = true
	p.unmappedNeeded = true
}

// SetLongAside says that values of these columns may be too long for an index that has all of them: the encoders that are made from then on put such
// values into Unmapped. Those of the primary key are cut in any case.
func (p *Plan) SetLongAside(columns []string) {
	for _, column := range columns {
		if a := p.asideOf(column); a != nil && !p.columns[p.byName[column]].Key {
			a.room = indexRoom / len(columns)
			p.unmappedNeeded = true
		}
	}
}

// asideOf are the values of a column that the server refused; nil for a column that rows are not written to.
func (p *Plan) asideOf(column string) *aside {
	at, known := p.byName[column]
	if !known {
		return nil
	}
	c := p.columns[at]
	if c.aside == nil {
		c.aside = &aside{rows: map[int64]bool{}, values: map[string]bool{}}
	}
	return c.aside
}
