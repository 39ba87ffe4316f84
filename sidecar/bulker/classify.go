package bulker

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sync-sidecar/sidecar"
)

// outlook says what becomes of the same rows when they are sent again.
type outlook int

const (
	mayPass     outlook = iota // they may be taken later: the loader's patience decides
	soonOrNever                // they may be taken within seconds, else never
	cannotPass                 // they will be refused again
)

// errorKind is a type that Bulker puts before its errors, as "<type>: <text>" (bulkerapp/app/router.go).
type errorKind struct {
	prefix    string
	outlook   outlook // when the warehouse says no more
	warehouse bool    // the text is the warehouse's, or its driver's
}

// completeError is the only error of Bulker's that comes after the last row.
const completeError = "stream complete error"

// errorKinds are all types of errors of /bulk; of two that begin alike the longer one goes first. "unmarhsal" is how Bulker writes it.
func errorKinds() []errorKind {
	return []errorKind{
		{prefix: "scanner error: bufio.Scanner: token too long", outlook: cannotPass},
		{prefix: "scanner error", outlook: mayPass}, // a read timeout, a broken connection
		{prefix: "unmarhsal error", outlook: cannotPass},
		{prefix: "schema unmarshal error", outlook: cannotPass},
		{prefix: "aborted", outlook: cannotPass},
		{prefix: "missing required parameter", outlook: cannotPass},
		{prefix: "create stream error", outlook: mayPass}, // what the warehouse said stays in Bulker's log
		{prefix: "stream consume error", outlook: mayPass, warehouse: true},
		{prefix: completeError, outlook: mayPass, warehouse: true},
	}
}

// kindOf is the type of an error of Bulker's; none when it is not known.
func kindOf(failure string) (errorKind, bool) {
	failure = unmasked(failure)
	for _, kind := range errorKinds() {
		if strings.HasPrefix(failure, kind.prefix) {
			return kind, true
		}
	}
	return errorKind{}, false
}

// unmasked removes the number that Bulker puts before errors it hides: `error# <id>: <type>`.
func unmasked(failure string) string {
	if rest, masked := strings.CutPrefix(failure, "error# "); masked {
		if _, kind, found := strings.Cut(rest, ": "); found {
			return kind
		}
	}
	return failure
}

// outlookOf classifies an error of Bulker's and says what a person can do. One of a type that is not known is about the request itself.
func outlookOf(failure string) (outlook, string) {
	kind, known := kindOf(failure)
	switch {
	case !known:
		return cannotPass, ""
	case !kind.warehouse:
		return kind.outlook, ""
	}
	if state, found := sqlStateOf(failure); found {
		return state.outlook, state.explain(failure)
	}
	for _, e := range driverErrors() {
		if strings.Contains(failure, e.contains) {
			return cannotPass, e.advice
		}
	}
	return kind.outlook, ""
}

// classify says whether an answer acknowledges a load. finished says whether Bulker can have seen the end of the rows.
func (c *Client) classify(a answer, load sidecar.Load, finished bool) error {
	if a.status < 200 || a.status > 299 {
		return c.refusal(a, c.layoutOf(load.Table).name, finished)
	}
	c.patience.forget(destinationKey, tableKey(c.layoutOf(load.Table).name))
	rows := load.Rows.Count()
	switch {
	case a.status != http.StatusOK, !a.ok:
		return &sidecar.LoadError{Environment: true, Unknown: finished,
			Message: fmt.Sprintf("what answers as %s is not Bulker (%s): check BULKER_URL", c, a)}
	case !finished:
		return &sidecar.LoadError{Unknown: true,
			Message: fmt.Sprintf("%s answered the load of table %s before its last row", c, c.layoutOf(load.Table).name)}
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

// refusal makes an error of an answer that says no.
func (c *Client) refusal(a answer, table string, finished bool) *sidecar.LoadError {
	if a.status != http.StatusNotFound {
		c.patience.forget(destinationKey)
	}
	e := &sidecar.LoadError{Unknown: mayBeCommitted(a, finished), Message: fmt.Sprintf("%s refused the load of table %s: %s", c, table, a)}
	switch {
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusProxyAuthRequired:
		e.Permanent, e.Environment = true, true
		e.Message = fmt.Sprintf("%s did not let us in (%s): check BULKER_AUTH_TOKEN", c, a)
	case a.status >= 300 && a.status < 400:
		e.Permanent, e.Environment = true, true
		e.Message = fmt.Sprintf("%s redirects to %s, which a load cannot follow: set BULKER_URL to where it really is", c, a.location)
	case a.status == http.StatusNotFound:
		// A destination that was just made becomes known when Bulker next reads its configuration.
		e.Permanent, e.Environment = c.patience.over(destinationKey), true
		e.Message = c.unknown(a)
	case a.status == http.StatusRequestEntityTooLarge:
		e.Permanent = true
		e.Message = fmt.Sprintf("something before %s limits the size of requests (%s): raise its limit, or make batches smaller", c, a)
	case a.failure != "" && a.status != http.StatusRequestTimeout && a.status != http.StatusTooManyRequests:
		c.explain(e, a, table)
	case slices.Contains(malformed(), a.status):
		e.Permanent = true
	}
	return e
}

// explain adds what Bulker's own words mean: whether another attempt can help, and what a person can do.
func (c *Client) explain(e *sidecar.LoadError, a answer, table string) {
	outlook, advice := outlookOf(a.failure)
	if _, known := kindOf(a.failure); !known && a.status >= 500 {
		outlook = mayPass // something before Bulker that speaks as it does
	}
	if outlook != soonOrNever {
		c.patience.forget(tableKey(table))
	}
	e.Permanent = outlook == cannotPass || outlook == soonOrNever && c.patience.over(tableKey(table))
	if advice != "" {
		e.Message += "; " + advice
	}
}

// unknown says what a 404 means: Bulker names the destination, whatever else answers does not know the path.
func (c *Client) unknown(a answer) string {
	if strings.HasPrefix(a.failure, destinationNotFound) {
		return fmt.Sprintf("%s does not know the destination (%s): check that SYNC_ID is a connection there, and BULKER_URL", c, a)
	}
	return fmt.Sprintf("there is no Bulker where %s should be (%s): check the path in BULKER_URL", c, a)
}

// destinationNotFound is how Bulker begins to say that a destination is not in its configuration.
const destinationNotFound = "destination not found"

// malformed are the answers of servers before Bulker that are about the form of the request, which is always the same.
func malformed() []int {
	return []int{http.StatusMethodNotAllowed, http.StatusLengthRequired, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType,
		http.StatusRequestHeaderFieldsTooLarge}
}
