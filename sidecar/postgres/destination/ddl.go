package destination

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// keyPrefix begins the names of primary keys that Bulker and this package make, and may change (bulkerlib/implementations/sql/sql_adapter_base.go).
const keyPrefix = "jitsu_pk_"

// keyName is that of a new primary key.
func keyName() (string, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return keyPrefix + hex.EncodeToString(random[:]), nil
}

// define writes a column for CREATE TABLE or ADD COLUMN.
func define(column layout.Column) string {
	text := quote(column.Name) + " " + column.Type
	if column.Default != "" {
		text += " default " + column.Default
	}
	if column.NotNull {
		text += " not null"
	}
	return text
}

// create makes the table of a load, and its schema. Where the key is to come last, the table is left to the transaction that brings the rows.
func (c *Client) create(ctx context.Context, w *work) error {
	if !w.found.SchemaExists {
		if err := c.createSchema(ctx, w.place.schema); err != nil {
			return err
		}
	}
	if w.way == keyLast {
		return nil
	}
	err := c.alter(ctx, func(tx pgx.Tx) error {
		if err := w.createTable(ctx, tx); err != nil {
			return err
		}
		return w.addKey(ctx, tx)
	})
	return missingRight(err, fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s", quote(w.place.schema), c.user()))
}

// createTable makes the table of a load, without a key.
func (w *work) createTable(ctx context.Context, tx pgx.Tx) error {
	missing := w.plan.Missing()
	parts := make([]string, len(missing))
	for i, column := range missing {
		parts[i] = define(column)
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("create table %s (%s)", w.place.sql(), joined(parts)))
	return err
}

// addKey gives a new table its primary key, if it is to have one.
func (w *work) addKey(ctx context.Context, tx pgx.Tx) error {
	if len(w.key) == 0 {
		return nil
	}
	name, err := keyName()
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, fmt.Sprintf("alter table %s add constraint %s primary key (%s)", w.place.sql(), quote(name), identifiers(w.key)))
	return err
}

// createSchema makes a schema, unless somebody else just did.
func (c *Client) createSchema(ctx context.Context, schema string) error {
	err := c.alter(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "create schema "+quote(schema))
		return err
	})
	if code := sqlState(err); code == duplicateSchema || code == uniqueViolation {
		return nil
	}
	return missingRight(err, fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s, or CREATE SCHEMA %s yourself",
		quote(c.config.ConnConfig.Database), c.user(), quote(schema)))
}

// user is who we are to the server, for the text of a GRANT.
func (c *Client) user() string { return quote(c.config.ConnConfig.User) }

// extend adds the columns that a table lacks.
func (c *Client) extend(ctx context.Context, place relation, missing []layout.Column) error {
	if len(missing) == 0 {
		return nil
	}
	parts := make([]string, len(missing))
	for i, column := range missing {
		parts[i] = "add column if not exists " + define(column)
	}
	err := c.alter(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf("alter table %s %s", place.sql(), joined(parts)))
		return err
	})
	return missingRight(err, c.ownership(place))
}

// ownership is what makes us the owner of a table.
func (c *Client) ownership(place relation) string {
	return fmt.Sprintf("ALTER TABLE %s OWNER TO %s", place, c.user())
}

// keyOf decides by which columns rows merge in a table that exists, and whether its primary key must change for that. wanted is the stream's key,
// columns are those that rows have.
//
// A key that we did not make is never changed: rows merge by it, as they do with Bulker, where they have its columns. A stream without a key does not
// take that of its table away, as it does with Bulker: its rows merge by it, too, unless every row is to be added (KeepDuplicates).
func (c *Client) keyOf(f *found, place relation, wanted, columns []string) (key []string, change bool, err error) {
	ours := strings.HasPrefix(f.KeyName, keyPrefix)
	has := !slices.ContainsFunc(f.Key, func(column string) bool { return !slices.Contains(columns, column) })
	switch {
	case c.options.KeepDuplicates:
		return nil, ours, nil
	case len(wanted) == 0 && has:
		return f.Key, false, nil
	case len(wanted) == 0:
		return nil, false, nil
	case f.unique(wanted):
		return wanted, false, nil
	case f.KeyName == "" || ours:
		return wanted, true, nil
	case has:
		return f.Key, false, nil
	}
	return nil, false, &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("the primary key of table %s is (%s), which the rows do not have, and "+
		"nothing keeps their own key unique: CREATE UNIQUE INDEX ON %s (%s)", place, identifiers(f.Key), place, identifiers(wanted))}
}

// changeKey makes the columns the primary key of a table, or takes its key away when there are none. The index is built while others go on reading
// and writing.
func (c *Client) changeKey(ctx context.Context, w *work) error {
	if len(w.key) == 0 {
		return c.dropKey(ctx, w)
	}
	name, err := keyName()
	if err != nil {
		return err
	}
	add := fmt.Sprintf("add constraint %s primary key (%s)", quote(name), identifiers(w.key))
	if w.found.Kind == "r" {
		if err := c.buildIndex(ctx, w, name); err != nil {
			return err
		}
		add = fmt.Sprintf("add constraint %s primary key using index %s", quote(name), quote(name))
	}
	if w.found.KeyName != "" {
		add = "drop constraint " + quote(w.found.KeyName) + ", " + add
	}
	err = c.alter(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "alter table "+w.place.sql()+" "+add)
		return err
	})
	return c.contradiction(missingRight(err, c.ownership(w.place)), w)
}

// dropKey takes away a primary key of ours.
func (c *Client) dropKey(ctx context.Context, w *work) error {
	err := c.alter(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf("alter table %s drop constraint if exists %s", w.place.sql(), quote(w.found.KeyName)))
		return err
	})
	return missingRight(err, c.ownership(w.place))
}

// buildIndex builds the index of a new primary key without a lock. What is left of one that could not be built goes.
func (c *Client) buildIndex(ctx context.Context, w *work, name string) error {
	pool, err := c.connections(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, fmt.Sprintf("create unique index concurrently %s on %s (%s)", quote(name), w.place.sql(), identifiers(w.key)))
	if err == nil {
		return nil
	}
	index := relation{schema: w.place.schema, name: name}
	if _, dropped := pool.Exec(ctx, "drop index if exists "+index.sql()); dropped != nil {
		err = fmt.Errorf("%w (and what is left of it, %s, could not be dropped: %v)", err, index, dropped) //nolint:errorlint // only one is the cause
	}
	return c.contradiction(missingRight(err, c.ownership(w.place)), w)
}

// contradiction explains that rows of the table do not let the key be one.
func (c *Client) contradiction(err error, w *work) error {
	switch sqlState(err) {
	case uniqueViolation, notNullViolation:
		return &sidecar.LoadError{Permanent: true, Cause: err, Message: fmt.Sprintf("rows that table %s holds do not let (%s) be its primary key: "+
			"remove those that have a value of it twice or none, or drop the table and run a full refresh", w.place, identifiers(w.key))}
	}
	return err
}

// missingRight adds to the server's words which right is missing.
func missingRight(err error, grant string) error {
	if sqlState(err) == noRight {
		return &sidecar.LoadError{Permanent: true, Message: "the user lacks a right: " + grant, Cause: err}
	}
	return err
}
