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
	// keyLast is straight into a table that the same transaction makes, and gives its primary key once the rows are there: to build an index at once
	// takes half of the time that it takes to look up each row in it.
	keyLast
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
	serial     string   // the column of the table's own key that the server fills where a row has no value; empty is none
	leftOut    int64    // rows that something at the table kept out of it
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
	if w.clear {
		if err := w.lockContent(ctx, tx); err != nil {
			return err
		}
	}
	switch w.way {
	case straight:
		return w.writeStraight(ctx, tx, columns)
	case keyLast:
		return w.writeNew(ctx, tx, columns)
	}
	staging := temporary(n)
	if err := w.stage(ctx, tx, staging, columns); err != nil {
		return err
	}
	if err := w.copyTo(ctx, tx, staging, columns); err != nil {
		return err
	}
	if err := w.takeStaged(ctx, tx, staging, columns); err != nil {
		return err
	}
	return w.addUnnumbered(ctx, tx, staging, columns)
}

// takeStaged brings rows from a temporary table to the one that they are for.
func (w *work) takeStaged(ctx context.Context, tx pgx.Tx, staging relation, columns []string) error {
	if w.clear && w.way == merged {
		if err := w.empty(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, w.insertSQL(staging, columns, true))
		return err
	}
	if err := w.merge(ctx, tx, staging, columns); err != nil {
		return err
	}
	if w.way == different {
		return w.removeGone(ctx, tx, staging)
	}
	return nil
}

// writeStraight writes into the table itself.
func (w *work) writeStraight(ctx context.Context, tx pgx.Tx, columns []string) error {
	if w.clear {
		if err := w.empty(ctx, tx); err != nil {
			return err
		}
	}
	return w.copyTo(ctx, tx, w.place, columns)
}

// writeNew makes the table, writes into it, and gives it its key.
func (w *work) writeNew(ctx context.Context, tx pgx.Tx, columns []string) error {
	if err := w.createTable(ctx, tx); err != nil {
		return err
	}
	if err := w.copyTo(ctx, tx, w.place, columns); err != nil {
		return err
	}
	return w.addKey(ctx, tx)
}

// stage makes the temporary table: with the types of the columns alone, or also with the constraints of the table.
func (w *work) stage(ctx context.Context, tx pgx.Tx, staging relation, columns []string) error {
	create := fmt.Sprintf("create temporary table %s on commit drop as select %s from %s with no data", quote(staging.name), identifiers(columns),
		w.place.sql())
	if w.target.refusals.checked {
		create = fmt.Sprintf("create temporary table %s (like %s including constraints) on commit drop", quote(staging.name), w.place.sql())
		for _, c := range w.found.Columns {
			if c.NotNull && (c.Name == w.serial || !slices.Contains(columns, c.Name)) {
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
	tag, err := conn.CopyFrom(ctx, w.text, "copy "+into.sql()+list+" from stdin")
	closed := w.closeText()
	if rows := w.text.failure(); rows != nil && (err == nil || sqlState(err) == queryCanceled) {
		return &rowsError{cause: rows} // which the server was told of
	}
	w.leftOut = w.text.encoder.Rows() - tag.RowsAffected()
	return errors.Join(err, closed)
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
