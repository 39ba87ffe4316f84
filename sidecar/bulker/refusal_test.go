package bulker_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

// refused returns the LoadError of a load that must have failed.
func refused(t *testing.T, err error) *sidecar.LoadError {
	t.Helper()
	var e *sidecar.LoadError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a LoadError", err)
	}
	return e
}

// TestRefusals is the table of what may be sent again, by what Bulker says.
func TestRefusals(t *testing.T) {
	t.Parallel()
	type kind struct{ permanent, environment, unknown bool }
	for name, c := range map[string]struct {
		fault bulkertest.Fault
		want  kind
		says  string
	}{
		"500":                   {bulkertest.Fault{Status: 500, Error: "boom"}, kind{}, "status 500: boom"},
		"503 at the end":        {bulkertest.Fault{Status: 503, Error: "x", Moment: bulkertest.AtEnd}, kind{unknown: true}, "status 503"},
		"panic at the end":      {bulkertest.Fault{Status: 500, Moment: bulkertest.AtEnd}, kind{unknown: true}, "without a text"},
		"gateway timeout":       {bulkertest.Fault{Status: 504, Body: "<html>late", Moment: bulkertest.AtEnd}, kind{unknown: true}, "<html>late"},
		"bad gateway, headers":  {bulkertest.Fault{Status: 502, Body: "nobody there"}, kind{}, "nobody there"},
		"429":                   {bulkertest.Fault{Status: 429, Error: "slow down"}, kind{}, "slow down"},
		"408":                   {bulkertest.Fault{Status: 408}, kind{}, "408"},
		"403 of a proxy":        {bulkertest.Fault{Status: 403, Body: "go away"}, kind{permanent: true, environment: true}, "BULKER_AUTH_TOKEN"},
		"413 of a proxy":        {bulkertest.Fault{Status: 413, Body: "too large"}, kind{permanent: true}, "limits the size"},
		"redirect":              {bulkertest.Fault{Status: 307}, kind{permanent: true, environment: true}, "BULKER_URL"},
		"400 of a proxy":        {bulkertest.Fault{Status: 400, Body: "bad request"}, kind{}, "bad request"},
		"scanner":               {bulkertest.Fault{Status: 400, Error: "scanner error: read tcp: i/o timeout"}, kind{}, "i/o timeout"},
		"consume":               {bulkertest.Fault{Status: 400, Error: "stream consume error: connection refused"}, kind{}, "connection refused"},
		"complete":              {bulkertest.Fault{Status: 400, Error: "stream complete error: x", Moment: bulkertest.AtEnd}, kind{unknown: true}, "x"},
		"create":                {bulkertest.Fault{Status: 500, Error: "error# x1: create stream error"}, kind{}, "create stream"},
		"masked create as 400":  {bulkertest.Fault{Status: 400, Error: "error# x1: create stream error"}, kind{}, "create stream"},
		"too long":              {bulkertest.Fault{Status: 400, Error: "scanner error: bufio.Scanner: token too long"}, kind{permanent: true}, "too long"},
		"unmarshal":             {bulkertest.Fault{Status: 400, Error: "unmarhsal error: invalid"}, kind{permanent: true}, "unmarhsal"},
		"aborted":               {bulkertest.Fault{Status: 400, Error: "aborted: ABORT"}, kind{permanent: true}, "aborted"},
		"missing parameter":     {bulkertest.Fault{Status: 400, Error: "missing required parameter: x"}, kind{permanent: true}, "missing"},
		"unknown text":          {bulkertest.Fault{Status: 400, Error: "something new"}, kind{permanent: true}, "something new"},
		"cut at headers":        {bulkertest.Fault{}, kind{environment: true}, ""},
		"cut, not committed":    {bulkertest.Fault{Moment: bulkertest.AtEnd}, kind{environment: true, unknown: true}, "after the last row"},
		"cut, committed":        {bulkertest.Fault{Moment: bulkertest.AtEnd, Commit: true}, kind{environment: true, unknown: true}, "after the last row"},
		"not Bulker":            {bulkertest.Fault{Status: 201, Body: "hello"}, kind{environment: true}, "201"},
		"405 of a proxy":        {bulkertest.Fault{Status: 405, Body: "no POST"}, kind{permanent: true}, "no POST"},
		"431 of a proxy":        {bulkertest.Fault{Status: 431}, kind{permanent: true}, "431"},
		"404 of a proxy":        {bulkertest.Fault{Status: 404, Body: "default backend"}, kind{environment: true}, "path in BULKER_URL"},
		"schema":                {bulkertest.Fault{Status: 400, Error: "schema unmarshal error: x"}, kind{permanent: true}, "schema unmarshal"},
		"502 in JSON":           {bulkertest.Fault{Status: 502, Error: "bad gateway", Moment: bulkertest.AtEnd}, kind{unknown: true}, "bad gateway"},
		"503 of a mesh":         {bulkertest.Fault{Status: 503, Body: `{"message":"no healthy upstream"}`}, kind{}, "no healthy upstream"},
		"committed, then a 500": {bulkertest.Fault{Moment: bulkertest.AtEnd, Commit: true, Status: 500}, kind{unknown: true}, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{c.fault}})
			client := client(t, server.URL, nil)
			rows := numbered(1)
			e := refused(t, client.Load(t.Context(), load(sidecar.Append, rows)))
			// A body this small is on its way before the answer to its headers: whether it counts as sent is a matter of luck there.
			if c.fault.Moment == "" {
				c.want.unknown = e.Unknown
			}
			if got := (kind{e.Permanent, e.Environment, e.Unknown}); got != c.want {
				t.Errorf("%+v, want %+v (%v)", got, c.want, e)
			}
			if !strings.Contains(e.Error(), c.says) {
				t.Errorf("%q does not say %q", e, c.says)
			}
			var want int64
			if c.fault.Commit {
				want = 1
			}
			count(t, server, want)
			if rows.opened.Load() != 1 || rows.closed.Load() != 1 {
				t.Errorf("rows were opened %d times and closed %d times", rows.opened.Load(), rows.closed.Load())
			}
			if err := client.Load(t.Context(), load(sidecar.Append, rows)); err != nil {
				t.Errorf("sent again: %v", err)
			}
			count(t, server, 1) // the key makes it one row, whatever was committed before
		})
	}
}

