package bulker_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

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
			e := refused(t, client(t, server.URL, nil).Load(t.Context(), load(sidecar.ReplaceWhole, rows)))
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
	if err := c.Load(t.Context(), load(sidecar.ReplaceWhole, numbered(7))); err != nil {
		t.Fatal(err)
	}
	rows := live()
	done := make(chan error, 1)
	go func() { done <- c.Load(t.Context(), load(sidecar.ReplaceWhole, rows)) }()
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
		go func() { done <- client(t, server.URL, nil).Load(ctx, load(sidecar.Append, rows)) }()
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
		go func() { done <- client(t, server.URL, nil).Load(ctx, load(sidecar.Append, numbered(1))) }()
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
		e := refused(t, c.Load(t.Context(), load(sidecar.Append, numbered(1))))
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
			e := refused(t, c.Load(t.Context(), load(sidecar.Append, &madeRows{n: 100_000, live: live})))
			if e.Unknown || !e.Environment || !strings.Contains(e.Error(), "took no more rows for 500ms") {
				t.Errorf("live %v: %+v", live, e)
			}
		}
	})
	t.Run("takes the last block in part", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{{Delay: time.Hour, Status: 200}}})
		c := client(t, server.URL, func(o *bulker.Options) { o.StallTimeout, o.RequestTimeout = 500*time.Millisecond, time.Minute })
		rows := newBlockRows(false)
		rows.block, rows.blocks = bytes.Repeat(rows.block, 1024), 1 // more than the sockets hold
		e := refused(t, c.Load(t.Context(), load(sidecar.Append, rows)))
		if e.Unknown || !e.Environment || !strings.Contains(e.Error(), "took no more rows for 500ms") {
			t.Errorf("%+v", e)
		}
	})
	t.Run("a silent source is none of its business", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{})
		const stall = 500 * time.Millisecond
		c := client(t, server.URL, func(o *bulker.Options) { o.StallTimeout = stall })
		rows := live()
		done := make(chan error, 1)
		go func() { done <- c.Load(t.Context(), load(sidecar.Append, rows)) }()
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
	go func() { done <- c.Load(t.Context(), load(sidecar.ReplaceWhole, rows)) }()
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
