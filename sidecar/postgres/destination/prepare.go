package destination

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// prepare makes a load ready to be written: its table is there with every column that the first rows need, and with its key. It waits for the first
// row, without a transaction.
func (d *delivery) prepare(ctx context.Context, t *target, load sidecar.Load) (*work, error) {
	w := &work{target: t, load: load, place: t.place, watch: d.watch, clear: load.Mode == sidecar.ReplaceWhole}
	startsOver := false
	w.before, startsOver = d.client.holder(t)
	w.begins = load.Mode == sidecar.ReplaceFirst || load.Mode == sidecar.Append && startsOver
	if load.Mode == sidecar.Append && !w.begins && w.before != (relation{}) {
		w.generation, w.place = w.before, w.before
	}
	if err := d.look(ctx, w); err != nil {
		return nil, err
	}
	if err := w.openText(ctx); err != nil {
		return nil, err
	}
	if err := w.peek(); err != nil {
		return nil, errors.Join(err, w.closeText())
	}
	if w.nothing {
		return w, nil
	}
	if err := d.client.shape(ctx, w); err != nil {
		return nil, errors.Join(err, w.closeText())
	}
	return w, nil
}

// look finds the table and plans its columns.
func (d *delivery) look(ctx context.Context, w *work) (err error) {
	pool, err := d.client.connections(ctx)
	if err != nil {
		return err
	}
	if w.found, err = find(ctx, pool, w.place); err != nil {
		return err
	}
	if err := w.found.usable(w.place, d.client.user(), w.needs(d.client.options.KeepDuplicates)...); err != nil {
		return err
	}
	if w.place != w.target.place && !w.found.exists() {
		return &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("table %s, which held the rows of a read that starts over, is gone: "+
			"start over once more with FULL_SYNC", w.place)}
	}
	options := layout.Options{ToSameCase: d.client.options.ToSameCase, MaxColumns: w.found.room()}
	own := w.found
	if w.place != w.target.place { // which gets all the columns in the end
		if own, err = find(ctx, pool, w.target.place); err != nil {
			return err
		}
		options.MaxColumns = min(options.MaxColumns, own.room())
	}
	if len(w.load.Table.PrimaryKey) == 0 && !d.client.options.KeepDuplicates {
		w.serial = own.serial()
	}
	if w.plan, err = layout.NewPlan(w.load.Table, w.found.layoutColumns(w.serial), options); err != nil {
		return &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("table %s", w.place), Cause: err}
	}
	w.target.refusals.apply(w.plan)
	characters := d.client.lacking()
	w.plan.SetCharactersAside(characters.lacking, characters.beyond)
	if d.observe || w.plan.Unsettled() {
		return w.observe(ctx)
	}
	return nil
}

// needs are the privileges that the load cannot do without.
func (w *work) needs(keepDuplicates bool) []string {
	needed := []string{"INSERT"}
	if !keepDuplicates && (len(w.load.Table.PrimaryKey) > 0 || len(w.found.Key) > 0) {
		needed = append(needed, "SELECT", "UPDATE")
	}
	if w.load.Mode != sidecar.Append {
		needed = append(needed, "SELECT", "DELETE")
	}
	slices.Sort(needed)
	return slices.Compact(needed)
}

// observe reads all rows of a load, to learn their columns.
func (w *work) observe(ctx context.Context) error {
	rows, err := openLines(ctx, w.load)
	if err != nil {
		return &rowsError{cause: err}
	}
	for {
		row, err := rows.line()
		if err == nil {
			err = w.plan.Observe(row)
		}
		switch {
		case errors.Is(err, io.EOF):
			return rows.close()
		case err != nil:
			return errors.Join(&rowsError{cause: err}, rows.close())
		}
	}
}

// openText opens the rows of the load, unless they are open.
func (w *work) openText(ctx context.Context) (err error) {
	if w.text != nil && !w.closed {
		return nil
	}
	encoder := w.plan.Encoder()
	w.closed = false
	if w.text, err = openCopy(ctx, w.load, encoder, w.watch); err != nil {
		w.text = nil
		return &rowsError{cause: err}
	}
	return nil
}

// closeText lets the rows go.
func (w *work) closeText() error {
	if w.text == nil || w.closed {
		return nil
	}
	w.closed = true
	return w.text.close()
}

// peek looks at the first rows. An Append without rows has nothing to do.
func (w *work) peek() error {
	if err := w.text.peek(); err != nil {
		return &rowsError{cause: err}
	}
	w.nothing = w.text.none() && w.load.Mode == sidecar.Append && !w.begins
	return nil
}

// shape makes the table what the rows need.
func (c *Client) shape(ctx context.Context, w *work) error {
	if !w.found.exists() {
		if !c.options.KeepDuplicates {
			w.key = w.plan.Key()
		}
		w.choose()
		if len(w.key) > 0 && !w.target.duplicates && !w.target.keyFirst {
			w.way = keyLast
		}
		return c.create(ctx, w)
	}
	if err := c.extend(ctx, w.place, w.plan.Missing()); err != nil {
		return err
	}
	change := false
	var err error
	if w.key, change, err = c.keyOf(w.found, w.place, w.plan.Key(), names(w.plan.Columns())); err != nil {
		return err
	}
	if w.begins {
		if err := c.startOver(ctx, w); err != nil {
			return err
		}
	}
	if change && (!w.begins || w.place != w.generation) { // a new generation has the key, and the table gets it at Finish
		if err := c.rekey(ctx, w); err != nil {
			return err
		}
	}
	w.choose()
	return nil
}

// rekey changes the primary key of a table: before the rows come, or, where they take the place of those that may contradict it, afterwards.
func (c *Client) rekey(ctx context.Context, w *work) error {
	published := false
	if w.clear && len(w.key) > 0 {
		var err error
		if published, err = c.published(ctx, w.place); err != nil {
			return err
		}
	}
	switch {
	case w.clear && w.found.Referenced: // nobody can change it
		w.key = w.found.arbiter()
		return nil
	case !w.clear || len(w.key) == 0 || published: // without a key no row of a publication can be deleted
		return c.changeKey(ctx, w)
	case w.found.KeyName != "":
		if err := c.dropKey(ctx, w); err != nil {
			return err
		}
		w.found.KeyName = ""
	}
	w.keyless = true
	return nil
}

const publishedSQL = `select exists (select from pg_publication_tables where schemaname = $1 and tablename = $2)`

// published says that a table is in a publication.
func (c *Client) published(ctx context.Context, place relation) (is bool, err error) {
	pool, err := c.connections(ctx)
	if err != nil {
		return false, err
	}
	err = pool.QueryRow(ctx, publishedSQL, place.schema, place.name).Scan(&is)
	return is, err
}

// choose decides how the rows get into the table.
func (w *work) choose() {
	switch {
	case w.clear && w.found.Referenced:
		w.way = different
		if len(w.key) == 0 {
			w.key = w.found.arbiter()
		}
		w.target.duplicates = true // nothing says that the rows have each key once
	case len(w.key) > 0 && (!w.clear || w.keyless || w.target.duplicates || w.numbers()):
		w.way = merged
	default:
		w.way = straight
	}
}
