package bulker

import (
	"context"
	"io"
	"net"
)

// dial connects as net/http would, to a connection that takes the blocks of a load as they are.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	c, err := dialer.DialContext(ctx, network, address)
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		return &conn{tcp}, nil
	}
	return c, err
}

// conn writes a load of known length without the buffer of 32 KiB through which net/http would copy it (net.TCPConn.ReadFrom): half the calls of the
// kernel and none of the copies. Over TLS the encryption does the writing, and this is not used.
type conn struct{ *net.TCPConn }

// ReadFrom implements io.ReaderFrom; the transport calls it with the body of a request, limited to its length (net/http, transferWriter.writeBody).
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(*body); ok && limited.N == body.left() {
			n, err := body.WriteTo(c.TCPConn)
			limited.N -= n
			return n, err
		}
	}
	return c.TCPConn.ReadFrom(r)
}