// TestRejectedRows sends what the server itself refuses.
func TestRejectedRows(t *testing.T) {
	t.Parallel()
	row := func(bytes int) string {
		return `{"id":1,"a":"` + strings.Repeat("x", bytes-len(`{"id":1,"a":""}`)) + `"}`
	}
	const limit = 1_048_575
	for name, c := range map[string]struct {
		rows []string
		says string
	}{
		"blank line":     {[]string{`{"id":1}`, ``}, "unmarhsal error"},
		"not an object":  {[]string{`[1]`}, "unmarhsal error"},
		"abort":          {[]string{`{"id":1}`, `ABORT with error: x`}, "aborted: ABORT with error: x"},
		"one byte over":  {[]string{row(limit + 1)}, "token too long"},
		"over, not last": {[]string{row(limit + 1), `{"id":1}`}, "token too long"},
		"NaN":            {[]string{`{"a":NaN}`}, "unmarhsal error"},
		"the longest":    {[]string{row(limit)}, ""},
		"two of them":    {[]string{row(limit), row(limit)}, ""},
		"one byte less":  {[]string{row(limit - 1)}, ""},
		"null, a panic":  {[]string{`null`}, "status 500 without a text"},
		"two in one row": {[]string{`{"a":1}{"a":2}`}, "unmarhsal error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, bulkertest.Options{})
			c1 := client(t, server.URL, nil)
			rows := whole(c.rows...)
			err := c1.Load(t.Context(), load(sidecar.Append, rows))
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := c1.Capabilities().RowBytes; got != limit {
					t.Errorf("the limit is said to be %d bytes, but %d pass and one more does not", got, limit)
				}
				return
			}
			if e := refused(t, err); !strings.Contains(e.Error(), c.says) || e.Permanent != (name != "null, a panic") {
				t.Errorf("%+v", e)
			}
			count(t, server, 0)
		})
	}
}

// TestMissingDestination gives a destination that may be new the time in which Bulker reads its configuration again, and no more.
func TestMissingDestination(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Destinations: []string{"other"}})
	c := client(t, server.URL, func(o *bulker.Options) { o.SettleFor = 50 * time.Millisecond })
	e := refused(t, c.Load(t.Context(), load(sidecar.Append, numbered(1))))
	if e.Permanent || !e.Environment || e.Unknown || !strings.Contains(e.Error(), "SYNC_ID") {
		t.Errorf("at first: %+v", e)
	}
	eventually(t, "it is given up", func() bool {
		return refused(t, c.Load(t.Context(), load(sidecar.Append, numbered(1)))).Permanent
	})
}

// TestWrongAnswers are answers with status 200 that acknowledge nothing.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]sidecar.LoadError{
		`<html>welcome</html>`: {Environment: true, Unknown: true, Message: "is not Bulker"},
		``:                     {Environment: true, Unknown: true, Message: "is not Bulker"},
		`{"message":"fine"}`:   {Environment: true, Unknown: true, Message: "is not Bulker"},
		`{"error":"what?"}`:    {Environment: true, Unknown: true, Message: "is not Bulker"},
		`{"message":"ok"}`:     {Message: "got none of the 2 rows"},
		`{"message":"ok","state":{"status":"COMPLETED","processedRows":1}}`:          {Unknown: true, Message: "counted 1 rows"},
		`{"message":"ok","state":{"status":"COMPLETED"}}`:                            {Unknown: true, Message: "counted 0 rows"},
		`{"message":"ok","state":{"status":"FAILED","processedRows":2,"error":"x"}}`: {Unknown: true, Message: `as "FAILED": x`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, body)
		}))
		e := refused(t, client(t, server.URL, nil).Load(t.Context(), load(sidecar.Append, numbered(2))))
		server.Close()
		if e.Permanent != want.Permanent || e.Environment != want.Environment || e.Unknown != want.Unknown || !strings.Contains(e.Message, want.Message) {
			t.Errorf("%s: %+v", body, e)
		}
	}
}
