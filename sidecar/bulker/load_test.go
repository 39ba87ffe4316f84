package bulker_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

func load(mode sidecar.LoadMode, rows sidecar.Rows) sidecar.Load {
	return sidecar.Load{Table: sidecar.Table{Name: "orders", PrimaryKey: []string{"id"}}, Mode: mode, Rows: rows}
}

// refused returns the LoadError of a load that must have failed.
func refused(t *testing.T, err error) *sidecar.LoadError {
	t.Helper()
	var e *sidecar.LoadError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a LoadError", err)
	}
	return e
}

func count(t *testing.T, server *bulkertest.Server, want int64) {
	t.Helper()
	got, err := server.Count("orders")
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("the table has %d rows, want %d", got, want)
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		if done() {
			return
		}
	}
	t.Fatalf("%s: not within 10 seconds", what)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Token: "secret"})
	c := client(t, server.URL, func(o *bulker.Options) { o.Token = "secret" })
	plain := numbered(2)
	plain.plain = true
	for _, step := range []struct {
		mode sidecar.LoadMode
		rows sidecar.Rows
		want int64
	}{
		{sidecar.LoadAppend, numbered(10), 10},
		{sidecar.LoadAppend, numbered(12), 12}, // merged by the key
		{sidecar.LoadReplace, numbered(3), 3},
		{sidecar.LoadReplace, plain, 2},
		{sidecar.LoadAppend, whole(), 2}, // nothing is sent
	} {
		if err := c.Load(t.Context(), load(step.mode, step.rows)); err != nil {
			t.Fatal(err)
		}
		count(t, server, step.want)
	}
	if n := len(server.Requests()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

func TestLoadRequest(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL+"/", nil)
	table := sidecar.Table{
		Name: "Bestell/ungen & mehr", PrimaryKey: []string{"a_b", "größe"},
		Fields: []sidecar.Field{{Name: "größe😀", Type: sidecar.Int64}, {Name: "o", Type: sidecar.JSON}},
	}
	rows := live()
	done := make(chan error, 1)
	go func() { done <- c.Load(t.Context(), sidecar.Load{Table: table, Mode: sidecar.LoadAppend, Rows: rows}) }()
	rows.add(`{"a":{"b":1},"größe":2}` + "\n")
	rows.finish()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := c.Load(t.Context(), sidecar.Load{Table: table, Mode: sidecar.LoadReplace, Rows: whole(`{"größe":1}`)}); err != nil {
		t.Fatal(err)
	}
	requests := server.Requests()
	if len(requests) != 2 {
		t.Fatalf("%d requests", len(requests))
	}
	first := requests[0]
	if first.Mode != "batch" || first.ContentLength != -1 || first.Table != table.Name || first.TaskID != "task-1" || first.Destination != "sync-1" {
		t.Errorf("live append: %+v", first)
	}
	if first.JobID != "sync-1_task-1_Bestell_ungen___mehr" {
		t.Errorf("jobId %q: Bulker names a file by it", first.JobID)
	}
	if strings.Join(first.PrimaryKey, ",") != "a_b,größe" {
		t.Errorf("pk %q", first.PrimaryKey)
	}
	if want := `{"name":"Bestell/ungen \u0026 mehr","fields":[{"name":"gr\u00f6\u00dfe\ud83d\ude00","type":2},{"name":"o","type":6}]}`; first.Schema != want {
		t.Errorf("X-Jitsu-Schema\n%s, want\n%s", first.Schema, want)
	}
	if second := requests[1]; second.Mode != "replace_table" || second.ContentLength != int64(len(`{"größe":1}`))+1 {
		t.Errorf("complete replace: %+v", second)
	}
}

func TestLoadWithoutDeduplication(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL, func(o *bulker.Options) { o.Deduplicate = false })
	for range 2 {
		if err := c.Load(t.Context(), load(sidecar.LoadAppend, numbered(2))); err != nil {
			t.Fatal(err)
		}
	}
	count(t, server, 4)
}

