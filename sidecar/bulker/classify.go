package bulker

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"sync-sidecar/sidecar"
)

// passing are the beginnings of errors that another attempt may not meet: a read timeout, a broken connection, the warehouse behind Bulker
// (bulkerapp/app/router.go).
var passing = []string{"scanner error", "stream consume error", "stream complete error", "create stream error"}

// lasting are the beginnings of errors that the same rows will meet again. "unmarhsal" is how Bulker writes it. The first one is a
// scanner error too, so these go first.
var lasting = []string{"scanner error: bufio.Scanner: token too long", "unmarhsal error", "aborted", "missing required parameter"}

// judge says whether an answer acknowledges a load. finished says whether Bulker can have seen the end of the rows.
func (c *Client) judge(a answer, load sidecar.Load, finished bool) error {
	if a.status != http.StatusOK {
		return c.refusal(a, c.layoutOf(load.Table).name, finished)
	}
	rows := load.Rows.Count()
	switch {
	case !a.fromHere:
		return &sidecar.LoadError{Environment: true, Unknown: finished,
			Message: fmt.Sprintf("what answers as %s is not Bulker (%s): check BULKER_URL", c, a)}
	case !finished:
		return &sidecar.LoadError{Unknown: true, Message: fmt.Sprintf("%s answered the load of table %s before its last row", c, c.layoutOf(load.Table).name)}
	case a.state == nil && rows == 0 && load.Mode == sidecar.Append:
		return nil
	case a.state == nil && rows == 0:
		return emptyError(c.layoutOf(load.Table).name)
	case a.state == nil:
		return &sidecar.LoadError{Message: fmt.Sprintf("%s got none of the %d rows of table %s: does a proxy drop request bodies?",
			c, rows, c.layoutOf(load.Table).name)}
	case a.state.Status != "COMPLETED":
		return &sidecar.LoadError{Unknown: true, Message: fmt.Sprintf("%s ended the load of table %s as %q: %s",
			c, c.layoutOf(load.Table).name, a.state.Status, words(fmt.Sprint(a.state.Error), c.options.Token))}
	case a.state.ProcessedRows != rows:
		return &sidecar.LoadError{Unknown: true, Message: fmt.Sprintf("%s counted %d rows for table %s, but %d were sent",
			c, a.state.ProcessedRows, c.layoutOf(load.Table).name, rows)}
	}
	return nil
}

// emptyError says what an empty full refresh means: Bulker answers an empty body without touching the table (router.go).
func emptyError(table string) error {
	return &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("table %s keeps its rows: the load is empty, and Bulker cannot empty a table "+
		"over HTTP (delete its rows in the warehouse)", table)}
}

// refusal makes an error of an answer other than 200.
func (c *Client) refusal(a answer, table string, finished bool) error {
	e := &sidecar.LoadError{Message: fmt.Sprintf("%s refused the load of table %s: %s", c, table, a)}
	switch {
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusProxyAuthRequired:
		e.Permanent, e.Environment = true, true
		e.Message = fmt.Sprintf("%s did not let us in (%s): check BULKER_AUTH_TOKEN", c, a)
	case a.status >= 300 && a.status < 400:
		e.Permanent, e.Environment = true, true
		e.Message = fmt.Sprintf("%s redirects to %s, which a load cannot follow: set BULKER_URL to where it really is", c, a.location)
	case a.status == http.StatusNotFound:
		e.Environment, e.Permanent = true, c.missing.tooLong()
		e.Message = fmt.Sprintf("%s does not know the destination (%s): check that SYNC_ID is a connection there, and BULKER_URL", c, a)
	case a.status == http.StatusRequestEntityTooLarge:
		e.Permanent = true
		e.Message = fmt.Sprintf("something before %s limits the size of requests (%s): raise its limit, or make batches smaller", c, a)
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooManyRequests:
	case a.status >= 500:
		// Bulker names its errors; a status alone is a panic, or a proxy that stopped waiting while Bulker goes on.
		e.Unknown = finished && !a.fromHere
	default:
		e.Permanent = a.fromHere && !canPass(a.words)
	}
	return e
}

// canPass classifies an error text of Bulker. One that is not known is about the request itself.
func canPass(text string) bool {
	for _, prefix := range lasting {
		if strings.HasPrefix(text, prefix) {
			return false
		}
	}
	for _, prefix := range passing {
		if strings.HasPrefix(unmasked(text), prefix) {
			return true
		}
	}
	return false
}

// unmasked removes the number that Bulker puts before errors it hides: `error# <id>: <type>`.
func unmasked(text string) string {
	if rest, masked := strings.CutPrefix(text, "error# "); masked {
		if _, kind, found := strings.Cut(rest, ": "); found {
			return kind
		}
	}
	return text
}

// missing remembers since when the destination is unknown. One that was just made becomes known with Bulker's next look at its configuration.
type missing struct {
	patience time.Duration

	mu    sync.Mutex
	since time.Time
}

// seen takes note of every answer.
func (m *missing) seen(a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case a.status != http.StatusNotFound:
		m.since = time.Time{}
	case m.since.IsZero():
		m.since = time.Now()
	}
}

// tooLong says whether the destination has been unknown for too long.
func (m *missing) tooLong() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.since.IsZero() && time.Since(m.since) >= m.patience
}
