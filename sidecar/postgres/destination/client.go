// Package destination is the Destination in Postgres: rows go into its tables by COPY, and commit together with the position that they reach.
//
// Every load is one transaction, and so is every step that prepares one: whatever is killed, and whenever, a load is there with its states or not at
// all, and the answer of a COMMIT that got lost is found out afterwards (positions.go). Nothing is kept by a session of the server, so that a pooler
// may lend each transaction another connection (pgbouncer).
package destination

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/layout"
	"sync-sidecar/sidecar/postgres/server"
)

var (
	_ sidecar.Committer     = (*Client)(nil)
	_ sidecar.Resumer       = (*Client)(nil)
	_ sidecar.Mirrorer      = (*Client)(nil)
	_ sidecar.Finisher      = (*Client)(nil)
	_ sidecar.Noter         = (*Client)(nil)
	_ sidecar.StateReplacer = (*Client)(nil)

	_ sidecar.InterruptionFinder = (*mirrorJournal)(nil)
	_ sidecar.LockKeeper         = (*mirrorJournal)(nil)
)

// rowBytes is the longest row that is asked for. The server would take longer ones (layout.MaxRow), but memory has to hold one several times.
const rowBytes = 64 << 20

// Client delivers rows to one database. Its methods may be called from several goroutines.
type Client struct {
	options Options
	config  *pgxpool.Config
	conns   *server.Connections
	name    string        // for messages, without secrets
	run     string        // tells this run, or this Pod of a shard, from others of the sync
	journal string        // prefix of the position tables: the quoted schema and a dot
	first   chan struct{} // held by who commits the first step of streams that start over

	mu sync.Mutex
	// +checklocks:mu
	pool *pgxpool.Pool // nil before the first use
	// +checklocks:mu
	prepared bool // the position tables are there
	// +checklocks:mu
	schema string // of tables without a namespace
	// +checklocks:mu
	targets map[airbyte.StreamDescriptor]*target
	// +checklocks:mu
	notes notebook
	// +checklocks:mu
	characters characters
	// +checklocks:mu
	kinds sidecar.StateKinds
	// +checklocks:mu
	committed map[string]int64 // by the key of a state: the Sequence of the last one that was committed
	// +checklocks:mu
	present *presence // nil unless others are to see that the sync is busy
}

// New checks the options without connecting.
func New(options Options) (*Client, error) {
	options = options.withDefaults()
	address, schema, err := options.connection()
	if err != nil {
		return nil, err
	}
	c := &Client{options: options, config: address.Config, name: address.Name, run: rand.Text(), schema: schema,
		journal: pgx.Identifier{options.Schema}.Sanitize() + ".", first: make(chan struct{}, 1),
		notes:   notebook{count: map[noteKey]int64{}},
		targets: map[airbyte.StreamDescriptor]*target{}, committed: map[string]int64{}}
	c.conns = server.Track(c.config)
	c.config.ConnConfig.OnPgError = wakeCopy(c.config.ConnConfig.OnPgError)
	return c, nil
}

// String names the server and the database: "postgres host:5432/database".
func (c *Client) String() string { return c.name }

// Capabilities implements sidecar.Destination. The newest row of a key wins by its cursor, in a load and against the table: the loader need not order
// rows, so LastWins is not claimed.
func (c *Client) Capabilities() sidecar.Capabilities {
	return sidecar.Capabilities{RowBytes: rowBytes, LiveFor: c.options.LiveFor, ReplaceEmpty: true, KeepsDuplicates: c.options.KeepDuplicates}
}

// Ready connects, and makes the tables in which positions are kept. Its errors are LoadErrors.
func (c *Client) Ready(ctx context.Context) error {
	err := c.prepare(ctx)
	if err == nil {
		c.announce(ctx)
	}
	return err
}

// Close ends all connections. When ctx ends first they are cut, and loads under way fail.
func (c *Client) Close(ctx context.Context) {
	c.mu.Lock()
	pool, present := c.pool, c.present
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, c.conns.Cut)
	defer stop()
	if present != nil {
		present.end()
		present.held.Wait()
	}
	if pool != nil {
		pool.Close()
	}
}

// connections is the pool, which connects when it is asked for a connection.
func (c *Client) connections(ctx context.Context) (*pgxpool.Pool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pool == nil {
		pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), c.config)
		if err != nil {
			return nil, err
		}
		c.pool = pool
	}
	return c.pool, nil
}

// reconnect has later calls connect anew: of several hosts another one may be the primary now.
func (c *Client) reconnect() {
	c.mu.Lock()
	pool := c.pool
	c.mu.Unlock()
	if pool != nil {
		pool.Reset()
	}
}