func TestEmptyLoad(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL, nil)
	if err := c.Load(t.Context(), load(sidecar.LoadReplace, numbered(5))); err != nil {
		t.Fatal(err)
	}
	empty := live()
	empty.finish()
	for name, rows := range map[string]sidecar.Rows{"complete": whole(), "live": empty} {
		e := refused(t, c.Load(t.Context(), load(sidecar.LoadReplace, rows)))
		if !e.Permanent || !strings.Contains(e.Message, "cannot empty") {
			t.Errorf("%s: %+v", name, e)
		}
		if err := c.Load(t.Context(), load(sidecar.LoadAppend, rows)); err != nil {
			t.Errorf("%s: append of nothing: %v", name, err)
		}
	}
	count(t, server, 5)
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
		"503 at the end":        {bulkertest.Fault{Status: 503, Error: "x", Moment: bulkertest.AtEnd}, kind{}, "status 503"},
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
		"complete":              {bulkertest.Fault{Status: 400, Error: "stream complete error: deadlock", Moment: bulkertest.AtEnd}, kind{}, "deadlock"},
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
		"not Bulker":            {bulkertest.Fault{Status: 201, Body: "hello"}, kind{permanent: false}, "201"},
		"committed, then a 500": {bulkertest.Fault{Moment: bulkertest.AtEnd, Commit: true, Status: 500}, kind{unknown: true}, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{c.fault}})
			client := client(t, server.URL, nil)
			rows := numbered(1)
			e := refused(t, client.Load(t.Context(), load(sidecar.LoadAppend, rows)))
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
			if err := client.Load(t.Context(), load(sidecar.LoadAppend, rows)); err != nil {
				t.Errorf("sent again: %v", err)
			}
			count(t, server, 1) // the key makes it one row, whatever was committed before
		})
	}
}

// TestRejectedRows sends what the server itself refuses.
func TestRejectedRows(t *testing.T) {
	t.Parallel()
	fits := `{"a":"` + strings.Repeat("x", 1<<20-1-len(`{"a":""}`)) + `"}`
	for name, c := range map[string]struct {
		rows []string
		says string
	}{
		"blank line":     {[]string{`{"id":1}`, ``}, "unmarhsal error"},
		"not an object":  {[]string{`[1]`}, "unmarhsal error"},
		"abort":          {[]string{`{"id":1}`, `ABORT with error: x`}, "aborted: ABORT with error: x"},
		"one byte over":  {[]string{strings.Replace(fits, "x", "xx", 1)}, "token too long"},
		"NaN":            {[]string{`{"a":NaN}`}, "unmarhsal error"},
		"the longest":    {[]string{fits}, ""},
		"null, a panic":  {[]string{`null`}, "status 500 without a text"},
		"two in one row": {[]string{`{"a":1}{"a":2}`}, "unmarhsal error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, bulkertest.Options{})
			c1 := client(t, server.URL, nil)
			rows := whole(c.rows...)
			err := c1.Load(t.Context(), load(sidecar.LoadAppend, rows))
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := c1.Limits().RowBytes; got != len(c.rows[0]) {
					t.Errorf("the limit is %d bytes, the longest row had %d", got, len(c.rows[0]))
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

// TestEarlyAnswer wants a refusal to be seen while rows still flow, and nothing more to be read after it.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows func() sidecar.Rows
	}{
		"more rows than fit into buffers": {func() sidecar.Rows { return &madeRows{n: 200_000} }},
		"live, chunked":                   {func() sidecar.Rows { return &madeRows{n: 200_000, live: true} }},
		"live, then silent": {func() sidecar.Rows {
			rows := live()
			rows.add(strings.Repeat(`{"id":1}`+"\n", 50_000)) // more than what Go's server takes before it answers early
			return rows
		}},
		"the server saw the end": {func() sidecar.Rows { return numbered(10) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{
				{Moment: bulkertest.AtRow, Row: 3, Status: 400, Error: "stream consume error: no space left"},
			}})
			rows := c.rows()
			e := refused(t, client(t, server.URL, nil).Load(t.Context(), load(sidecar.LoadReplace, rows)))
			for _, request := range server.Requests() {
				if request.Rows != 3 {
					t.Errorf("the server took %d rows", request.Rows)
				}
			}
			if e.Permanent || e.Environment || e.Unknown || !strings.Contains(e.Message, "no space left") {
				t.Errorf("%+v", e)
			}
			if l, ok := rows.(*liveRows); ok && l.using.Load() != 0 {
				t.Error("the rows are still in use")
			}
			count(t, server, 0)
		})
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL, nil)
	if err := c.Load(t.Context(), load(sidecar.LoadReplace, numbered(7))); err != nil {
		t.Fatal(err)
	}
	rows := live()
	done := make(chan error, 1)
	go func() { done <- c.Load(t.Context(), load(sidecar.LoadReplace, rows)) }()
	rows.add(strings.Repeat(`{"id":1}`+"\n", 1000))
	rows.abort(sidecar.ErrLoadAborted)
	err := <-done
	var e *sidecar.LoadError
	if !errors.Is(err, sidecar.ErrLoadAborted) || errors.As(err, &e) {
		t.Errorf("got %v, want ErrLoadAborted and no LoadError", err)
	}
	eventually(t, "the server gives up the load", func() bool { return len(server.Requests()) == 2 })
	if last := server.Requests()[1]; last.Error != "scanner error: unexpected EOF" {
		t.Errorf("the server saw %+v", last)
	}
	count(t, server, 7)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	errStop := errors.New("stop")
	t.Run("while rows flow", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{})
		ctx, cancel := context.WithCancelCause(t.Context())
		rows := live()
		done := make(chan error, 1)
		go func() { done <- client(t, server.URL, nil).Load(ctx, load(sidecar.LoadAppend, rows)) }()
		rows.add(`{"id":1}` + "\n")
		eventually(t, "the rows are open", func() bool { return rows.using.Load() == 1 })
		cancel(errStop)
		if e := refused(t, <-done); e.Unknown || e.Environment || !errors.Is(e, errStop) {
			t.Errorf("%+v", e)
		}
		if rows.using.Load() != 0 {
			t.Error("the rows are still in use")
		}
		count(t, server, 0)
	})
	t.Run("while Bulker merges", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{
			{Moment: bulkertest.AtEnd, Commit: true, Delay: time.Hour, Status: 200},
		}})
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { done <- client(t, server.URL, nil).Load(ctx, load(sidecar.LoadAppend, numbered(1))) }()
		eventually(t, "it is committed", func() bool { return len(server.Commits()) == 1 })
		cancel(errStop)
		if e := refused(t, <-done); !e.Unknown || !errors.Is(e, errStop) {
			t.Errorf("%+v", e)
		}
	})
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{{Moment: bulkertest.AtEnd, Delay: time.Hour, Status: 200}}})
		c := client(t, server.URL, func(o *bulker.Options) { o.RequestTimeout = 50 * time.Millisecond })
		e := refused(t, c.Load(t.Context(), load(sidecar.LoadAppend, numbered(1))))
		if !e.Unknown || !e.Environment || e.Permanent || !strings.Contains(e.Error(), "did not answer after the last row for 50ms") {
			t.Errorf("%+v", e)
		}
	})
	t.Run("takes no rows", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{{Delay: time.Hour, Status: 200}}})
		c := client(t, server.URL, func(o *bulker.Options) { o.StallTimeout = 500 * time.Millisecond })
		for _, live := range []bool{true, false} {
			server.Inject(bulkertest.Fault{Delay: time.Hour, Status: 200})
			e := refused(t, c.Load(t.Context(), load(sidecar.LoadAppend, &madeRows{n: 100_000, live: live})))
			if e.Unknown || !e.Environment || !strings.Contains(e.Error(), "took no more rows for 500ms") {
				t.Errorf("live %v: %+v", live, e)
			}
		}
	})
	t.Run("a silent source is none of its business", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{})
		const stall = 500 * time.Millisecond
		c := client(t, server.URL, func(o *bulker.Options) { o.StallTimeout = stall })
		rows := live()
		done := make(chan error, 1)
		go func() { done <- c.Load(t.Context(), load(sidecar.LoadAppend, rows)) }()
		rows.add(`{"id":1}` + "\n")
		select {
		case err := <-done:
			t.Fatalf("ended by %v", err)
		case <-time.After(2 * stall):
		}
		rows.finish()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		count(t, server, 1)
	})
}

