package bulker

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"sync-sidecar/sidecar"
)

// readyTimeout bounds the question whether Bulker is there.
const readyTimeout = 15 * time.Second

// Ready asks Bulker whether it can take loads. It tells a wrong BULKER_URL before a source is started; a wrong token cannot be seen here, since
// /ready asks for none. A server without /ready counts as ready: a proxy may pass on nothing but /bulk. The error is a *sidecar.LoadError.
func (c *Client) Ready(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, http.MethodGet, c.base.JoinPath("ready").String(), nil)
	if err != nil {
		return fmt.Errorf("ask %s whether it is ready: %w", c, err)
	}
	authorize(request, c.options.Token)
	response, err := c.http.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("ask %s whether it is ready: %w", c, cause)
		}
		return &sidecar.LoadError{Environment: true, Message: c.unreached(), Cause: plain(err, c.options.Token)}
	}
	a, err := readAnswer(response, c.options.Token)
	if err != nil {
		return &sidecar.LoadError{Environment: true, Message: c.unreached(), Cause: plain(err, c.options.Token)}
	}
	switch {
	case a.status >= 300 && a.status < 400:
		return c.refusal(a, "", false)
	case a.status >= 500:
		return &sidecar.LoadError{Environment: true, Message: fmt.Sprintf("%s is not ready (%s): look at Bulker's log", c, a)}
	}
	return nil
}
