package destination

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// outlook is what another attempt can do about an error.
type outlook int

const (
	cannotPass outlook = iota
	mayPass
	away    // mayPass, and the server is away
	refused // cannotPass: the server does not let us in
)

// sqlMeaning is what a SQLSTATE means for a load (https://www.postgresql.org/docs/current/errcodes-appendix.html).
type sqlMeaning struct {
	code    string // five characters, or the two of a class
	outlook outlook
	advice  string // what a person can do; empty where the server's words say it all
}

// meaningOf finds the meaning of a code, else that of its class.
func meaningOf(code string) sqlMeaning {
	class := sqlMeaning{}
	for _, meaning := range sqlMeanings() {
		switch {
		case meaning.code == code:
			return meaning
		case strings.HasPrefix(code, meaning.code):
			class = meaning
		}
	}
	return class
}

// sqlMeanings are the codes and classes that are known; others cannot pass.
func sqlMeanings() []sqlMeaning {
	const changed = "the table was changed under the load"
	return []sqlMeaning{
		{"08", away, ""},
		{"28", refused, ""},
		{"3D000", refused, ""},
		{"40", mayPass, "another transaction was in the way"},
		{"53", mayPass, ""},
		{"53100", mayPass, "the server's disk is full: make room there"},
		{"53300", away, "the server takes no more connections: raise max_connections, or end some"},
		{"55P03", mayPass, "somebody holds a lock on the table: look at pg_locks"},
		{"55006", mayPass, "somebody uses the table"},
		{"57", away, ""},
		{"57014", mayPass, "the server ended the statement: raise or remove the statement_timeout of the user, or of the URL"},
		{"58", mayPass, "the server's system failed: look at its log"},
		{readOnlyServer, away, "name the primary, or add target_session_attrs=read-write to the URL"},
		{"25P03", mayPass, "raise idle_in_transaction_session_timeout"}, {"25P04", mayPass, "raise transaction_timeout"},
		{undefinedTable, mayPass, changed}, {undefinedColumn, mayPass, changed}, {duplicateTable, mayPass, changed},
		{duplicateColumn, mayPass, changed}, {duplicateObject, mayPass, changed},
		{noConflictTarget, cannotPass, "no unique index of the table has exactly the columns of the primary key: add one, or drop the table's key"},
		{notInState, cannotPass, ""},
		{"22", cannotPass, "a value does not fit its column, and cannot be set aside: alter the column"},
		{notNullViolation, cannotPass, "the stream has no value for the column: give it a default, or drop its NOT NULL"},
		{noParent, cannotPass, "other tables refer to rows that are not there any more: delete those first, or drop the foreign key"},
		{"23P01", cannotPass, "the rows break an exclusion constraint that somebody gave the table: drop it, or correct the source"},
		{"0A000", cannotPass, "something that somebody gave the table is in the way: a trigger does what a rule does"},
		{"P0001", cannotPass, "a trigger of the table, or one of the database's events, does not let it: correct the trigger, or the source"},
		{untranslatable, cannotPass, "the encoding of the database lacks a character of the rows: use a database with ENCODING 'UTF8'"},
		{"42939", cannotPass, "set NAMESPACE to another schema"},
		{"42809", cannotPass, "add the column to the table that it belongs to"},
		{uniqueViolation, cannotPass, "the rows repeat what a unique index of the table allows once: drop it, or give the stream that primary key"},
		{checkViolation, cannotPass, "the rows break a constraint that somebody gave the table: drop it, or correct the source"},
		{"42501", cannotPass, ""},
		{"2BP01", cannotPass, "foreign keys depend on the table's primary key: keep it, by the same key of the stream or DEDUPLICATE=true, or drop them"},
		{"42804", cannotPass, "the table's column has another type than the rows: alter it, or drop the table and run a full refresh"},
		{invalidDefinition, cannotPass, ""},
		{tooLarge, cannotPass, "a row, or the key of one, is too large for Postgres: leave fields of the stream out, or choose another key"},
		{"54011", cannotPass, "Postgres takes 1,600 columns a table: leave fields of the stream out"},
	}
}

// advised is an error with what a person can do about it.
type advised struct {
	cause  error
	advice string
}