// TestReadTimeout meets Bulker's limit on a whole request, which a steady flow does not extend.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{ReadTimeout: 200 * time.Millisecond})
	c := client(t, server.URL, nil)
	rows := live()
	done := make(chan error, 1)
	go func() { done <- c.Load(t.Context(), load(sidecar.LoadReplace, rows)) }()
	var err error
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for steady := true; steady; {
		select {
		case err = <-done:
			steady = false
		case <-tick.C:
			rows.add(`{"id":1}` + "\n")
		}
	}
	// Go's server closes the connection right behind this answer: with rows on their way, the reset may overtake it.
	if e := refused(t, err); e.Permanent || e.Unknown {
		t.Errorf("%+v", e)
	}
	if saw := server.Requests()[0].Error; !strings.Contains(saw, "scanner error") || !strings.Contains(saw, "i/o timeout") {
		t.Errorf("the server saw %q", saw)
	}
	count(t, server, 0)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := client(t, "http://user:pass@"+address, nil)
	for name, err := range map[string]error{
		"load":  c.Load(t.Context(), load(sidecar.LoadAppend, numbered(1))),
		"live":  c.Load(t.Context(), load(sidecar.LoadAppend, live())),
		"ready": c.Ready(t.Context()),
	} {
		e := refused(t, err)
		if !e.Environment || e.Permanent || e.Unknown {
			t.Errorf("%s: %+v", name, e)
		}
		for _, want := range []string{"BULKER_URL", address, "connection refused"} {
			if !strings.Contains(e.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, e, want)
			}
		}
		if strings.Contains(e.Error(), "pass") {
			t.Errorf("%s: %q shows the password", name, e)
		}
	}
}

