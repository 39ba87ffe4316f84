package bulker_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

// reply is what a server says to one of the two questions of Ready.
type reply struct {
	status int
	body   string
}

// The kinds of answers of Ready.
const (
	kindReady     = "ready"
	kindHint      = "may pass, and is a hint only"
	kindWait      = "may pass"
	kindPermanent = "will not pass"
)

// kindOfReady is what a caller makes of an error of Ready.
func kindOfReady(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return kindReady
	}
	e := refused(t, err)
	switch {
	case !e.Environment || e.Unknown:
		t.Errorf("not an error of the environment: %+v", e)
	case e.Permanent && errors.Is(err, bulker.ErrNotReady):
		t.Errorf("both kinds: %+v", e)
	case e.Permanent:
		return kindPermanent
	case errors.Is(err, bulker.ErrNotReady):
		return kindHint
	}
	return kindWait
}

// TestReady tells by what /ready and /post say whether waiting helps.
func TestReady(t *testing.T) {
	t.Parallel()
	const health, kafka = `{"status":"pass"}`, `{"status":"fail","output":"topic manager is outdated: 2026-01-02"}`
	missing := reply{400, `{"error":"missing required parameter: tableName query parameter is required"}`}
	for name, c := range map[string]struct {
		ready, post reply
		want, says  string
	}{
		"fine":                    {reply{200, health}, missing, kindReady, ""},
		"Kafka is away":           {reply{503, kafka}, missing, kindHint, "topic manager is outdated"},
		"a wrong token":           {reply{200, health}, reply{401, `{"error":"Invalid token: x"}`}, kindPermanent, "BULKER_AUTH_TOKEN"},
		"no token, no Kafka":      {reply{503, kafka}, reply{401, `{"error":"Authorization header … is required"}`}, kindPermanent, "TOKEN"},
		"an unknown destination":  {reply{200, health}, reply{404, `{"error":"destination not found: destination not found: d"}`}, kindWait, "SYNC_ID"},
		"unknown, and no Kafka":   {reply{503, kafka}, reply{404, `{"error":"destination not found: destination not found: d"}`}, kindWait, "SYNC_ID"},
		"a proxy without Bulker":  {reply{503, "no server"}, reply{503, "no server"}, kindWait, "no server"},
		"a proxy that gives up":   {reply{504, "<html>"}, reply{504, "<html>"}, kindWait, "504"},
		"a proxy for /bulk alone": {reply{404, "no such page"}, reply{404, "no such page"}, kindReady, ""},
		"a proxy that forbids":    {reply{403, "forbidden"}, reply{403, "forbidden"}, kindReady, ""},
		"a proxy for /ready, too": {reply{503, kafka}, reply{405, "no"}, kindHint, "not ready"},
		"an older Bulker":         {reply{200, ""}, missing, kindReady, ""},
		"an older one, no Kafka":  {reply{503, ""}, missing, kindHint, "status 503 without a text"},
		"a redirect":              {reply{301, ""}, missing, kindPermanent, "redirects to https://elsewhere,"},
		"a strange /post":         {reply{200, health}, reply{500, ""}, kindReady, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				said := c.ready
				if r.URL.Path == "/post/sync-1" && r.Method == http.MethodPost && r.URL.RawQuery == "" {
					said = c.post
				} else if r.URL.Path != "/ready" {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				w.Header().Set("Location", "https://elsewhere/ready?token=x")
				w.WriteHeader(said.status)
				_, _ = w.Write([]byte(said.body))
			}))
			defer server.Close()
			err := client(t, server.URL, nil).Ready(t.Context())
			if got := kindOfReady(t, err); got != c.want {
				t.Errorf("%s, want %s: %v", got, c.want, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
		})
	}
}

// TestReadyAgain polls a Bulker as a caller does: what it did not know a moment ago it may know now, or never.
func TestReadyAgain(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Token: "x", Destinations: []string{"another"}, NotReady: true})
	at := func(destination string) *bulker.Client {
		return client(t, server.URL, func(o *bulker.Options) { o.Token, o.DestinationID, o.SettleFor = "x", destination, 50*time.Millisecond })
	}
	known, unknown := at("another"), at("sync-1")
	if got := kindOfReady(t, known.Ready(t.Context())); got != kindHint {
		t.Error(got)
	}
	server.SetReady(true)
	if err := known.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if got := kindOfReady(t, unknown.Ready(t.Context())); got != kindWait {
		t.Error(got)
	}
	eventually(t, "the destination stays unknown", func() bool { return kindOfReady(t, unknown.Ready(t.Context())) == kindPermanent })
	if commits := server.Commits(); len(commits) != 0 {
		t.Errorf("asking wrote something: %+v", commits)
	}
	if posts, err := server.Posts(); err != nil || len(posts) != 0 {
		t.Errorf("asking wrote something: %+v, %v", posts, err)
	}
}

// TestReadyUnreached tells connections that may come about later from those that cannot.
func TestReadyUnreached(t *testing.T) {
	t.Parallel()
	plain := start(t, bulkertest.Options{})
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	defer encrypted.Close()
	for name, c := range map[string]struct{ url, want, says string }{
		"nobody listens":      {"http://127.0.0.1:1", kindWait, "connection refused"},
		"no such host":        {"http://bulker.invalid:3042", kindWait, "bulker.invalid"},
		"https where http is": {strings.Replace(plain.URL, "http:", "https:", 1), kindPermanent, "HTTP response to HTTPS client"},
		"untrusted":           {encrypted.URL, kindPermanent, "certificate"},
	} {
		for what, do := range map[string]func(c *bulker.Client) error{
			"ready": func(c *bulker.Client) error { return c.Ready(t.Context()) },
			"load":  func(c *bulker.Client) error { return c.Load(t.Context(), load(0, numbered(1))) },
		} {
			err := do(client(t, c.url, nil))
			if got := kindOfReady(t, err); got != c.want || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "BULKER_URL") {
				t.Errorf("%s, %s: %s, want %s: %v", name, what, got, c.want, err)
			}
		}
	}
}

// TestReadyEnds with what the caller waits for: a time that is over is an answer like no connection, a cancelled wait is none.
func TestReadyEnds(t *testing.T) {
	t.Parallel()
	hung := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung }))
	defer server.Close()
	defer close(hung)
	c := client(t, server.URL, nil)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got := kindOfReady(t, c.Ready(short)); got != kindWait {
		t.Error(got)
	}
	errStop := errors.New("stop")
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errStop)
	if err := c.Ready(stopped); !errors.Is(err, errStop) {
		t.Errorf("%v", err)
	}
}
