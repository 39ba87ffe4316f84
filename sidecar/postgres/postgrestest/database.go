package postgrestest

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// sharedServer is the variable that holds the URL of the server of Main, for Database: also in child processes.
const sharedServer = "SYNC_SIDECAR_TEST_POSTGRES"

// Main runs the tests of a package with one server for all of them, and returns the exit code. With SYNC_SIDECAR_TEST_POSTGRES set to a
// superuser's URL they use that server instead. A machine without Postgres leaves it to each test to say so; with -short no test has a server.
func Main(m *testing.M) int {
	if !flag.Parsed() {
		flag.Parse()
	}
	if testing.Short() || os.Getenv(sharedServer) != "" {
		return m.Run()
	}
	s, err := start(fast())
	if err != nil {
		fmt.Fprintf(os.Stderr, "no shared Postgres server: %v\n", err)
		return m.Run()
	}
	if err := os.Setenv(sharedServer, s.DSN()); err != nil {
		fmt.Fprintf(os.Stderr, "share the Postgres server: %v\n", err)
	}
	code := m.Run()
	if err := s.remove(); err != nil {
		fmt.Fprintf(os.Stderr, "remove the Postgres server: %v\n", err)
		return max(code, 1)
	}
	return code
}

// Database makes an empty database and returns its URL, with the superuser's name and password. It is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	url := os.Getenv(sharedServer)
	if url == "" || testing.Short() {
		url = Start(t).DSN()
	}
	name := "test_" + strings.ToLower(rand.Text())
	Exec(t, url, "create database "+name)
	t.Cleanup(func() { drop(t, url, name) })
	base, params, _ := strings.Cut(url, "?")
	return base[:strings.LastIndex(base, "/")+1] + name + "?" + params
}

// drop drops a database, whoever is still in it. Postgres 12 cannot do it by one statement.
func drop(t testing.TB, url, name string) {
	t.Helper()
	onConn(t, url, func(ctx context.Context, conn *pgx.Conn) error {
		for _, sql := range []string{"alter database " + name + " allow_connections false",
			"select pg_terminate_backend(pid) from pg_stat_activity where datname = '" + name + "'", "drop database " + name} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// Exec runs SQL as the URL's user, on a connection of its own.
func Exec(t testing.TB, url, sql string, args ...any) {
	t.Helper()
	onConn(t, url, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	})
}

// Query returns every row of a query, its columns as the server prints them joined with "|", null as "-".
func Query(t testing.TB, url, sql string, args ...any) []string {
	t.Helper()
	var lines []string
	onConn(t, url, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var columns []string
			for _, value := range rows.RawValues() {
				if value == nil {
					value = []byte("-")
				}
				columns = append(columns, string(value))
			}
			lines = append(lines, strings.Join(columns, "|"))
		}
		return rows.Err()
	})
	return lines
}

func onConn(t testing.TB, url string, do func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() {
		if err := conn.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	if err := do(ctx, conn); err != nil {
		t.Fatal(err)
	}
}