func TestMissingDestination(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Destinations: []string{"other"}})
	c := client(t, server.URL, func(o *bulker.Options) { o.MissingFor = 50 * time.Millisecond })
	e := refused(t, c.Load(t.Context(), load(sidecar.LoadAppend, numbered(1))))
	if e.Permanent || !e.Environment || !strings.Contains(e.Error(), "SYNC_ID") {
		t.Errorf("at first: %+v", e)
	}
	eventually(t, "it is given up", func() bool {
		return refused(t, c.Load(t.Context(), load(sidecar.LoadAppend, numbered(1)))).Permanent
	})
}

func TestReady(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Token: "x"})
	if err := client(t, server.URL, nil).Ready(t.Context()); err != nil {
		t.Error(err)
	}
	for status, want := range map[int]string{404: "", 401: "", 503: "is not ready", 301: "redirects to https://elsewhere"} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere/ready?token=x")
			w.WriteHeader(status)
		}))
		err := client(t, other.URL, nil).Ready(t.Context())
		other.Close()
		switch {
		case want == "" && err != nil:
			t.Errorf("status %d: %v", status, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !refused(t, err).Environment):
			t.Errorf("status %d: %v, want %q", status, err, want)
		}
	}
}

// TestWrongAnswers are answers with status 200 that acknowledge nothing.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]sidecar.LoadError{
		`<html>welcome</html>`: {Environment: true, Unknown: true, Message: "is not Bulker"},
		``:                     {Environment: true, Unknown: true, Message: "is not Bulker"},
		`{"message":"ok"}`:     {Message: "got none of the 2 rows"},
		`{"message":"ok","state":{"status":"COMPLETED","processedRows":1}}`:          {Unknown: true, Message: "counted 1 rows"},
		`{"message":"ok","state":{"status":"COMPLETED"}}`:                            {Unknown: true, Message: "counted 0 rows"},
		`{"message":"ok","state":{"status":"FAILED","processedRows":2,"error":"x"}}`: {Unknown: true, Message: `as "FAILED": x`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, body)
		}))
		e := refused(t, client(t, server.URL, nil).Load(t.Context(), load(sidecar.LoadAppend, numbered(2))))
		server.Close()
		if e.Permanent != want.Permanent || e.Environment != want.Environment || e.Unknown != want.Unknown || !strings.Contains(e.Message, want.Message) {
			t.Errorf("%s: %+v", body, e)
		}
	}
}

func TestTokenStaysSecret(t *testing.T) {
	t.Parallel()
	const secret = `s3cr"et&t/ken`
	server := start(t, bulkertest.Options{Token: "right"})
	c := client(t, server.URL, func(o *bulker.Options) { o.Token = secret })
	sink, err := bulker.NewLogSink(bulker.Options{URL: server.URL, Token: secret, DestinationID: "logs"})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	e := refused(t, c.Load(t.Context(), load(sidecar.LoadAppend, numbered(1))))
	if !e.Permanent || !e.Environment || !strings.Contains(e.Message, "BULKER_AUTH_TOKEN") {
		t.Errorf("%+v", e)
	}
	logged := sink.AppendLogs(t.Context(), []sidecar.LogRecord{{Message: "x"}})
	if logged == nil || !strings.Contains(logged.Error(), "BULKER_AUTH_TOKEN") {
		t.Errorf("log: %v", logged)
	}
	o := bulker.Options{URL: "http://u:pw1@h", Token: secret}
	encoded, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{e.Error(), logged.Error(), c.String(), sink.String(), o.String(), o.GoString(), string(encoded)} {
		for _, part := range []string{"s3cr", "t/ken", "pw1"} {
			if strings.Contains(text, part) {
				t.Errorf("%q shows a secret", text)
			}
		}
	}
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]bulker.Options{
		"BULKER_URL is empty":                     {DestinationID: "d"},
		"BULKER_URL is not a URL":                 {URL: "bulker:3042", DestinationID: "d"},
		`names host ""`:                           {URL: "http://u:secret@%zz", DestinationID: "d"},
		"must not have a query":                   {URL: "http://h/?token=secret", DestinationID: "d"},
		"set SYNC_ID":                             {URL: "http://h"},
		"BULKER_AUTH_TOKEN contains a line break": {URL: "http://h", DestinationID: "d", Token: "secret\n"},
	} {
		if _, err := bulker.New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := bulker.NewLogSink(bulker.Options{URL: "http://h"}); err == nil || !strings.Contains(err.Error(), "LOGS_CONNECTION_ID") {
		t.Errorf("%v", err)
	}
}

func TestManyLoadsAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			l := load(sidecar.LoadReplace, &madeRows{n: 2000, live: i%2 == 0})
			l.Table.Name = "t" + string(rune('a'+i))
			if err := c.Load(t.Context(), l); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if tables := server.Tables(); len(tables) != 20 {
		t.Errorf("tables %q", tables)
	}
}
