package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// merge brings rows from a temporary table to the one that they are for. Where a load holds a key twice, which only the server can tell for sure, the
// newest row of each key counts: once such a load was seen, that is expected.
func (w *work) merge(ctx context.Context, tx pgx.Tx, staging relation, columns []string) error {
	do, err := w.onConflict(ctx, tx, staging, columns)
	if err != nil {
		return err
	}
	if do == "" || !w.target.duplicates {
		err := savepoint(ctx, tx, func() error {
			_, err := tx.Exec(ctx, w.insertSQL(staging, columns, w.target.duplicates)+do)
			return err
		})
		if code := sqlState(err); code != cardinality && (code != uniqueViolation || do != "") {
			return err
		}
		w.target.duplicates = true
	}
	_, err = tx.Exec(ctx, w.insertSQL(staging, columns, true)+w.update(columns))
	return err
}

// onConflict is what becomes of a row whose key is there. It is empty where each key in a temporary table comes after the last one of the table, as
// numbers that count up do: an INSERT that need not look for each key takes half the time.
func (w *work) onConflict(ctx context.Context, tx pgx.Tx, staging relation, columns []string) (string, error) {
	indexed := w.found.Kind == "r" && w.found.unique(w.key) && slices.Equal(w.found.Key, w.key) // so that its last one is found at once
	if w.way != merged || !indexed {
		return w.update(columns), nil
	}
	before, last := false, make([]string, len(w.key))
	for i, column := range w.key {
		last[i] = quote(column) + " desc"
	}
	const lookSQL = "select exists (select from %[1]s where (%[2]s) <= (select %[2]s from only %[3]s order by %[4]s limit 1))"
	err := tx.QueryRow(ctx, fmt.Sprintf(lookSQL, staging.sql(), identifiers(w.key), w.place.sql(), joined(last))).Scan(&before)
	if err != nil || !before {
		return "", err
	}
	return w.update(columns), nil
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

// insertSQL inserts the rows of another table. distinct leaves the newest row of each key.
func (w *work) insertSQL(staging relation, columns []string, distinct bool) string {
	list := identifiers(columns)
	rows := "select " + list + " from " + staging.sql() + w.numbered()
	if distinct {
		rows = w.newest(staging, columns)
	}
	return fmt.Sprintf("insert into %s as t (%s) %s", w.place.sql(), list, rows)
}

// update is the end of an INSERT that updates the rows whose key is there.
func (w *work) update(columns []string) string {
	cursor, set := w.cursor(), []string(nil)
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
			do += fmt.Sprintf(" where t.%[1]s is null or excluded.%[1]s is null or excluded.%[1]s >= t.%[1]s", cursor) // nobody knows that it is older
		}
	}
	return fmt.Sprintf(" on conflict (%s) do %s", identifiers(w.key), do)
}

// newest selects the newest row of each key: that with the highest cursor, and of those the last one.
func (w *work) newest(staging relation, columns []string) string {
	key := identifiers(w.key)
	order := key
	if cursor := w.cursor(); cursor != "" {
		order += ", " + cursor + " desc nulls last"
	}
	return fmt.Sprintf("select distinct on (%s) %s from %s%s order by %s, ctid desc", key, identifiers(columns), staging.sql(), w.numbered(), order)
}

// numbers says that rows of the load have values for the column that the server fills otherwise: then not all of them may have one.
func (w *work) numbers() bool {
	if w.serial == "" || w.plan == nil {
		return false
	}
	columns := names(w.plan.Columns())
	return len(columns) > 1 && slices.Contains(columns, w.serial)
}

// numbered selects the rows that have one.
func (w *work) numbered() string {
	if !w.numbers() {
		return ""
	}
	return " where " + quote(w.serial) + " is not null"
}

// addUnnumbered adds the rows that have none: each is a new one.
func (w *work) addUnnumbered(ctx context.Context, tx pgx.Tx, staging relation, columns []string) error {
	if !w.numbers() {
		return nil
	}
	others := identifiers(slices.DeleteFunc(slices.Clone(columns), func(column string) bool { return column == w.serial }))
	_, err := tx.Exec(ctx, fmt.Sprintf("insert into %[1]s (%[2]s) select %[2]s from %[3]s where %[4]s is null", w.place.sql(), others, staging.sql(),
		quote(w.serial)))
	return err
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
