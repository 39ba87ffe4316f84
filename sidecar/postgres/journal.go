// Package postgres is the Journal in Postgres: results, states, status and logs in the six tables that Jitsu's console shares with it.
//
// It makes the tables that are missing and is content with those that the console's Prisma made, with what columns they have. Every method is one
// statement or transaction, so that each happens wholly or not at all, and works through a pooler that gives each transaction another connection
// (pgbouncer): nothing is prepared, nothing is set on a session, tables are named with their schema.
//
// A method that fails says so at once or when its ctx ends; whether trying again can help is what IsUnavailable answers. Trying is the caller's.
package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

var (
	_ sidecar.Journal            = (*Journal)(nil)
	_ sidecar.StateReplacer      = (*Journal)(nil)
	_ sidecar.Sharer             = (*Journal)(nil)
	_ sidecar.InterruptionFinder = (*Journal)(nil)
	_ sidecar.LockKeeper         = (*Journal)(nil)
	_ sidecar.Settler            = (*Journal)(nil)
)

// ErrNoTables is the error of Open (errors.Is) with Options.Existing where nothing was ever saved.
var ErrNoTables = errors.New("there is no table source_state")

const (
	defaultConnectTimeout = 10 * time.Second
	defaultLockPing       = 10 * time.Second
	// mostConnections is beside that of the lock: states, logs and what waits for them. A hundred syncs have one server.
	mostConnections = 3
	// idleConnection is how long a connection stays open that nobody uses.
	idleConnection = time.Minute
)

// Options say where the journal is and whose it is.
type Options struct {
	// URL is postgres://, postgresql:// or key=value, as libpq reads it; the parameter schema=NAME, of Prisma, says where the tables are.
	URL string
	// Setting is where the URL is from, for messages; empty is DATABASE_URL.
	Setting string
	// Schema is where the tables are, whatever the URL says; empty is what it says. It is made when it is missing.
	Schema string
	// Existing is for whoever only wants to look at the states, and change them: no table is made, and none but source_state is asked for.
	Existing bool
	// Trust adds certificates to the connections; nil adds none.
	Trust func(config *pgxpool.Config) error
	// Identity is whose results, states and status are kept. StartedBy must be JSON or empty.
	Identity sidecar.Identity
	// ConnectTimeout bounds one attempt to connect; 0 is what the URL says (connect_timeout), or 10 s.
	ConnectTimeout time.Duration
	// LockPing is how often the connection that holds the lock is tried; 0 is 10 s. The server gives up the lock of a process that it
	// did not hear for six times as long.
	LockPing time.Duration
}

// setting is where the URL is from.
func (o Options) setting() string {
	if o.Setting == "" {
		return "DATABASE_URL"
	}
	return o.Setting
}

// Validate names the variables that are wrong, all at once and without connecting.
func (o Options) Validate() error {
	var problems []error
	if s := o.Identity.StartedBy; s != "" && !json.Valid([]byte(s)) {
		problems = append(problems, errors.New(`STARTED_BY is not JSON: give an object such as {"trigger":"manual"}, or leave it empty`))
	}
	if _, err := server.ParseURL(o.setting(), o.URL); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// Journal keeps what a sync must not forget in Postgres. Its methods may be called from several goroutines.
type Journal struct {
	identity sidecar.Identity
	pool     *pgxpool.Pool
	conns    *server.Connections
	name     string // for messages, without secrets
	setting  string // where the URL is from
	prefix   string // of table names in statements: the quoted schema and a dot, or nothing
	tables   tableSet
	lockPing time.Duration
	locking  chan struct{} // holds one: calls of Lock take turns

	mu sync.Mutex
	// +checklocks:mu
	lock *lock // nil until Lock
	// +checklocks:mu
	kinds sidecar.StateKinds
	// +checklocks:mu
	begun bool // a shard has written its row anew
}

// Open connects, checks the tables and makes those that are missing. The error names the server and never holds the password.
func Open(ctx context.Context, options Options) (*Journal, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	address, err := server.ParseURL(options.setting(), options.URL)
	if err != nil {
		return nil, err
	}
	if options.Schema != "" {
		address.Schema = options.Schema
	}
	config := address.Config
	if options.Trust != nil {
		if err := options.Trust(config); err != nil {
			return nil, err
		}
	}
	switch {
	case options.ConnectTimeout > 0:
		config.ConnConfig.ConnectTimeout = options.ConnectTimeout
	case config.ConnConfig.ConnectTimeout == 0:
		config.ConnConfig.ConnectTimeout = defaultConnectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = strings.TrimSpace("sync-sidecar " + server.Plain(options.Identity.TaskID))
	}
	if config.MaxConns > mostConnections { // the pool's own default is the number of CPUs
		config.MaxConns = mostConnections
	}
	config.MaxConnIdleTime = idleConnection
	// The unnamed statement, parsed in the same round trip: a named one would be unknown to the next connection of a pooler.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	conns := server.Track(config)

	j := &Journal{identity: cleanIdentity(options.Identity), conns: conns, name: address.Name, setting: options.setting(), prefix: address.Prefix(),
		lockPing: options.LockPing, locking: make(chan struct{}, 1)}
	if j.lockPing <= 0 {
		j.lockPing = defaultLockPing
	}
	if j.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, j.fail("connect", err)
	}
	if err := j.prepareTables(ctx, address.Schema, options.Existing); err != nil {
		j.closePool(ctx)
		return nil, err
	}
	return j, nil
}

// String names the server and the database: "postgres host:5432/database", and the schema where the URL gives one.
func (j *Journal) String() string { return j.name }

// Close gives up the lock and ends all connections. When ctx ends first they are cut, and calls under way fail.
func (j *Journal) Close(ctx context.Context) error {
	var err error
	if lock := j.held(); lock != nil {
		err = lock.release(ctx)
	}
	j.closePool(ctx)
	if err != nil {
		return j.fail("give up the lock", err)
	}
	return nil
}

// closePool returns when every connection is closed, which a server that hangs must not delay beyond ctx.
func (j *Journal) closePool(ctx context.Context) {
	stop := context.AfterFunc(ctx, j.conns.Cut)
	defer stop()
	j.pool.Close()
}

// cleanIdentity makes every part of id acceptable to Postgres.
func cleanIdentity(id sidecar.Identity) sidecar.Identity {
	for _, s := range []*string{&id.SyncID, &id.TaskID, &id.Shard.Task, &id.Package, &id.PackageVersion, &id.StorageKey} {
		*s = server.CleanText(*s)
	}
	id.StartedBy = string(server.CleanJSON([]byte(id.StartedBy)))
	return id
}

// fail says on one line what failed, why, and the next step where the cause suggests one.
func (j *Journal) fail(action string, err error) error {
	return &server.Failure{Place: j.name, Setting: j.setting, Action: action, Cause: err}
}

// IsUnavailable is server.IsUnavailable.
func IsUnavailable(err error) bool { return server.IsUnavailable(err) }

// sql puts the schema where a statement has @.
func (j *Journal) sql(statement string) string { return strings.ReplaceAll(statement, "@", j.prefix) }

// exec runs one statement, for its effect.
func (j *Journal) exec(ctx context.Context, action, statement string, args ...any) error {
	if _, err := j.pool.Exec(ctx, j.sql(statement), args...); err != nil {
		return j.fail(action, err)
	}
	return nil
}
