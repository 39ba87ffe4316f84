// Package postgrestest starts throw-away Postgres servers for tests: real ones, of the machine's own programs (scripts/require-postgres.sh), each
// in a folder of its own that is gone afterwards, with a free port on localhost.
//
// A test that only needs a database takes one from Database. Tests of a package share a server when its TestMain says
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }
//
// and else each gets its own, as do those that Start one to stop or kill it. Nothing here skips where CI is set: a machine that cannot run Postgres
// fails the test. Elsewhere a developer without Postgres gets a skip that says how to install it.
package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// User is the owner of every database, a superuser.
const User = "postgres"

// Server is one Postgres server. Its methods are for one goroutine.
type Server struct {
	account  account
	folder   string
	port     int
	password string
	settings []string // NAME=VALUE
	daemon   *daemon  // nil while stopped
}

// Start starts a server that ends with the test. With -short the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Postgres server: -short")
	}
	s, err := start(fast())
	if err != nil {
		refuse(t, err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Errorf("remove the Postgres server: %v", err)
		}
	})
	return s
}

// refuse fails the test, or skips it where a machine without Postgres is no fault.
func refuse(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "" && errors.Is(err, errNoPrograms) {
		t.Skip(err)
	}
	t.Fatalf("start a Postgres server: %v", err)
}

var errNoPrograms = errors.New("PostgreSQL is not installed")

// Launch starts a server with its own default settings, for what is no test; the caller calls Remove.
func Launch() (*Server, error) { return start(nil) }

// Remove ends the server and removes its data.
func (s *Server) Remove() error { return s.remove() }

// fast are the settings of servers for tests. Without fsync a killed server loses nothing, only a killed machine does.
func fast() []string {
	return []string{"fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60", "autovacuum=off"}
}

func start(settings []string) (_ *Server, err error) {
	initdb, err := findProgram("initdb")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPrograms, err)
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	s := &Server{account: as, password: "pw-" + rand.Text(), settings: settings}
	if s.folder, err = as.makeFolder(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.remove())
		}
	}()
	passwordFile := filepath.Join(s.folder, "password")
	if err := os.WriteFile(passwordFile, []byte(s.password), 0o644); err != nil {
		return nil, err
	}
	output, err := as.command(s.folder, initdb, "--pgdata="+s.data(), "--username="+User, "--pwfile="+passwordFile, "--auth=scram-sha-256",
		"--no-sync", "--no-locale", "--encoding=UTF8").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	// Somebody else may take the port before the server does.
	for range 3 {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = s.run(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) run() error {
	program, err := findProgram("postgres")
	if err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.folder}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1"}, s.settings...) {
		args = append(args, "-c", setting)
	}
	s.daemon, err = startDaemon(s.account, s.folder, "INT", program, args, func() error { return ping(s.DSN()) })
	return err
}

func ping(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// DSN is the URL of the server's first database, for its superuser.
func (s *Server) DSN() string { return s.url(User, s.password, s.port, "postgres") }

func (s *Server) url(user, password string, port int, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", user, password, port, database)
}

// Password is the superuser's, which must not show up anywhere.
func (s *Server) Password() string { return s.password }

// Stop shuts the server down: clients are told, and what was committed stays.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Fatalf("stop the Postgres server: %v", err)
	}
}

func (s *Server) stop() error {
	if s.daemon == nil {
		return nil
	}
	daemon := s.daemon
	s.daemon = nil
	return daemon.stop()
}

// Kill ends every process of the server with SIGKILL.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.daemon.kill(); err != nil {
		t.Fatalf("kill the Postgres server: %v", err)
	}
	s.Stop(t)
}

// Pause halts every process of the server, so that it takes connections and does not answer, until Resume.
func (s *Server) Pause() { s.daemon.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.daemon.signal(syscall.SIGCONT) }

// Restart starts the server again, after Stop or Kill, on its port and with its data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatalf("restart the Postgres server: %v", err)
	}
}

// remove ends the server and removes its files.
func (s *Server) remove() error {
	if s.daemon != nil {
		s.Resume()
	}
	return errors.Join(s.stop(), os.RemoveAll(s.folder))
}