// Place names the table of each stream.
func (c *Client) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	placements := make([]sidecar.Placement, len(tables))
	owners := map[relation]airbyte.StreamDescriptor{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, table := range tables {
		place := c.placeOf(table)
		if owner, taken := owners[place]; taken {
			return nil, sharedTable(owner, table.Stream, place)
		}
		owners[place] = table.Stream
		placements[i].Name = place.String()
		if place.schema == c.options.Schema && slices.Contains(ownTables(), place.name) {
			placements[i].Err = fmt.Errorf("table %s is where the sidecar keeps what it must not forget: rename the stream, or set TABLE_NAME_PREFIX", place)
		}
		c.targets[table.Stream] = newTarget(table, place)
	}
	return placements, nil
}

// ownTables are those of the journal's schema.
func ownTables() []string {
	return []string{"destination_sync", "destination_shard", "destination_state", "destination_stream", "source_spec", "source_check",
		"source_catalog", "source_state", "source_task", "task_log"}
}

// placeOf is the table of a stream; its schema is empty while the default one is not known.
//
// +checklocks:c.mu
func (c *Client) placeOf(table sidecar.Table) relation {
	options := layout.Options{ToSameCase: c.options.ToSameCase}
	place := relation{schema: c.schema, name: layout.TableName(table.Name, options)}
	if table.Namespace != "" {
		place.schema = layout.SchemaName(table.Namespace, options)
	}
	return place
}

// relation is a table by its exact names.
type relation struct{ schema, name string }

// String writes the table as SQL does, without quotes where none are needed.
func (r relation) String() string {
	if r.schema == "" {
		return readable(r.name)
	}
	return readable(r.schema) + "." + readable(r.name)
}

// sql writes the table for a statement.
func (r relation) sql() string { return pgx.Identifier{r.schema, r.name}.Sanitize() }

// readable quotes a name where it must be.
func readable(name string) string {
	plain := name != "" && strings.IndexFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) < 0
	if plain && (name[0] < '0' || name[0] > '9') {
		return name
	}
	return quote(name)
}

// quote writes a name as SQL does.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// target is where the rows of one stream go.
type target struct {
	stream airbyte.StreamDescriptor
	place  relation // settled by Client.prepare

	// Guarded by Client.mu:
	fromStart    bool     // the connector reads the stream from its beginning, and no row of that was committed yet
	started      bool     // the position says so
	startsOver   bool     // an earlier run did so, and committed no row: the next load begins a generation, whatever its mode
	doubt        bool     // whether its last load was committed is not known
	targetDigest string   // of the state that the table is at meanwhile; empty is none
	generation   relation // takes the rows meanwhile; empty is none. Only who has the turn changes it

	// turn is held by who commits something of the stream, and guards the fields below it.
	turn       chan struct{}
	last       attempt
	spare      relation  // a generation that was made and not committed
	duplicates bool      // loads were seen that hold a key twice
	keyFirst   bool      // the table could not be made in the transaction of its first rows
	changed    int       // how often the table was changed under a load
	refusals   *refusals // of the load under way
}

// key is the stream's name as the server takes it.
func (t *target) key() (namespace, name string) {
	return server.CleanText(t.stream.Namespace), server.CleanText(t.stream.Name)
}

func newTarget(table sidecar.Table, place relation) *target {
	return &target{stream: table.Stream, place: place, turn: make(chan struct{}, 1)}
}

// take waits for the turn, which the caller gives back.
func (t *target) take(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *target) give() { <-t.turn }

// holder is the table that takes the rows of a stream now, and whether it is at its beginning.
func (c *Client) holder(t *target) (generation relation, startsOver bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.generation, t.startsOver
}

// target finds that of a load's table; a table that was not placed is a mistake of the caller.
func (c *Client) target(stream airbyte.StreamDescriptor) (*target, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.targets[stream]; t != nil {
		return t, nil
	}
	return nil, &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("stream %q has no table: it was never placed", stream.String())}
}

// wakeKey is where a connection keeps what must be called when the server refuses a COPY, whose reader may wait for rows meanwhile.
const wakeKey = "sync-sidecar copy"

// wakeCopy lets a COPY hear of an error although no more rows come.
func wakeCopy(before func(*pgconn.PgConn, *pgconn.PgError) bool) func(*pgconn.PgConn, *pgconn.PgError) bool {
	return func(conn *pgconn.PgConn, refusal *pgconn.PgError) bool {
		if wake, ok := conn.CustomData()[wakeKey].(func(error)); ok {
			wake(refusal)
		}
		if before != nil {
			return before(conn, refusal)
		}
		return !strings.EqualFold(refusal.Severity, "FATAL")
	}
}
