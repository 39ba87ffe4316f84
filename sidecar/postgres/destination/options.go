package destination

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// Options say where rows go and whose they are.
type Options struct {
	// URL is postgres://, postgresql:// or key=value, as libpq reads it, with what its variables, service and password files add.
	URL string
	// Setting is where the URL is from, for messages, as DESTINATION_URL, which it is when empty.
	Setting string
	// Schema is where the positions are kept; empty is sync_sidecar. It is made when it is missing.
	Schema string
	// Existing is for whoever only wants to look at the positions, and change them: where there are none, none are made (ErrNoPositions).
	Existing bool
	// DefaultSchema is where tables without a namespace are; empty is the first schema of the search path. It is made when it is missing.
	DefaultSchema string
	// Authorities, Certificate and Key are PEM texts, beside what the URL names as files; empty is none. Only encryption that verifies uses them.
	Authorities, Certificate, Key string
	// Identity is whose positions are kept: those of SyncID.
	Identity sidecar.Identity
	// ToSameCase folds names of schemas, tables and columns to lower case.
	ToSameCase bool
	// KeepDuplicates adds every row, also where a stream has a primary key (DEDUPLICATE=false).
	KeepDuplicates bool
	// ConnectTimeout bounds one attempt to connect; 0 is what the URL says (connect_timeout), or 10 s.
	ConnectTimeout time.Duration
	// LiveFor is how long a load may stay open while its rows come; 0 is 2 minutes. It is a transaction of the server, which keeps vacuum waiting.
	LiveFor time.Duration
	// Connections is the most there are at once; 0 is 64. One more than loads that run at once is enough. The URL may say so itself (pool_max_conns,
	// connection_limit).
	Connections int
	// Announce says to whoever changes the position of the rows that a run is under way (Client.Alone). It is for runs whose journal is elsewhere: the
	// lock of one that is here says so already.
	Announce bool
	// Ping is how often the connection that says so is tried; 0 is 10 s.
	Ping time.Duration
	// LoadTimeout bounds a load from its last row to its commit; 0 is no limit.
	LoadTimeout time.Duration
}

const (
	defaultSchema         = "sync_sidecar"
	defaultConnectTimeout = 10 * time.Second
	defaultLiveFor        = 2 * time.Minute
	defaultConnections    = 64
	// idleConnection is how long a connection stays open that nobody uses.
	idleConnection = time.Minute
)

// withDefaults fills what is empty.
func (o Options) withDefaults() Options {
	if o.Setting == "" {
		o.Setting = "DESTINATION_URL"
	}
	if o.Schema == "" {
		o.Schema = defaultSchema
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.Ping <= 0 {
		o.Ping = defaultPing
	}
	if o.LiveFor <= 0 {
		o.LiveFor = defaultLiveFor
	}
	o.Identity.SyncID = server.CleanText(o.Identity.SyncID)
	o.Identity.TaskID = server.CleanText(o.Identity.TaskID)
	return o
}

// connection is the URL as the pool needs it, and the schema that it names for tables without a namespace.
func (o Options) connection() (address server.Address, schema string, err error) {
	if address, err = server.ParseURL(o.Setting, o.URL); err != nil {
		return address, "", err
	}
	config := address.Config
	params := config.ConnConfig.RuntimeParams
	schema = firstNonEmpty(o.DefaultSchema, address.Schema, firstOfPath(params["search_path"]))
	// Every statement names its schema: a pooler, which refuses this parameter at the start, needs not to know of it.
	delete(params, "search_path")
	switch {
	case o.ConnectTimeout > 0:
		config.ConnConfig.ConnectTimeout = o.ConnectTimeout
	case config.ConnConfig.ConnectTimeout == 0:
		config.ConnConfig.ConnectTimeout = defaultConnectTimeout
	}
	if params["application_name"] == "" {
		params["application_name"] = strings.TrimSpace("sync-sidecar " + server.Plain(o.Identity.TaskID))
	}
	// The unnamed statement, parsed in the same round trip: a named one would be unknown to the next connection of a pooler.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if !limited(o.URL) {
		config.MaxConns = int32(o.Connections)
	}
	config.MaxConnIdleTime = idleConnection
	return address, schema, o.Trust(config)
}

// limited says that the URL itself says how many connections there may be.
func limited(url string) bool {
	return strings.Contains(url, "pool_max_conns") || strings.Contains(url, "connection_limit")
}

// firstNonEmpty is the first text that is not empty.
func firstNonEmpty(texts ...string) string {
	if i := slices.IndexFunc(texts, func(s string) bool { return s != "" }); i >= 0 {
		return texts[i]
	}
	return ""
}

// firstOfPath is the first schema of a search path, which is a list of identifiers; $user is none.
func firstOfPath(path string) string {
	for part := range strings.SplitSeq(path, ",") {
		part = strings.TrimSpace(part)
		if quoted, found := strings.CutPrefix(part, `"`); found {
			part = strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), `""`, `"`)
		} else {
			part = strings.ToLower(part)
		}
		if part != "" && part != "$user" {
			return part
		}
	}
	return ""
}

// Trust adds the certificates to connections that verify the server.
func (o Options) Trust(config *pgxpool.Config) error {
	return server.Trust(o.Setting, config, []byte(o.Authorities), []byte(o.Certificate), []byte(o.Key))
}
