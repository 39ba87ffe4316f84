package destination

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/server"
)

//go:embed positions.sql
var positionsSQL string

// positionsLock is the key of the advisory lock under which the position tables are made: two CREATE TABLE IF NOT EXISTS at once can both find
// nothing. The number is arbitrary ("dest" in ASCII), but must stay the same.
const positionsLock = 0x64657374

// readySQL tells of what a run needs.
const readySQL = `select coalesce(current_schema(), ''), current_setting('search_path'), current_setting('transaction_read_only') = 'on',
    to_regclass($1 || 'destination_sync') is not null and to_regclass($1 || 'destination_state') is not null
    and to_regclass($1 || 'destination_stream') is not null and (not $2 or to_regclass($1 || 'destination_shard') is not null)`

// prepare connects, makes the position tables where they are missing, and finds the schema of tables without a namespace; once.
func (c *Client) prepare(ctx context.Context) error {
	c.mu.Lock()
	prepared := c.prepared
	c.mu.Unlock()
	if prepared {
		return nil
	}
	pool, err := c.connections(ctx)
	if err != nil {
		return c.explain(ctx, nil, err)
	}
	var current, path string
	var readOnly, there bool
	if err := pool.QueryRow(ctx, readySQL, c.journal, c.options.Identity.Shard.Active()).Scan(&current, &path, &readOnly, &there); err != nil {
		return c.explain(ctx, nil, err)
	}
	if readOnly {
		return c.explain(ctx, nil, errReadOnly)
	}
	if !there && c.options.Existing {
		return ErrNoPositions
	}
	if !there {
		err := c.transact(ctx, lockForRows, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(positionsLock)); err != nil {
				return err
			}
			if err := server.UseSchema(ctx, tx, c.options.Schema); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, positionsSQL)
			return err
		})
		if err != nil {
			return c.explain(ctx, nil, missingRight(err, fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s, or: CREATE SCHEMA %s AUTHORIZATION %[2]s",
				quote(c.config.ConnConfig.Database), c.user(), quote(c.options.Schema))))
		}
	}
	return c.settleSchema(firstNonEmpty(c.schemaNow(), current, firstOfPath(path), "public"))
}

// schemaNow is the schema of tables without a namespace, as far as it is known.
func (c *Client) schemaNow() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.schema
}

// settleSchema gives the tables without a namespace their schema. Only now it is known that one of another stream may be there already.
func (c *Client) settleSchema(schema string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schema, c.prepared = schema, true
	owners := map[relation]airbyte.StreamDescriptor{}
	for stream, t := range c.targets {
		if t.place.schema == "" {
			t.place.schema = schema
		}
		if other, taken := owners[t.place]; taken {
			return &sidecar.LoadError{Permanent: true, Message: sharedTable(stream, other, t.place).Error()}
		}
		owners[t.place] = stream
	}
	return nil
}

// sharedTable says what to do about two streams that would overwrite each other's rows.
func sharedTable(one, other airbyte.StreamDescriptor, place relation) error {
	apart := "give one of them another table_name in the catalog, or leave it out"
	if one.Namespace != other.Namespace {
		apart = "set NAMESPACE to ${SOURCE_NAMESPACE}, which gives each its schema, or TABLE_NAME_PREFIX to ${SOURCE_NAMESPACE}_"
	}
	return fmt.Errorf("streams %q and %q would share the table %s: %s", one.String(), other.String(), place, apart)
}

// ErrNoPositions is in the errors of a Client with Options.Existing (errors.Is) where no sync ever committed anything.
var ErrNoPositions = errors.New("no position was ever committed")

// errReadOnly is that of a standby.
var errReadOnly = errors.New("the server is read-only: it is a standby, or default_transaction_read_only is on")
