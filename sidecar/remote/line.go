package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"sync-sidecar/sidecar"
)

// line is the way to the Host: one connection at a time, which may break and come back.
type line struct {
	client   string
	listener *net.UnixListener
	end      context.CancelFunc
	ended    chan struct{} // closed when keep has returned

	mu sync.Mutex
	// +checklocks:mu
	conn *http.ClientConn // nil while there is none
	// +checklocks:mu
	changed chan struct{} // closed, and another one made, when conn or gone changes
	// +checklocks:mu
	gone error // why there will be none
	// +checklocks:mu
	last int64 // number of a call
	// +checklocks:mu
	open map[int64]bool // numbers of the calls that have no answer yet
}

// patience is how long a line waits for its first connection, and for another one when that broke.
type patience struct{ first, again time.Duration }

// newLine accepts connections until close.
func newLine(ctx context.Context, listener *net.UnixListener, patience patience) *line {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	l := &line{client: rand.Text(), listener: listener, end: end, ended: make(chan struct{}), changed: make(chan struct{}), open: map[int64]bool{}}
	go func() {
		defer close(l.ended)
		l.keep(ctx, patience)
	}()
	return l
}

// close ends the connection. Further calls fail.
func (l *line) close() error {
	l.end()
	err := l.listener.Close()
	<-l.ended
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// goneError says that nobody connects any more. The folder's lock is gone, too: it was held by the process that connected.
type goneError struct{ text string }

// Error says for how long, and what to do.
func (e *goneError) Error() string { return e.text }

// Is makes it a sidecar.ErrLocked: whoever has the folder now is another run.
func (e *goneError) Is(target error) bool { return target == sidecar.ErrLocked }

// keep keeps a connection until ctx ends, or nobody makes one any more.
func (l *line) keep(ctx context.Context, patience patience) {
	for wait := patience.first; ; wait = patience.again {
		conn, broken, err := l.accept(ctx, wait)
		if err != nil {
			l.set(nil, err)
			return
		}
		l.set(conn, nil)
		select {
		case <-broken:
			l.set(nil, nil)
			conn.Close() //nolint:errcheck,gosec // it is broken
		case <-ctx.Done():
			l.set(nil, errClosed)
			conn.Close() //nolint:errcheck,gosec // nobody waits for anything on it
			return
		}
	}
}

var errClosed = errors.New("the local folder is closed")

// accept waits for a connection. broken is closed when that ends.
func (l *line) accept(ctx context.Context, patience time.Duration) (conn *http.ClientConn, broken chan struct{}, err error) {
	if err := l.listener.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, nil, err
	}
	for {
		accepted, err := l.listener.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				accepted.Close() //nolint:errcheck,gosec // nobody waits for it
			}
			return nil, nil, errClosed
		case err != nil:
			return nil, nil, &goneError{fmt.Sprintf("nobody has connected to %s for %s: the run that has the local folder was killed, "+
				"or cannot reach this machine", l.listener.Addr(), patience)}
		}
		if conn, broken, err = clientOf(ctx, accepted); err == nil {
			return conn, broken, nil
		}
		accepted.Close() //nolint:errcheck,gosec // it broke at once; another one may come
	}
}

// clientOf speaks HTTP/2 on a connection. broken is closed when that ends.
func clientOf(ctx context.Context, conn net.Conn) (client *http.ClientConn, broken chan struct{}, err error) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	const frame = 1 << 20
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, DisableCompression: true, Protocols: protocols,
		HTTP2: &http.HTTP2Config{MaxReadFrameSize: frame, SendPingTimeout: pingEvery, PingTimeout: pingWait},
	}
	client, err = transport.NewClientConn(ctx, "http", host)
	if err != nil {
		return nil, nil, err
	}
	broken = make(chan struct{})
	end := sync.OnceFunc(func() { close(broken) })
	look := func(c *http.ClientConn) {
		if c.Err() != nil {
			end()
		}
	}
	client.SetStateHook(look)
	look(client) // it may have ended before
	return client, broken, nil
}

// host stands for the Host in URLs.
const host = "folder:80"

// set notes a change. What is gone stays so.
func (l *line) set(conn *http.ClientConn, gone error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	if l.gone == nil {
		l.gone = gone
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// lost is why there will be no connection any more; nil while there may be one.
func (l *line) lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// connection waits for a connection other than one that broke.
func (l *line) connection(ctx context.Context, not *http.ClientConn) (*http.ClientConn, error) {
	for {
		l.mu.Lock()
		conn, gone, changed := l.conn, l.gone, l.changed
		l.mu.Unlock()
		switch {
		case gone != nil:
			return nil, gone
		case conn != nil && conn != not:
			return conn, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// begin gives a call its number.
func (l *line) begin() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.open[l.last] = true
	return l.last
}

// done says that nobody asks for the answer to a call any more.
func (l *line) done(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, number)
}

// oldest is the lowest number whose answer may still be asked for.
func (l *line) oldest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.last
	for number := range l.open {
		oldest = min(oldest, number)
	}
	return oldest
}
