package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	code := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{context.Canceled, false},
		{context.DeadlineExceeded, true},
		{io.EOF, true},
		{fmt.Errorf("x: %w", io.ErrUnexpectedEOF), true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, true},
		{errors.New("something else"), false},
		{&LockedError{}, false},
		{code("08006"), true}, {code("08P01"), true}, {code("53100"), true}, {code("53300"), true}, {code("57P01"), true}, {code("57P03"), true},
		{code("57014"), true}, {code("40P01"), true}, {code("25006"), true}, {code("58030"), true},
		{code("42501"), false}, {code("42P01"), false}, {code("28P01"), false}, {code("3D000"), false}, {code("22P05"), false}, {code(""), false},
	} {
		if got := IsUnavailable(test.err); got != test.want {
			t.Errorf("IsUnavailable(%v) is %v", test.err, got)
		}
	}
}

// saveEverything calls each method once and returns the errors.
func saveEverything(ctx context.Context, j *Journal) map[string]error {
	_, loadErr := j.LoadStates(ctx)
	return map[string]error{
		"LoadStates": loadErr,
		"SaveStates": j.SaveStates(ctx, []sidecar.SavedState{state("users", `1`)}),
		"SaveResult": j.SaveResult(ctx, sidecar.Result{Command: sidecar.CommandCheck, Status: sidecar.StatusSuccess}),
		"SaveTask":   j.SaveTask(ctx, sidecar.TaskRecord{Status: sidecar.StatusRunning}),
		"AppendLogs": j.AppendLogs(ctx, []sidecar.LogRecord{{Message: "x"}}),
		"Lock":       takeAndDrop(ctx, j),
	}
}

// takeAndDrop takes a lock for a moment.
func takeAndDrop(ctx context.Context, j *Journal) error {
	l := &lock{journal: j, claims: []claim{{key: 1}}, holder: "test"}
	conn, err := l.take(ctx)
	if err != nil {
		return j.fail("lock", err)
	}
	l.drop(ctx, conn)
	return nil
}

func wantUnavailable(t *testing.T, server *postgrestest.Server, failures map[string]error) {
	t.Helper()
	for name, err := range failures {
		if !IsUnavailable(err) {
			t.Errorf("%s: %v is not IsUnavailable", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), server.Password()) || !strings.HasPrefix(err.Error(), "postgres 127.0.0.1:")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	j := open(t, server.DSN())
	must(t, j.Lock(within(t)))
	for name, err := range saveEverything(within(t), j) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	server.Kill(t)
	wantUnavailable(t, server, saveEverything(within(t), j))
	_, err := Open(within(t), Options{URL: server.DSN(), Identity: testIdentity()})
	wantUnavailable(t, server, map[string]error{"Open": err})
	if !strings.Contains(fmt.Sprint(err), "is the server up") {
		t.Errorf("no next step: %v", err)
	}
	server.Restart(t)
	equalLines(t, "what was saved", postgrestest.Query(t, server.DSN(), "select stream, state from source_state"), "users|1")
	eventually(t, "it works again", func() bool { return j.SaveStates(within(t), []sidecar.SavedState{state("users", `2`)}) == nil })
	equalLines(t, "what is saved later", postgrestest.Query(t, server.DSN(), "select stream, state from source_state"), "users|2")
}

func TestServerThatShutsDown(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	j := open(t, server.DSN())
	server.Stop(t)
	wantUnavailable(t, server, saveEverything(within(t), j))
}

// A server that takes bytes and does not answer: every call ends with its ctx, and so does Close.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	j, err := Open(within(t), Options{URL: server.DSN(), Identity: testIdentity(), LockPing: 200 * time.Millisecond})
	must(t, err)
	must(t, j.Lock(within(t)))
	server.Pause()
	defer server.Resume()
	start := time.Now()
	for name, call := range map[string]func(context.Context) error{
		"SaveStates": func(ctx context.Context) error { return j.SaveStates(ctx, []sidecar.SavedState{state("a", "1")}) },
		"LoadStates": func(ctx context.Context) error { _, err := j.LoadStates(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		wantUnavailable(t, server, map[string]error{name: call(ctx)})
		cancel()
	}
	eventually(t, "the lock is in doubt", func() bool { return j.LockError() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := j.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	_, err = Open(within(t), Options{URL: server.DSN(), Identity: testIdentity(), ConnectTimeout: 200 * time.Millisecond})
	wantUnavailable(t, server, map[string]error{"Open": err})
}

// TestNobodyWaitsForALock: while one Lock waits for a server that does not answer, LockError does not, and another Lock waits no longer than its ctx.
func TestNobodyWaitsForALock(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	j := open(t, server.DSN())
	server.Pause()
	defer server.Resume()
	ctx, cancel := context.WithCancel(within(t))
	first := make(chan error, 1)
	go func() { first <- j.Lock(ctx) }()
	eventually(t, "the first Lock waits", func() bool { return len(j.locking) == 1 })
	answered := make(chan error, 1)
	go func() { answered <- j.LockError() }()
	select {
	case err := <-answered:
		must(t, err)
	case <-time.After(10 * time.Second):
		t.Error("LockError waits for the server")
	}
	short, end := context.WithTimeout(within(t), 50*time.Millisecond)
	defer end()
	if err := j.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second Lock: %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first Lock: %v", err)
	}
	server.Resume()
	must(t, j.Lock(within(t)))
}

func TestRefusalsOfTheServer(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	open(t, url)
	as := guest(t, url, "grant select, insert, update, delete on all tables in schema public to %s")
	name, _, _ := strings.Cut(strings.TrimPrefix(as, "postgres://"), ":")
	for _, test := range []struct {
		what, url, prepare string
		unavailable        bool
		want               string
	}{
		{"wrong password", strings.Replace(as, "guest-pw", "guest-wrong", 1), "", false, "check user and password"},
		{"no such database", as[:strings.LastIndex(as, "/")] + "/nowhere?sslmode=disable", "", false, "create the database"},
		{"encryption refused", strings.Replace(as, "sslmode=disable", "sslmode=require", 1), "", false, "add sslmode=disable"},
		{"unknown parameter", as + "&foo=bar", "", false, `"foo"`},
		{"too many connections", as, fmt.Sprintf("alter user %s connection limit 0", name), true, "too many connections"},
		{"nobody listens", "postgres://u:guest-pw@127.0.0.1:1/db", "", true, "connection refused (is the server up"},
	} {
		if test.prepare != "" {
			postgrestest.Exec(t, url, test.prepare)
		}
		_, err := Open(within(t), Options{URL: test.url, Identity: testIdentity()})
		if err == nil || IsUnavailable(err) != test.unavailable || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v (unavailable: %v), want %q", test.what, err, IsUnavailable(err), test.want)
		}
		if text := fmt.Sprint(err); strings.Contains(text, "guest-") || strings.Contains(text, "\n") {
			t.Errorf("%s: %v quotes the password, or has several lines", test.what, err)
		}
	}
}

// After a switch the address may lead to a server that only reads, for a while.
func TestReadOnlyServerIsUnavailable(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	open(t, url)
	postgrestest.Exec(t, url, "do $$ begin execute 'alter database ' || current_database() || ' set default_transaction_read_only = on'; end $$")
	j := open(t, url)
	if err := j.SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusRunning}); !IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestCancelledCallIsNotUnavailable(t *testing.T) {
	t.Parallel()
	j := open(t, postgrestest.Database(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.SaveTask(ctx, sidecar.TaskRecord{Status: sidecar.StatusRunning}); !errors.Is(err, context.Canceled) || IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}
