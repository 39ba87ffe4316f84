package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Failure is an error on one line: the server, what was tried, the cause, and the next step.
type Failure struct {
	Place   string // Address.Name
	Setting string // where its URL is from, as DATABASE_URL
	Action  string // what was tried, as "save states"
	Cause   error
}

// Error never holds more of the URL than host, port and database.
func (f *Failure) Error() string {
	what := Words(f.Cause)
	if connect := (*pgconn.ConnectError)(nil); !errors.As(f.Cause, &connect) {
		what = f.Action + ": " + what
	}
	if hint := Hint(f.Setting, f.Cause); hint != "" {
		return fmt.Sprintf("%s: %s (%s)", f.Place, what, hint)
	}
	return f.Place + ": " + what
}

// Words are an error on one line, without what it says of the URL.
func Words(err error) string {
	if connect := (*pgconn.ConnectError)(nil); errors.As(err, &connect) {
		return "cannot connect: " + attempts(connect)
	}
	return err.Error()
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// attempts are what pgx lists line by line: one for each address, and again without encryption when that is only preferred.
func attempts(err *pgconn.ConnectError) string {
	lines := strings.Split(err.Unwrap().Error(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSpace(line), "hostname resolving error: ")
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "; ")
}

// Hint is the next step for a person, where an error suggests one. setting is where the URL is from.
func Hint(setting string, err error) string {
	if server := (*pgconn.PgError)(nil); errors.As(err, &server) {
		switch server.Code {
		case "28P01", "28000":
			return "check user and password of " + setting + ", and pg_hba.conf of the server"
		case "3D000":
			return "create the database, or correct its name in " + setting
		case "53300":
			return "raise max_connections of the server, put PgBouncer before it, or lower LOAD_CONCURRENCY of the syncs"
		case "42501":
			return "grant the user of " + setting + " what it lacks"
		case "42704":
			return "remove the parameter from " + setting
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
		return "is the server up, and host and port of " + setting + " right?"
	case errors.As(err, &certificate):
		return "give sslrootcert=FILE in " + setting + ", or sslmode=require to encrypt without verifying"
	case strings.Contains(err.Error(), "refused TLS"):
		return "add sslmode=disable to " + setting + ", or switch on encryption at the server"
	}
	return ""
}
