// Package bulker delivers rows to a Bulker server over HTTP: loads to `/bulk`, log lines to `/post`.
//
// The contract is that of jitsucom/bulker's bulkerapp/app/router.go (commit c5548cf), which documents neither path. What matters here:
//   - A load is one request, NDJSON. Nothing is committed before its end; a body that breaks off is aborted by Bulker.
//   - The answer comes after the warehouse has merged the rows; only `200` with `state.status` COMPLETED and every row counted is an
//     acknowledgement. Bulker commits also when nobody waits for the answer any more.
//   - An empty body is answered `200` without a state and changes nothing: a table cannot be emptied over HTTP.
//   - The status code does not tell whether another attempt can help: the type of the error, at the beginning of its text, does, and the SQLSTATE at
//     its end.
//   - An error after the last row may stand for a commit: `failed to commit` comes also when it happened.
package bulker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"sync-sidecar/sidecar"
)

const (
	// maxRow is the longest line that Bulker's scanner takes, without the line feed (measured; its buffer ends at 1 MiB).
	maxRow = 1<<20 - 1
	// dialTimeout bounds each phase before the first byte of a request.
	dialTimeout = 10 * time.Second
	// keepAlive is how often a silent connection is probed.
	keepAlive = 30 * time.Second
	// writeBuffer is what goes to the socket at once of rows that do not come in blocks of their own: a write per row costs ten times the CPU. The
	// connection itself needs no such buffer, which each load would have to get anew.
	writeBuffer = 256 << 10
	// noReuse gives each load a connection of its own: a load on one that Bulker happens to close, because it was idle, would fail for nothing. The
	// header `Connection: close` would do that, too, but with it Go's server resets the connection right after an early answer, which is lost then.
	// Without it such an answer comes a little later: the server first takes the rest of the body, or 256 KiB of it (net/http,
	// chunkWriter.writeHeader).
	noReuse = -1
)

// Client is a sidecar.Destination. Loads of different tables may run at once.
type Client struct {
	options  Options
	base     *url.URL
	http     *http.Client
	patience *patience
	layouts  sync.Map // airbyte.StreamDescriptor → layout, by Place
}

var _ sidecar.Destination = (*Client)(nil)

// New checks the options; it does not connect. Errors name the environment variable that is wrong.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	base, err := o.base("SYNC_ID")
	if err != nil {
		return nil, err
	}
	return &Client{options: o, base: base, http: newHTTPClient(noReuse), patience: newPatience(o.SettleFor)}, nil
}

// newHTTPClient makes a client that bounds the time to connect, but not that of a request: a load may take hours. It speaks HTTP/1.1 only, as Bulker
// does. It follows no redirect: a body that is streamed cannot be sent again, and the token is for one host.
func newHTTPClient(idle int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         dial,
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConnsPerHost: idle,
			IdleConnTimeout:     time.Minute, // Bulker closes idle connections after 5 minutes
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Capabilities implements sidecar.Destination. A table cannot be emptied over HTTP.
func (c *Client) Capabilities() sidecar.Capabilities {
	return sidecar.Capabilities{RowBytes: maxRow, LiveFor: c.options.LiveFor, LastWins: c.options.Deduplicate, ReservedKeys: reservedKeys()}
}

// String implements sidecar.Destination.
func (c *Client) String() string {
	return fmt.Sprintf("bulker at %s (destination %s)", c.base.Host, c.options.DestinationID)
}

// Close drops idle connections. Loads that are under way are not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Load implements sidecar.Destination: one request to /bulk. A load that may still grow is sent chunked while it grows. Every refusal is a
// *sidecar.LoadError; an error of the rows themselves (sidecar.ErrLoadAborted, a spool that cannot be read) is returned wrapped, after the
// body was broken off so that Bulker drops it.
func (c *Client) Load(ctx context.Context, load sidecar.Load) error {
	complete := load.Rows.Complete()
	if complete && load.Rows.Count() == 0 {
		if load.Mode == sidecar.Append {
			return nil
		}
		return emptyError(c.layoutOf(load.Table).name)
	}
	request, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, err := openBody(request, load.Rows, complete, newDeadline(cancel, c.options))
	if err != nil {
		return fmt.Errorf("rows of table %s: %w", c.layoutOf(load.Table).name, err)
	}
	answer, err := c.send(request, load, body)
	// The rows are released as soon as Load returns: nobody may read them any more, not even a transport that is still writing.
	cancel(nil)
	closeErr := body.shut()
	if err != nil {
		return c.lost(ctx, request, load, body, err)
	}
	if err := c.classify(answer, load, body.finished()); err != nil {
		return err
	}
	if closeErr != nil {
		return fmt.Errorf("rows of table %s were loaded, but not closed: %w", c.layoutOf(load.Table).name, closeErr)
	}
	return nil
}

// send makes the request and reads its answer, which may come before the body has ended.
func (c *Client) send(ctx context.Context, load sidecar.Load, body *body) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.loadURL(load), nil)
	if err != nil {
		return answer{}, err
	}
	request.Body, request.ContentLength = body, body.length
	request.Header.Set("Content-Type", "application/x-ndjson")
	if schema := c.layoutOf(load.Table).schema; schema != "" {
		request.Header.Set("X-Jitsu-Schema", schema)
	}
	authorize(request, c.options.Token)
	body.deadline.begin()
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	return readAnswer(response, c.options.Token)
}

