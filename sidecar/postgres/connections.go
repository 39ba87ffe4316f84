package postgres

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// connections are the open network connections of a journal. The pool waits for a server's answer when it closes; cut ends that wait.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	done bool
}

// trackConnections makes config dial through the returned connections.
func trackConnections(config *pgxpool.Config) *connections {
	c := &connections{open: make(map[net.Conn]struct{})}
	// A server that vanished without a word is noticed within half a minute rather than in hours.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c.add(conn)
	}
	return c
}

func (c *connections) add(conn net.Conn) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	c.open[conn] = struct{}{}
	return &trackedConn{Conn: conn, connections: c}, nil
}

// cut closes every connection and refuses new ones.
func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	for conn := range c.open {
		conn.Close() //nolint:gosec // an error says that it is closed already
	}
}

type trackedConn struct {
	net.Conn
	connections *connections
}

// Close closes the connection and forgets it.
func (t *trackedConn) Close() error {
	t.connections.mu.Lock()
	delete(t.connections.open, t.Conn)
	t.connections.mu.Unlock()
	return t.Conn.Close()
}
