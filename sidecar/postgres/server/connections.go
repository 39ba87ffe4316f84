package server

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Connections are the open network connections of a pool. The pool waits for a server's answer when it closes; Cut ends that wait.
type Connections struct {
	mu sync.Mutex
	// +checklocks:mu
	open map[net.Conn]struct{}
	// +checklocks:mu
	done bool
}

// Track makes config dial through the returned Connections.
func Track(config *pgxpool.Config) *Connections {
	c := &Connections{open: make(map[net.Conn]struct{})}
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

// add wraps a connection that was just made, unless it comes too late.
func (c *Connections) add(conn net.Conn) (net.Conn, error) {
	c.mu.Lock()
	late := c.done
	if !late {
		c.open[conn] = struct{}{}
	}
	c.mu.Unlock()
	if late {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	return &trackedConn{Conn: conn, connections: c}, nil
}

// Cut closes every connection and refuses new ones.
func (c *Connections) Cut() {
	c.mu.Lock()
	c.done = true
	open := slices.Collect(maps.Keys(c.open))
	c.mu.Unlock()
	for _, conn := range open {
		conn.Close() //nolint:gosec // an error says that it is closed already
	}
}

// trackedConn is a connection that its connections know.
type trackedConn struct {
	net.Conn
	connections *Connections
}

// Close closes the connection and forgets it.
func (t *trackedConn) Close() error {
	t.connections.mu.Lock()
	delete(t.connections.open, t.Conn)
	t.connections.mu.Unlock()
	return t.Conn.Close()
}