// loadURL is the address of a load. Bulker names a temporary file by the jobId, so it is kept to what a file name takes.
func (c *Client) loadURL(load sidecar.Load) string {
	mode := "batch"
	if load.Mode != sidecar.Append {
		mode = "replace_table"
	}
	layout := c.layoutOf(load.Table)
	query := url.Values{"mode": {mode}, "tableName": {layout.name}}
	if c.options.TaskID != "" {
		query.Set("taskId", c.options.TaskID)
	}
	job := strings.Join([]string{c.options.SyncID, c.options.TaskID, layout.name}, "_")
	job = regexp.MustCompile(`[^A-Za-z0-9_.-]`).ReplaceAllString(job, "_")
	query.Set("jobId", job[:min(len(job), 150)])
	if c.options.Deduplicate {
		query["pk"] = layout.key
	}
	address := c.base.JoinPath("bulk", c.options.DestinationID)
	address.RawQuery = query.Encode()
	return address.String()
}

// lost tells why there was no answer.
func (c *Client) lost(ctx, request context.Context, load sidecar.Load, body *body, err error) error {
	finished := body.finished()
	if cause := context.Cause(ctx); cause != nil {
		return &sidecar.LoadError{Unknown: finished, Message: fmt.Sprintf("load of table %s was interrupted", c.layoutOf(load.Table).name), Cause: cause}
	}
	if failure := body.failure(); failure != nil {
		return fmt.Errorf("load of table %s was broken off: %w", c.layoutOf(load.Table).name, failure)
	}
	var expired *expiredError
	if errors.As(context.Cause(request), &expired) {
		err = expired
	}
	e := &sidecar.LoadError{Permanent: hopeless(err), Environment: true, Unknown: finished, Cause: plain(err, c.options.Token)}
	switch {
	case finished:
		e.Message = fmt.Sprintf("no answer from %s after the last row of table %s", c, c.layoutOf(load.Table).name)
	case body.begun():
		e.Message = fmt.Sprintf("the connection to %s broke while rows of table %s were sent", c, c.layoutOf(load.Table).name)
	default:
		e.Message = c.unreached()
	}
	return e
}

// unreached says what a failed connection means before anything was sent.
func (c *Client) unreached() string {
	return fmt.Sprintf("cannot reach %s: check BULKER_URL and that Bulker runs", c)
}

// hopeless says that a connection fails in the same way every time: the other side speaks no TLS, or shows a certificate that is not trusted.
func hopeless(err error) bool {
	certificate := (*tls.CertificateVerificationError)(nil)
	return errors.As(err, &certificate) || errors.Is(err, http.ErrSchemeMismatch)
}

// plain strips what net/http puts around an error: the method and the whole URL, and the ports of a connection that was there.
func plain(err error, token string) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var socket *net.OpError
	for errors.As(err, &socket) && socket.Op != "dial" {
		err = socket.Err
	}
	if text := err.Error(); redact(text, token) != text {
		return errors.New(redact(text, token))
	}
	return err
}

// authorize adds the token.
func authorize(request *http.Request, token string) {
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
}
