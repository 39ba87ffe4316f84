package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// IsUnavailable says whether err is of a server that is away, overloaded or in the middle of a switch: the same call may succeed later. A refusal
// (bad SQL, wrong password, no permission, another run holds the lock) and a cancelled ctx are not.
func IsUnavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if server := (*pgconn.PgError)(nil); errors.As(err, &server) {
		return isUnavailableCode(server.Code)
	}
	var alert tls.AlertError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &alert) || errors.As(err, &certificate) {
		return false
	}
	var network net.Error // refused, reset, not resolved, timed out; context.DeadlineExceeded is one
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return true
	}
	// pgx reports a connection that broke earlier as one that is safe to try again.
	return pgconn.SafeToRetry(err)
}

// isUnavailableCode sorts the SQLSTATEs of Postgres' manual, Appendix A.
func isUnavailableCode(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "08", // connection exception: also what pgbouncer says when it cannot reach the server
		"53", // insufficient resources: too many connections, disk full, out of memory
		"58": // system error
		return true
	}
	switch code {
	case "57P01", "57P02", "57P03", // admin shutdown, crash shutdown, cannot connect now (starting up)
		"57P05", "25P03", "25P04", // idle session timeout, idle in transaction timeout, transaction timeout
		"57014",          // query cancelled: by a statement timeout or an operator
		"40001", "40P01", // serialization failure, deadlock
		"55P03", // lock not available in time
		"25006": // read-only: the server became a standby
		return true
	}
	return false
}

// IsRefusal says that Postgres cannot keep a value for what it is: jsonb takes no number beyond numeric (SQLSTATE class 22), no nesting that its
// stack cannot hold and no value over 256 MB (class 54).
func IsRefusal(err error) bool {
	server := (*pgconn.PgError)(nil)
	return errors.As(err, &server) && (strings.HasPrefix(server.Code, "22") || strings.HasPrefix(server.Code, "54"))
}
