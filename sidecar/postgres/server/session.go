package server

import (
	"context"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
)

// Plain keeps what can stand in an SQL comment and in application_name.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_., @:", r)) {
			return r
		}
		return '_'
	}, s)
}

// UseSchema makes the schema when it is missing, and the first of the transaction's search path: CREATE SCHEMA IF NOT EXISTS needs the right to make
// one even if it exists.
func UseSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var exists bool
	if err := tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", schema).Scan(&exists); err != nil {
		return err
	}
	name := pgx.Identifier{schema}.Sanitize()
	if !exists {
		if _, err := tx.Exec(ctx, "create schema "+name); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "set local search_path to "+name)
	return err
}
