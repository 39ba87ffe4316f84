package postgres

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// failure is an error on one line: the server, what was tried, the cause, and the next step.
type failure struct {
	journal, action string
	cause           error
}

// Error never holds more of the URL than host, port and database.
func (f *failure) Error() string {
	what := f.action + ": " + f.cause.Error()
	if connect := (*pgconn.ConnectError)(nil); errors.As(f.cause, &connect) {
		what = "cannot connect: " + attempts(connect)
	}
	if hint := hint(f.cause); hint != "" {
		return fmt.Sprintf("%s: %s (%s)", f.journal, what, hint)
	}
	return f.journal + ": " + what
}

// Unwrap is the cause.
func (f *failure) Unwrap() error { return f.cause }

// attempts are what pgx lists line by line: one for each address, and again without encryption when that is only preferred.
func attempts(err *pgconn.ConnectError) string {
	lines := strings.Split(err.Unwrap().Error(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSpace(line), "hostname resolving error: ")
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "; ")
}

// hint is the next step for a person, where the cause suggests one.
func hint(err error) string {
	if server := (*pgconn.PgError)(nil); errors.As(err, &server) {
		switch server.Code {
		case "28P01", "28000":
			return "check user and password of DATABASE_URL, and pg_hba.conf of the server"
		case "3D000":
			return "create the database, or correct its name in DATABASE_URL"
		case "42501":
			return "grant the user of DATABASE_URL what it lacks"
		case "42704":
			return "remove the parameter from DATABASE_URL"
		}
		return ""
	}
	connect := (*pgconn.ConnectError)(nil)
	if !errors.As(err, &connect) {
		return ""
	}
	certificate := (*tls.CertificateVerificationError)(nil)
	switch {
	case IsUnavailable(err):
		return "is the server up, and host and port of DATABASE_URL right?"
	case errors.As(err, &certificate):
		return "give sslrootcert=FILE in DATABASE_URL, or sslmode=require to encrypt without verifying"
	case strings.Contains(err.Error(), "refused TLS"):
		return "add sslmode=disable to DATABASE_URL, or switch on encryption at the server"
	}
	return ""
}