// Error is the words of the server, what it says of rows of other tables, and the advice: ours, or that of the server.
func (a *advised) Error() string {
	text, advice := server.Words(a.cause), a.advice
	if refusal := (*pgconn.PgError)(nil); errors.As(a.cause, &refusal) {
		switch {
		case refusal.Code == noParent && refusal.Detail != "":
			text += ": " + refusal.Detail
		case ofRow(refusal.Code) && copied.MatchString(refusal.Where):
			text += ", at " + copied.FindString(refusal.Where)
		}
		if advice == "" {
			advice = refusal.Hint
		}
	}
	if advice == "" {
		return text
	}
	return fmt.Sprintf("%s (%s)", text, advice)
}

// Unwrap is the cause.
func (a *advised) Unwrap() error { return a.cause }

// copied is the part of `COPY orders, line 3, column total: "x"` that holds no value. Functions that the row was given to stand before it.
var copied = regexp.MustCompile(`(?m)^COPY [^:\n]*`)

// ofRow says that an error is about a row, of which the server says where it is.
func ofRow(code string) bool {
	return slices.ContainsFunc([]string{"22", "23", "54", "P0"}, func(class string) bool { return strings.HasPrefix(code, class) })
}

// meaning is what a refusal of the server means for a load.
func (c *Client) meaning(err error) sqlMeaning {
	refusal, code := (*pgconn.PgError)(nil), sqlState(err)
	if !errors.As(err, &refusal) {
		return meaningOf(code)
	}
	switch {
	case code == noParent && c.lacksParent(err, relation{schema: refusal.SchemaName, name: refusal.TableName}):
		return sqlMeaning{code, mayPass, "the rows refer to rows of another table that are not there: load these before, or drop the foreign key"}
	case code == checkViolation && refusal.ConstraintName == "":
		return sqlMeaning{code, cannotPass, "no partition takes the row: create one for it, or a default one (PARTITION OF … DEFAULT)"}
	}
	return meaningOf(code)
}

// lacksParent says that rows of ours refer to others that are not there, rather than others to ours that are gone. table is the one that refers.
func (c *Client) lacksParent(err error, table relation) bool {
	if failed := (*tableError)(nil); errors.As(err, &failed) {
		return failed.work.place == table
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		if t.place == table {
			return true // a constraint that is checked at the COMMIT
		}
	}
	return false
}

// explain makes an error one of the contract: a LoadError, or what ended the rows or the context.
func (c *Client) explain(ctx context.Context, loads []sidecar.Load, err error) error {
	table := ""
	if len(loads) == 1 {
		table = ": table " + loads[0].Table.Name
		if t, err := c.target(loads[0].Table.Stream); err == nil {
			table = ": table " + t.place.String()
		}
	}
	rows, told := (*rowsError)(nil), sidecar.AsLoadError(err)
	switch {
	case err == nil:
		return nil
	case told != nil && strings.HasPrefix(told.Message, c.name):
		return err
	case told != nil:
		copied := *told
		copied.Message = c.name + ": " + told.Message
		return &copied
	case errors.As(err, &rows):
		return fmt.Errorf("rows%s: %w", strings.TrimPrefix(table, ":"), rows.cause)
	case ctx.Err() != nil:
		return fmt.Errorf("%s%s: %w", c.name, table, context.Cause(ctx))
	}
	if sqlState(err) == readOnlyServer || errors.Is(err, errReadOnly) {
		c.reconnect()
	}
	failure := &sidecar.LoadError{Message: c.name + table, Cause: &advised{cause: err, advice: server.Hint(c.options.Setting, err)}}
	lost, connect := (*lostCommit)(nil), (*pgconn.ConnectError)(nil)
	switch code := sqlState(err); {
	case errors.As(err, &lost):
		failure.Unknown, failure.Environment = true, true
	case code != "":
		meaning := c.meaning(err)
		failure.Permanent = meaning.outlook == cannotPass || meaning.outlook == refused
		failure.Environment = meaning.outlook == away || meaning.outlook == refused
		if meaning.advice != "" {
			failure.Cause = &advised{cause: err, advice: meaning.advice}
		}
	case errors.Is(err, errReadOnly):
		failure.Environment, failure.Cause = true, &advised{cause: err, advice: meaningOf(readOnlyServer).advice}
	case errors.As(err, &connect):
		certificate := (*tls.CertificateVerificationError)(nil)
		failure.Environment, failure.Permanent = true, errors.As(err, &certificate)
	default:
		failure.Environment = server.IsUnavailable(err)
	}
	return failure
}

// rowsError is an error of the rows, and not of the server.
type rowsError struct{ cause error }

// Error is the cause's.
func (e *rowsError) Error() string { return e.cause.Error() }

// Unwrap is the cause.
func (e *rowsError) Unwrap() error { return e.cause }
