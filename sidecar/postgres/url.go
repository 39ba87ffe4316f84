package postgres

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// target is what a database URL says.
type target struct {
	config *pgxpool.Config
	schema string // where the tables are; empty is the first of the search path
	name   string // for messages
}

// prefix of a table name in a statement.
func (t target) prefix() string {
	if t.schema == "" {
		return ""
	}
	return pgx.Identifier{t.schema}.Sanitize() + "."
}

// parseURL reads a URL as Prisma, node-postgres and libpq write it. Its errors never quote the URL: what is wrong with it is often a password
// whose special characters are not escaped, and a parser's error then quotes a part of the password.
func parseURL(url string) (target, error) {
	if strings.TrimSpace(url) == "" {
		return target{}, errors.New("DATABASE_URL is empty: want postgres://user:password@host:5432/database")
	}
	// node-postgres' name for encryption without verification, which libpq calls require.
	config, err := pgxpool.ParseConfig(strings.Replace(url, "sslmode=no-verify", "sslmode=require", 1))
	if err != nil {
		return target{}, parseError(err)
	}
	params := config.ConnConfig.RuntimeParams // holds every parameter that is not libpq's
	schema := params["schema"]
	if limit, err := strconv.ParseInt(params["connection_limit"], 10, 32); err == nil && limit > 0 {
		config.MaxConns = int32(limit)
	}
	for _, name := range prismaParams() {
		delete(params, name)
	}
	c := config.ConnConfig
	name := fmt.Sprintf("postgres %s/%s", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), c.Database)
	if schema != "" {
		name += " schema " + schema
	}
	return target{config: config, schema: schema, name: name}, nil
}

func parseError(err error) error {
	if strings.Contains(err.Error(), "sslmode is invalid") {
		return errors.New("DATABASE_URL: sslmode is invalid: want disable, allow, prefer, require, verify-ca, verify-full or no-verify")
	}
	return errors.New("DATABASE_URL cannot be read: want postgres://user:password@host:5432/database?sslmode=require, " +
		"with special characters of the password percent-encoded (@ is %40, / is %2F, # is %23)")
}

// prismaParams are connection parameters of Prisma and node-postgres that Postgres itself would refuse (Prisma's reference, "PostgreSQL: arguments").
func prismaParams() []string {
	return []string{
		"schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer", "statement_cache_size", "sslidentity", "sslaccept",
		"max_idle_connection_lifetime", "max_connection_lifetime", "single_use_connections", "uselibpqcompat",
	}
}
