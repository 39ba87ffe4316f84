package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// way is how rows get into a table.
type way int

const (
	// straight is COPY into the table itself.
	straight way = iota
	// merged is COPY into a temporary table, and an INSERT from there that updates the rows whose key is there.
	merged
	// different is merged, and then what the load does not hold is deleted: foreign keys see only rows go that are gone.
	different
)

// work is one load on its way into its table.
type work struct {
	target *target
	load   sidecar.Load
	place  relation // the table that takes the rows
	found  *found
	plan   *layout.Plan
	text   *copyText
	watch  *watch
	way    way
	clear  bool     // the rows that are there go
	key    []string // columns by which rows merge; none where they do not
	// generation is the table that holds the rows of the stream once the load is committed, while a new generation is not complete.
	generation relation
	before     relation // that when the load came
	begins     bool     // the load begins a generation, or the only content of a table that was empty
	nothing    bool     // there is nothing to write
	keyless    bool     // the table gets its primary key once the rows are there
	closed     bool     // text is
	copied     string   // the name of the table that the COPY was into
}

// temporary is the table that rows go into before they are merged; the n-th of a transaction.
func temporary(n int) relation {
	return relation{schema: "pg_temp", name: fmt.Sprintf("sync_sidecar_rows_%d", n)}
}

// write brings the rows of a load into its table, in a transaction.
func (w *work) write(ctx context.Context, tx pgx.Tx, n int) error {
	if w.nothing {
		return nil
	}
	columns := names(w.plan.Columns())
	if w.way == straight {
		if w.clear {
			if _, err := tx.Exec(ctx, "delete from "+w.place.sql()); err != nil {
				return err
			}
		}
		return w.copyTo(ctx, tx, w.place, columns)
	}
	staging := temporary(n)
	if err := w.stage(ctx, tx, staging, columns); err != nil {
		return err
	}
	if err := w.copyTo(ctx, tx, staging, columns); err != nil {
		return err
	}
	if w.clear && w.way == merged {
		if _, err := tx.Exec(ctx, "delete from "+w.place.sql()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf("insert into %s (%s) %s", w.place.sql(), identifiers(columns), w.newest(staging, columns)))
		return err
	}
	if err := w.merge(ctx, tx, staging, columns); err != nil {
		return err
	}
	if w.way == different {
		_, err := tx.Exec(ctx, w.goneSQL(staging))
		return err
	}
	return nil
}

// stage makes the temporary table: with the types of the columns alone, or also with the constraints of the table.
func (w *work) stage(ctx context.Context, tx pgx.Tx, staging relation, columns []string) error {
	create := fmt.Sprintf("create temporary table %s on commit drop as select %s from %s with no data", quote(staging.name), identifiers(columns),
		w.place.sql())
	if w.target.refusals.checked {
		create = fmt.Sprintf("create temporary table %s (like %s including constraints) on commit drop", quote(staging.name), w.place.sql())
		for _, c := range w.found.Columns {
			if c.NotNull && !slices.Contains(columns, c.Name) {
				create += fmt.Sprintf("; alter table %s alter column %s drop not null", staging.sql(), quote(c.Name))
			}
		}
	}
	if _, err := tx.Exec(ctx, create, pgx.QueryExecModeSimpleProtocol); err != nil {
		return missingRight(err, "GRANT TEMPORARY ON DATABASE … TO …, to merge rows by their key")
	}
	return nil
}

// copyTo sends the rows to a table.
func (w *work) copyTo(ctx context.Context, tx pgx.Tx, into relation, columns []string) error {
	conn := tx.Conn().PgConn()
	conn.CustomData()[wakeKey] = func(err error) { w.text.cancel(err) }
	defer delete(conn.CustomData(), wakeKey)
	list := ""
	if len(columns) > 0 {
		list = " (" + identifiers(columns) + ")"
	}
	w.copied = into.name
	_, err := conn.CopyFrom(ctx, w.text, "copy "+into.sql()+list+" from stdin")
	closed := w.closeText()
	if rows := w.text.failure(); rows != nil && (err == nil || sqlState(err) == queryCanceled) {
		return &rowsError{cause: rows} // which the server was told of
	}
	return errors.Join(err, closed)
}

// merge brings rows from a temporary table to the one that they are for. Where a load holds a key twice, which only the server can tell for sure, the
// newest row of each key counts: once such a load was seen, that is expected.
func (w *work) merge(ctx context.Context, tx pgx.Tx, staging relation, columns []string) error {
	if !w.target.duplicates {
		err := savepoint(ctx, tx, func() error {
			_, err := tx.Exec(ctx, w.mergeSQL(staging, columns, false))
			return err
		})
		if sqlState(err) != cardinality {
			return err
		}
		w.target.duplicates = true
	}
	_, err := tx.Exec(ctx, w.mergeSQL(staging, columns, true))
	return err
}

