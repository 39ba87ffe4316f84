package destination

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// line is a TCP proxy before a server, which can be cut at what the client says: messages of Postgres' protocol are read as bytes, which is enough
// without encryption.
type line struct {
	url      string // of the database, by this line
	direct   string // of the database, without it
	target   string
	listener net.Listener
	group    sync.WaitGroup
	// trip decides what becomes of bytes of the client, who has sent rows on this connection or not.
	trip atomic.Pointer[func(data []byte, copied bool) fate]
}

// fate is what becomes of bytes of the client.
type fate int

const (
	passes     fate = iota
	cutBefore       // the server never gets them
	cutAfter        // the server gets them, the client gets no more answers
	terminates      // the server's processes are terminated before it gets them, and tell of that
	vanishes        // the server gets neither them nor the news that the client is gone
)

// newLine opens a line to the server of a database's URL. It ends with the test.
func newLine(t testing.TB, address string) *line {
	t.Helper()
	parsed, err := url.Parse(address)
	must(t, err)
	l := &line{direct: address, target: parsed.Host}
	l.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	parsed.Host = l.listener.Addr().String()
	l.url = parsed.String()
	ctx, cancel := context.WithCancel(context.Background())
	l.group.Go(func() { l.serve(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = l.listener.Close()
		l.group.Wait()
	})
	return l
}

// next sets what becomes of the bytes that match, once.
func (l *line) next(becomes fate, match func(data []byte, copied bool) bool) {
	var once sync.Once
	trip := func(data []byte, copied bool) fate {
		met := passes
		if match(data, copied) {
			once.Do(func() { met = becomes })
		}
		return met
	}
	l.trip.Store(&trip)
}

// nth sets what becomes of the n-th bytes that the client sends from now on, and returns a func that says whether they came.
func (l *line) nth(n int64, becomes fate) (met func() bool) {
	var seen, done atomic.Int64
	trip := func([]byte, bool) fate {
		if seen.Add(1) == n {
			done.Store(1)
			return becomes
		}
		return passes
	}
	l.trip.Store(&trip)
	return func() bool { return done.Load() == 1 }
}

// cutInCopy cuts the next connection that sends rows.
func (l *line) cutInCopy() {
	l.next(cutBefore, func(data []byte, _ bool) bool { return bytes.Contains(data, []byte("1500\tnew")) })
}

// loseCommit loses the answer to the next COMMIT of rows.
func (l *line) loseCommit() {
	l.next(cutAfter, func(data []byte, copied bool) bool {
		return copied && bytes.HasPrefix(data, []byte("Q\x00\x00\x00\x0bcommit\x00"))
	})
}

// vanishInCopy lets the next client that has sent rows vanish.
func (l *line) vanishInCopy() {
	l.next(vanishes, func(data []byte, copied bool) bool { return copied && bytes.Contains(data, []byte("new\n")) })
}

func (l *line) serve(ctx context.Context) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.group.Go(func() { l.connect(ctx, client) })
	}
}

// connect carries one connection.
func (l *line) connect(ctx context.Context, client net.Conn) {
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", l.target)
	if err != nil {
		_ = client.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer stop()
	var lost atomic.Bool
	var both sync.WaitGroup
	both.Go(func() {
		defer func() { _, _ = client.Close(), server.Close() }()
		if l.carry(server, client, &lost) == vanishes {
			_ = client.Close()
			<-ctx.Done()
		}
	})
	both.Go(func() {
		defer func() { _ = client.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if lost.Load() {
				return // the server has done what the client does not hear of
			}
			if n > 0 {
				if _, err := client.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	both.Wait()
}

// carry carries what the client says, and tells how that ended.
func (l *line) carry(server io.Writer, client io.Reader, lost *atomic.Bool) fate {
	buffer, copied := make([]byte, 128<<10), false
	for {
		n, err := client.Read(buffer)
		copied = copied || bytes.Contains(buffer[:n], []byte("from stdin"))
		met := passes
		if trip := l.trip.Load(); trip != nil && n > 0 {
			met = (*trip)(buffer[:n], copied)
		}
		switch met {
		case cutBefore, vanishes:
			return met
		case cutAfter:
			lost.Store(true)
		case terminates:
			terminate(l.direct)
		case passes:
		}
		if n > 0 {
			if _, err := server.Write(buffer[:n]); err != nil {
				return passes
			}
		}
		if err != nil {
			return passes
		}
	}
}

// terminate ends the processes that serve a database, and waits until they are gone. Errors show in what the test then finds.
func terminate(url string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	_, _ = conn.Exec(ctx, `select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
}
