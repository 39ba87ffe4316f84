package postgrestest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"errors"
)

// PgBouncer in its strictest mode: each transaction of a client gets whatever server connection is free, and startup parameters that it does not
// know are refused (its default; see "ignore_startup_parameters" in its manual).
const poolerConfig = `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
pool_mode = transaction
default_pool_size = 4
auth_type = plain
auth_file = %s
`

// Pooler starts PgBouncer before the server of databaseURL, and returns the URL of the same database through it. It ends with the test.
func Pooler(t testing.TB, databaseURL string) string {
	t.Helper()
	program, err := findProgram("pgbouncer")
	if err != nil {
		refuse(t, fmt.Errorf("%w: %w", errNoPrograms, err))
	}
	as, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := as.makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	pooled, daemon, err := startPooler(as, folder, program, databaseURL)
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(folder)))
	}
	t.Cleanup(func() {
		if err := errors.Join(daemon.stop(), os.RemoveAll(folder)); err != nil {
			t.Errorf("remove PgBouncer: %v", err)
		}
	})
	return pooled
}

func startPooler(as account, folder, program, databaseURL string) (string, *daemon, error) {
	server, err := url.Parse(databaseURL)
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	password, _ := server.User.Password()
	users, config := filepath.Join(folder, "users"), filepath.Join(folder, "config")
	for file, text := range map[string]string{
		users:  fmt.Sprintf("%q %q\n", server.User.Username(), password),
		config: fmt.Sprintf(poolerConfig, server.Hostname(), server.Port(), port, users),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return "", nil, err
		}
	}
	server.Host = fmt.Sprintf("127.0.0.1:%d", port)
	pooled := server.String()
	daemon, err := startDaemon(as, folder, "TERM", program, []string{config}, func() error { return ping(pooled) })
	return pooled, daemon, err
}
