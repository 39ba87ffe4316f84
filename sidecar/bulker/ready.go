package bulker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sync-sidecar/sidecar"
)

// readyTimeout bounds one look at Bulker.
const readyTimeout = 15 * time.Second

// ErrNotReady is in an error of Ready when Bulker answers, but says that it is not ready. That is a hint, not a verdict: it says so while Kafka is
// away, which a load does not need (bulkerapp/app/router.go, Health). Who has waited long enough goes on as if it were ready.
var ErrNotReady = errors.New("bulker says that it is not ready")

// Ready looks once, for at most 15 seconds, whether Bulker takes loads. It is made for being called again until a deadline, a second or so apart.
// Nil means go on. Otherwise, unless ctx was cancelled, the error is a *sidecar.LoadError with Environment set, and one of three kinds:
//
//   - Permanent: waiting cannot help. The token is wrong, BULKER_URL redirects or speaks TLS wrongly, or Bulker has not known the destination for
//     Options.SettleFor, so that it has read its configuration again meanwhile.
//   - errors.Is(err, ErrNotReady): waiting may help; when there is no time left, go on all the same.
//   - any other: Bulker was not reached, or does not know the destination yet. Waiting may help; when there is no time left, this is the failure.
//
// /ready asks for no token and no destination, so Ready also asks /post about the destination without naming a table: Bulker checks the token first,
// then the destination, and then says that the table is missing (router.go, EventsHandler); nothing is written. A server that answers neither as
// Bulker does counts as ready: a proxy may pass on nothing but /bulk.
func (c *Client) Ready(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	health, err := c.ask(bounded, http.MethodGet, "ready")
	if err != nil {
		return c.unasked(ctx, err)
	}
	if health.status >= 300 && health.status < 400 {
		return c.refusal(health, "", false)
	}
	destination, err := c.ask(bounded, http.MethodPost, "post", c.options.DestinationID)
	if err != nil {
		return c.unasked(ctx, err)
	}
	fromBulker := destination.failure != ""
	switch {
	case fromBulker && destination.status == http.StatusUnauthorized,
		fromBulker && destination.status == http.StatusNotFound && strings.HasPrefix(destination.failure, destinationNotFound):
		return c.refusal(destination, "", false)
	case destination.status != http.StatusNotFound:
		c.patience.forget(destinationKey)
	}
	if health.status < 500 {
		return nil
	}
	e := &sidecar.LoadError{Environment: true, Message: fmt.Sprintf("%s is not ready (%s): look at Bulker's log", c, health)}
	if destination.status < 500 { // else nothing answers but a proxy
		e.Cause = ErrNotReady
	}
	return e
}

// ask makes a request without a body.
func (c *Client) ask(ctx context.Context, method string, path ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path...).String(), nil)
	if err != nil {
		return answer{}, err
	}
	authorize(request, c.options.Token)
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	return readAnswer(response, c.options.Token)
}

// unasked says why there was no answer.
func (c *Client) unasked(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("ask %s whether it is ready: %w", c, cause)
	}
	return &sidecar.LoadError{Permanent: hopeless(err), Environment: true, Message: c.unreached(), Cause: plain(err, c.options.Token)}
}
