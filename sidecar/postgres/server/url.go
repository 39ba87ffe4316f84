package server

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Address is what a database URL says.
type Address struct {
	Config *pgxpool.Config
	Schema string // the parameter schema=NAME, of Prisma; empty is the first of the search path
	Name   string // for messages, without secrets: "postgres host:5432/database", and the schema where the URL gives one
}

// Prefix of a table name in a statement: the quoted schema and a dot, or nothing.
func (a Address) Prefix() string {
	if a.Schema == "" {
		return ""
	}
	return pgx.Identifier{a.Schema}.Sanitize() + "."
}

// ParseURL reads a URL as Prisma, node-postgres and libpq write it. Its errors name the setting (as DATABASE_URL) and never quote the URL: what is
// wrong with it is often a password whose special characters are not escaped, and a parser's error then quotes a part of the password.
func ParseURL(setting, url string) (Address, error) {
	url = strings.TrimSpace(url)
	if url == "" {
		return Address{}, errors.New(setting + " is empty: want postgres://user:password@host:5432/database")
	}
	if spillsOver(url) {
		return Address{}, errors.New(setting + ": a special character of the password is not escaped, so that the rest of it is taken for host, port, " +
			"database or parameters: " + escapeHint)
	}
	if scheme, _, isURL := strings.Cut(url, "://"); isURL && scheme != "postgres" && scheme != "postgresql" && !strings.Contains(scheme, " ") {
		return Address{}, errUnreadable(setting)
	}
	// node-postgres' name for encryption without verification, which libpq calls require.
	config, err := pgxpool.ParseConfig(strings.Replace(url, "sslmode=no-verify", "sslmode=require", 1))
	if err != nil {
		return Address{}, parseError(setting, err)
	}
	params := config.ConnConfig.RuntimeParams // holds every parameter that is not libpq's
	for name := range params {
		if !parameterName.MatchString(name) {
			return Address{}, errUnreadable(setting)
		}
	}
	// We speak UTF-8, whatever the role, the database or PGCLIENTENCODING say: in another encoding texts would arrive as other ones.
	params["client_encoding"] = "UTF8"
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
	return Address{Config: config, Schema: schema, Name: name}, nil
}

// escapeHint is the next step for a person whose password has special characters.
const escapeHint = "percent-encode it (@ is %40, / is %2F, # is %23, ? is %3F, : is %3A, % is %25)"

// parameterName is what a parameter of the server may be called. Anything else is a part of something that was not escaped or quoted, or a whole URL
// of a scheme that libpq does not know; the server would repeat it.
var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// spillsOver says whether the password of a URL goes on where libpq looks for host, port, database or parameters: for libpq, the first @ or / ends
// user and password. So there is one @ at most, before the first slash; parameters that hold names may have another.
func spillsOver(url string) bool {
	_, rest, isURL := strings.Cut(url, "://")
	if !isURL || !strings.HasPrefix(url, "postgres") {
		return false
	}
	if end := strings.IndexAny(rest, "@/"); end >= 0 && rest[end] == '@' {
		rest = rest[end+1:]
	}
	place, query, _ := strings.Cut(rest, "?")
	if strings.ContainsAny(place, "@#") {
		return true
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(name, "@/#") || strings.ContainsAny(value, "@#") && !slices.Contains(namingParams(), name) {
			return true
		}
	}
	return false
}

// namingParams are the parameters whose values a person chooses, as in user@server of Azure.
func namingParams() []string {
	return []string{"user", "password", "sslpassword", "dbname", "application_name", "fallback_application_name", "options", "schema"}
}

func parseError(setting string, err error) error {
	if strings.Contains(err.Error(), "sslmode is invalid") {
		return errors.New(setting + ": sslmode is invalid: want disable, allow, prefer, require, verify-ca, verify-full or no-verify")
	}
	return errUnreadable(setting)
}

func errUnreadable(setting string) error {
	return errors.New(setting + " cannot be read: want postgres://user:password@host:5432/database?sslmode=require, without quotes around it, or " +
		"host=… user=… password='…' dbname=…; where the password has special characters, " + escapeHint +
		", or put a backslash before ' and \\ in the second form")
}

// prismaParams are connection parameters of Prisma and node-postgres that Postgres itself would refuse (Prisma's reference, "PostgreSQL: arguments").
func prismaParams() []string {
	return []string{
		"schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer", "statement_cache_size", "sslidentity", "sslaccept",
		"max_idle_connection_lifetime", "max_connection_lifetime", "single_use_connections", "uselibpqcompat",
	}
}
