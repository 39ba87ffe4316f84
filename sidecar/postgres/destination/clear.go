package destination

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
)

// contentLock is the first key of the advisory locks under which the rows of a table are replaced; the second is the table's oid. The number is
// arbitrary, but must stay the same.
const contentLock = positionsLock

// lockContent waits for others that replace all rows of the table, until the transaction ends. Of two that did so at once, neither would see the rows
// of the other go, and both would stay. Who adds rows meanwhile does not wait, and neither do readers.
func (w *work) lockContent(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1, c.oid::int) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $2 and c.relname = $3`, int32(contentLock), w.place.schema, w.place.name)
	return err
}

// empty deletes all rows of the table.
func (w *work) empty(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "delete from "+w.place.sql()); err != nil {
		return err
	}
	return w.deleted(ctx, tx, w.place.sql())
}

// removeGone deletes the rows whose key another table does not have.
func (w *work) removeGone(ctx context.Context, tx pgx.Tx, staging relation) error {
	gone := fmt.Sprintf("%s as t where not exists (select from %s as s where %s)", w.place.sql(), staging.sql(), sameKey(w.key))
	if _, err := tx.Exec(ctx, "delete from "+gone); err != nil {
		return err
	}
	return w.deleted(ctx, tx, gone)
}

// deleted makes sure that no row is left where something at the table may keep rows from being deleted: with the new ones they would be its content.
func (w *work) deleted(ctx context.Context, tx pgx.Tx, from string) error {
	if len(w.found.Keepers) == 0 {
		return nil
	}
	var left bool
	if err := tx.QueryRow(ctx, "select exists (select from "+from+")").Scan(&left); err != nil || !left {
		return err
	}
	return &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("a full refresh could not delete all rows of table %s: %s keeps some. Disable it, "+
		"or let the stream append", w.place, strings.Join(w.found.Keepers, " or "))}
}

// sameKey compares the keys of t and s.
func sameKey(key []string) string {
	same := make([]string, len(key))
	for i, column := range key {
		same[i] = fmt.Sprintf("t.%[1]s is not distinct from s.%[1]s", quote(column))
	}
	return strings.Join(same, " and ")
}