// savepoint runs do so that the transaction goes on when it fails.
func savepoint(ctx context.Context, tx pgx.Tx, do func() error) error {
	if _, err := tx.Exec(ctx, "savepoint merge"); err != nil {
		return err
	}
	err := do()
	end := "release savepoint merge"
	if err != nil {
		if sqlState(err) == "" {
			return err
		}
		end = "rollback to savepoint merge"
	}
	if _, ended := tx.Exec(ctx, end); ended != nil {
		return errors.Join(err, ended)
	}
	return err
}

// mergeSQL is the INSERT that merges. distinct leaves the newest row of each key.
func (w *work) mergeSQL(staging relation, columns []string, distinct bool) string {
	list, cursor := identifiers(columns), w.cursor()
	rows := "select " + list + " from " + staging.sql()
	if distinct {
		rows = w.newest(staging, columns)
	}
	var set []string
	for _, column := range w.changed(columns) {
		set = append(set, quote(column)+" = excluded."+quote(column))
	}
	if w.way == different {
		set = append(set, w.forgotten(columns)...)
	}
	do := "nothing"
	if len(set) > 0 {
		do = "update set " + strings.Join(set, ", ")
		if cursor != "" && w.way == merged {
			do += fmt.Sprintf(" where t.%[1]s is null or excluded.%[1]s >= t.%[1]s", cursor)
		}
	}
	return fmt.Sprintf("insert into %s as t (%s) %s on conflict (%s) do %s", w.place.sql(), list, rows, identifiers(w.key), do)
}

// newest selects the newest row of each key: that with the highest cursor, and of those the last one.
func (w *work) newest(staging relation, columns []string) string {
	key := identifiers(w.key)
	order := key
	if cursor := w.cursor(); cursor != "" {
		order += ", " + cursor + " desc nulls last"
	}
	return fmt.Sprintf("select distinct on (%s) %s from %s order by %s, ctid desc", key, identifiers(columns), staging.sql(), order)
}

// goneSQL deletes the rows whose key another table does not have.
func (w *work) goneSQL(staging relation) string {
	return fmt.Sprintf("delete from %s as t where not exists (select from %s as s where %s)", w.place.sql(), staging.sql(), sameKey(w.key))
}

// changed are the columns that a newer version of a row sets: those that rows of the load have, or should have. The others stay as they are, and so
// does what a person added to the table.
func (w *work) changed(columns []string) []string {
	if w.way == merged {
		columns = names(w.text.encoder.Seen())
	}
	return slices.DeleteFunc(slices.Clone(columns), func(column string) bool { return slices.Contains(w.key, column) })
}

// forgotten sets the columns that the rows of a full refresh do not have to what a new row has there.
func (w *work) forgotten(columns []string) []string {
	var set []string
	for _, c := range w.found.Columns {
		if !c.Generated && !slices.Contains(columns, c.Name) && !slices.Contains(w.key, c.Name) {
			set = append(set, quote(c.Name)+" = default")
		}
	}
	return set
}

// cursor is the quoted cursor column, bytewise where it holds text; empty when there is none whose values the server can compare.
func (w *work) cursor() string {
	if w.plan == nil {
		return ""
	}
	name := w.plan.Cursor()
	for _, c := range w.plan.Columns() {
		if c.Name != name {
			continue
		}
		switch c.Type {
		case "json", "xml", "point", "box", "circle", "line", "lseg", "path", "polygon":
			return ""
		case "text":
			return quote(name) + ` collate "C"`
		}
		if strings.HasPrefix(c.Type, "character") {
			return quote(name) + ` collate "C"`
		}
		return quote(name)
	}
	return ""
}

// sameKey compares the keys of t and s.
func sameKey(key []string) string {
	same := make([]string, len(key))
	for i, column := range key {
		same[i] = fmt.Sprintf("t.%[1]s is not distinct from s.%[1]s", quote(column))
	}
	return strings.Join(same, " and ")
}

// names of columns.
func names(columns []layout.Column) []string {
	list := make([]string, len(columns))
	for i, column := range columns {
		list[i] = column.Name
	}
	return list
}

// identifiers are names as a list of SQL's.
func identifiers(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}

// joined is a list for people.
func joined(texts []string) string { return strings.Join(texts, ", ") }

// rowsError is an error of the rows, and not of the server.
type rowsError struct{ cause error }

// Error is the cause's.
func (e *rowsError) Error() string { return e.cause.Error() }

// Unwrap is the cause.
func (e *rowsError) Unwrap() error { return e.cause }
