package bulkertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxColumns is how many columns a table of Postgres has at most.
const maxColumns = 1600

// warehouse is what the Postgres behind Bulker makes of the rows of a load: columns, and the errors of rows and columns that do not go in. Types are
// not looked at.
type warehouse struct {
	load      Load
	key       []string // the columns of the primary key
	flattener flattener

	byPath  map[string]*column // as found so far
	byName  map[string]*column
	columns []*column // of the temporary table: those declared, then those with a value, as they come
	row     int64     // that is being taken, from 1
	refusal string    // of the first row that does not go in
}

// column is one of the temporary table.
type column struct {
	name  string
	row   int64           // the last one with a value
	value json.RawMessage // used where a row is written anew
}

// newWarehouse begins a load with the columns that its schema declares.
func newWarehouse(l Load, fields []string) *warehouse {
	w := &warehouse{load: l, flattener: flattener{declared: map[string]bool{}}, byPath: map[string]*column{}, byName: map[string]*column{}}
	for _, path := range l.PrimaryKey {
		w.key = append(w.key, columnName(path))
	}
	for _, field := range fields {
		w.flattener.declared[field] = true
		w.column([]byte(field))
	}
	return w
}

// column is the column of a path.
func (w *warehouse) column(path []byte) *column {
	if c := w.byPath[string(path)]; c != nil {
		return c
	}
	name := columnName(string(path))
	c := w.byName[name]
	if c == nil {
		c = &column{name: name}
		w.byName[name] = c
		w.columns = append(w.columns, c)
	}
	w.byPath[string(path)] = c
	return c
}

// take takes a row, which is valid JSON, and returns what is kept of it: the row as it is, unless two of its values go into one column; then the
// columns.
func (w *warehouse) take(line []byte) ([]byte, error) {
	if !utf8.Valid(line) {
		w.refuse(`ERROR: invalid byte sequence for encoding "UTF8" (SQLSTATE 22021)`)
		return line, nil
	}
	w.row++
	row, collide := bytes.TrimSpace(line), false
	err := w.flattener.each(row, func(path, _ []byte) {
		c := w.column(path)
		collide = collide || c.row == w.row
		c.row = w.row
	})
	for _, name := range w.key {
		if c := w.byName[name]; c == nil || c.row != w.row {
			w.refuse(`ERROR: null value in column "%s" of relation "%s_tmp1795642727550565" violates not-null constraint (SQLSTATE 23502)`,
				name, firstRunes(w.load.Table, 43))
		}
	}
	if err != nil || !collide {
		return line, err
	}
	return w.merged(row)
}

// merged writes a row by its columns: in the order of the first value of each, with the last.
func (w *warehouse) merged(row []byte) ([]byte, error) {
	var columns []*column
	err := w.flattener.each(row, func(path, value []byte) {
		c := w.column(path)
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
		c.value = value
	})
	var b bytes.Buffer
	for i, c := range columns {
		quoted, quoteErr := json.Marshal(c.name)
		err = errors.Join(err, quoteErr)
		b.WriteByte("{,"[min(i, 1)])
		b.Write(quoted)
		b.WriteByte(':')
		b.Write(c.value)
	}
	b.WriteByte('}')
	return b.Bytes(), err
}

// refuse notes the error of a row; Postgres ends with the first.
func (w *warehouse) refuse(format string, args ...any) {
	if w.refusal == "" {
		w.refusal = fmt.Sprintf("failed to flush tmp file to the warehouse, cause: "+format, args...)
	}
}

// complete is the error that ends the load, as it stands behind `stream complete error: `; empty when there is none. existing are the columns of the
// table, none when there is no table.
func (w *warehouse) complete(existing []string) string {
	const tmp = "failed to create table, cause: report.sql.create_table: failed to create table {db_info}, cause: "
	if len(w.columns) > maxColumns {
		return tmp + "ERROR: tables can have at most 1600 columns (SQLSTATE 54011)"
	}
	cut := map[string]bool{}
	for _, c := range w.columns {
		name := postgresName(c.name)
		if cut[name] {
			return tmp + fmt.Sprintf(`ERROR: column "%s" specified more than once (SQLSTATE 42701)`, name)
		}
		cut[name] = true
	}
	for _, name := range w.key {
		if w.byName[name] == nil {
			return tmp + fmt.Sprintf(`ERROR: column "%s" of relation "%s" does not exist (SQLSTATE 42703)`, name, w.load.Table)
		}
	}
	if w.refusal != "" {
		return w.refusal
	}
	const patch = "failed to ensure destination table, cause: report.sql.patch_table: failed to patch table {db_info}, cause: "
	count := len(existing)
	for _, c := range w.columns {
		switch {
		case slices.Contains(existing, c.name): // it is found under this name
		case slices.Contains(existing, postgresName(c.name)):
			return patch + fmt.Sprintf(`ERROR: column "%s" of relation "%s" already exists (SQLSTATE 42701)`, postgresName(c.name), w.load.Table)
		default:
			count++
		}
	}
	switch {
	case count > maxColumns:
		return patch + "ERROR: tables can have at most 1600 columns (SQLSTATE 54011)"
	case count == 0:
		return `report.sql.bulk_merge: failed to bulk insert {db_info}, cause: ERROR: syntax error at or near ")" (SQLSTATE 42601)`
	}
	return ""
}

// added are the columns that the load gives a table with the existing ones, under the names that Postgres gives them.
func (w *warehouse) added(existing []string) []string {
	var added []string
	for _, c := range w.columns {
		if name := postgresName(c.name); !slices.Contains(existing, name) {
			added = append(added, name)
		}
	}
	return added
}
