// Package layout lays the rows of a stream out as a table in Postgres, as Bulker does: what its tables, columns and types are called, and where each
// value goes. In come rows as JSON, out come lines for COPY in text format. It is pure: it talks to no server.
//
// What decides is measured (testdata/vectors.json). docs/postgres.md says where this package differs from Bulker: it refuses no row and loses no
// value. One that its column cannot take goes to the column _unmapped_data, and is counted (I7).
package layout

import (
	"fmt"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/declaration"
)

const (
	// MaxRow is the longest row, in bytes of JSON, of which no line and no value reaches what a server can hold (1 GB).
	MaxRow = 255 << 20
	// maxColumns is how many columns a table of Postgres can have, less one for Unmapped.
	maxColumns = 1600 - 1
)

// Options are what the settings say about tables.
type Options struct {
	ToSameCase bool // names are lower-case
	// MaxColumns is how many columns a table may have beside Unmapped; 0 is what Postgres takes. It counts dropped columns, too.
	MaxColumns int
}

// column is a column that rows are written to.
type column struct {
	Column
	typ      columnType
	exists   bool // in the table
	declared bool // by the stream's schema
	pending  bool // new, and not declared: its type is that of the values that Observe saw
	observed sorts
	aside    *aside
}

// Plan says how the rows of one table are written. One goroutine uses it.
type Plan struct {
	options  Options
	columns  []*column // those of the COPY, without Unmapped
	byName   map[string]int
	existing map[string]Column
	whole    map[string]bool // objects at these paths are kept, because a field of that name is declared
	key      []int
	cursor   string // the column of the cursor, if there is one
	left     int    // how many columns may still be added

	unmapped       Column
	unmappedExists bool
	unmappedNeeded bool

	lacking  *lacking // nil is none
	observer *Encoder
}

// NewPlan plans the table of a stream. existing are the table's columns, nil when there is no table yet.
func NewPlan(table sidecar.Table, existing []Column, o Options) (*Plan, error) {
	p := &Plan{options: o, byName: map[string]int{}, existing: map[string]Column{}, whole: map[string]bool{}, left: maxColumns,
		unmapped: Column{Name: Unmapped, Type: "jsonb"}}
	if o.MaxColumns > 0 {
		p.left = o.MaxColumns
	}
	for _, column := range existing {
		if column.Name == Unmapped {
			p.unmapped, p.unmappedExists = column, true
			continue
		}
		p.existing[column.Name] = column
		p.left--
	}
	keys := make([]string, 0, len(table.PrimaryKey))
	for _, path := range table.PrimaryKey {
		keys = append(keys, p.pathName(path))
	}
	p.addDeclared(declaration.Fields(table.Schema, table.PrimaryKey), keys)
	if err := p.addKey(keys); err != nil {
		return nil, err
	}
	p.addPlain(existing)
	if len(table.Cursor) > 0 {
		p.cursor = p.pathName(table.Cursor)
	}
	return p, nil
}

// addDeclared adds the fields that the schema declares, as long as there is room for them and for the key.
func (p *Plan) addDeclared(fields []declaration.Field, keys []string) {
	for _, field := range fields {
		name := p.columnName(field.Name)
		p.whole[field.Name] = true
		if _, known := p.byName[name]; known || name == Unmapped {
			continue
		}
		if _, exists := p.existing[name]; !exists && p.left <= len(keys) && !slices.Contains(keys, name) {
			continue
		}
		if at := p.add(Column{Name: name, Type: declaredType(field.Type)}); at >= 0 {
			p.columns[at].declared = true
		}
	}
}

// addKey adds what the primary key lacks, and marks its columns.
func (p *Plan) addKey(keys []string) error {
	for _, name := range keys {
		at, known := p.byName[name]
		if !known {
			if at = p.add(Column{Name: name, Type: "text"}); at < 0 {
				return fmt.Errorf("column %q of the primary key cannot be written: the server generates it, or it is %s", name, Unmapped)
			}
			p.columns[at].pending = !p.columns[at].exists
		}
		c := p.columns[at]
		if slices.Contains(p.key, at) {
			continue
		}
		c.Key = true
		if !c.exists {
			c.NotNull, c.Default = true, keyDefault(c.Type)
		}
		p.key = append(p.key, at)
	}
	return nil
}

// addPlain adds the other columns of the table to which a null can be written, in case that rows have values for them: so that one pass over the rows
// is enough.
func (p *Plan) addPlain(existing []Column) {
	for _, c := range existing {
		if _, known := p.byName[c.Name]; !known && c.Name != Unmapped && !c.NotNull && c.Default == "" {
			p.add(c)
		}
	}
}

// add adds a column to those that are written, as the table has it or as a new one. It is negative for one that cannot be written.
func (p *Plan) add(wanted Column) int {
	c := &column{Column: wanted}
	if there, exists := p.existing[wanted.Name]; exists {
		c.Column, c.exists = there, true
		c.Key = false
	}
	if c.Generated || c.Name == Unmapped {
		return -1
	}
	if !c.exists {
		p.left--
	}
	c.typ = typeOf(c.Column)
	at := len(p.columns)
	p.columns = append(p.columns, c)
	p.byName[c.Name] = at
	return at
}

// typeOf is the type of a column, whose labels tell an enum from other types.
func typeOf(c Column) columnType {
	t := parseType(c.Type)
	if t.class == classOther && len(c.Labels) > 0 {
		t.class = classEnum
	}
	return t
}

// Key are the names of the columns of the primary key, in its order.
func (p *Plan) Key() []string {
	var names []string
	for _, at := range p.key {
		names = append(names, p.columns[at].Name)
	}
	return names
}

// Cursor is the name of the column whose value grows with each version of a row; empty when there is none.
func (p *Plan) Cursor() string {
	if at, known := p.byName[p.cursor]; !known || p.columns[at].unknown() {
		return ""
	}
	return p.cursor
}

// Unsettled says that the type of a column of the primary key is not known: it is neither declared nor in the table, and no row was observed. A table
// that is made now gets text.
func (p *Plan) Unsettled() bool {
	return slices.ContainsFunc(p.key, func(at int) bool { return p.columns[at].unknown() })
}

// unknown says that nothing tells the column's type yet.
func (c *column) unknown() bool { return c.pending && c.observed == 0 }

// Missing are the columns that the table lacks, in the order in which they are to be added.
func (p *Plan) Missing() []Column {
	var missing []Column
	for _, c := range p.columns {
		if !c.exists {
			missing = append(missing, c.Column)
		}
	}
	if p.unmappedNeeded && !p.unmappedExists {
		missing = append(missing, p.unmapped)
	}
	return missing
}

// Columns are those of the COPY, in its order; Unmapped, if there is one, is the last.
func (p *Plan) Columns() []Column {
	columns := make([]Column, 0, len(p.columns)+1)
	for _, c := range p.columns {
		columns = append(columns, c.Column)
	}
	if p.unmappedExists || p.unmappedNeeded {
		columns = append(columns, p.unmapped)
	}
	return columns
}

// unmappedRefuses says that the table has a column of that name that takes no JSON.
func (p *Plan) unmappedRefuses() bool {
	t := parseType(p.unmapped.Type)
	return t.class != classJSON && (t.class != classText || t.length > 0) || p.unmapped.Generated
}
