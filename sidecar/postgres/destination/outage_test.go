package destination

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

// TestServerKilledInALoad: what was committed stays, nothing of the load under way does, and the next attempt is whole.
func TestServerKilledInALoad(t *testing.T) {
	t.Parallel()
	for _, mode := range []sidecar.Mode{sidecar.Append, sidecar.ReplaceWhole, sidecar.ReplaceFirst} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			server := postgrestest.Start(t)
			r := begin(t, server.DSN(), nil, nil, table("orders", properties(idAndV)))
			must(t, r.commit(0, sidecar.Append, r.state(0, 1, `1`), `{"id":1,"v":"old"}`))
			given := sidecartest.LiveRows(idRows(10, 5000, "new")...)
			load := sidecar.Load{Table: r.tables[0], Mode: mode, Rows: given,
				States: func() []sidecar.SavedState { return []sidecar.SavedState{r.state(0, 2, `2`)} }}
			failed := make(chan error, 1)
			go func() { failed <- r.Load(within(t), load) }()
			if !given.AwaitHunger(within(t)) {
				t.Fatal("nobody reads the rows")
			}
			server.Kill(t) // and no more rows come: the load hears of it all the same
			refusal := sidecar.AsLoadError(<-failed)
			if refusal == nil || refusal.Permanent || !refusal.Environment {
				t.Errorf("got %+v", refusal)
			}
			if err := r.Load(within(t), load); sidecar.AsLoadError(err) == nil || !strings.Contains(err.Error(), "is the server up") {
				t.Errorf("without a server: %v", err)
			}
			server.Restart(t)
			equalLines(t, "rows", postgrestest.Query(t, server.DSN(), `select count(*), max(v) from orders`), "1|old")
			equalLines(t, "state", postgrestest.Query(t, server.DSN(), `select state from sync_sidecar.destination_state`), "1")
			given.Finish()
			must(t, r.Load(within(t), load))
			must(t, finish(r))
			want := "4990|new|new"
			if mode == sidecar.Append {
				want = "4991|new|old"
			}
			equalLines(t, "rows", postgrestest.Query(t, server.DSN(), `select count(*), min(v), max(v) from orders`), want)
		})
	}
}

// TestDiskFull: a load that fills the disk can be given again once there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	folder := smallDisk(t, server)
	postgrestest.Exec(t, server.DSN(), `create tablespace small location `+literal(folder))
	postgrestest.Exec(t, server.DSN(), `create table orders (id bigint, v text) tablespace small`)
	r := begin(t, server.DSN(), nil, nil, table("orders", properties(idAndV)))
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"old"}`))
	rows := idRows(10, 100_000, strings.Repeat("x", 200))
	err := r.load(0, sidecar.ReplaceWhole, rows...)
	refusal := sidecar.AsLoadError(err)
	if refusal == nil || refusal.Permanent || !strings.Contains(err.Error(), "No space left on device (SQLSTATE 53100) (the server's disk is full") {
		t.Fatalf("got %v", err)
	}
	equalLines(t, "rows", postgrestest.Query(t, server.DSN(), `select id, v from orders`), "1|old")
	postgrestest.Exec(t, server.DSN(), `alter table orders set tablespace pg_default`)
	must(t, r.load(0, sidecar.ReplaceWhole, rows...))
	equalLines(t, "rows", postgrestest.Query(t, server.DSN(), `select count(*) from orders`), "99990")
}

// smallDisk is a folder with room for little, which belongs to the server's user. Where nothing can be mounted the test is skipped.
func smallDisk(t *testing.T, server *postgrestest.Server) string {
	t.Helper()
	data := postgrestest.Query(t, server.DSN(), `show data_directory`)[0]
	folder := t.TempDir()
	owner, err := exec.CommandContext(t.Context(), "stat", "-c", "%u", data).Output()
	must(t, err)
	options := "size=12m,mode=0700,uid=" + strings.TrimSpace(string(owner))
	if output, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("mount a small disk: %s", output)
	}
	t.Cleanup(func() {
		if output, err := exec.Command("umount", "-l", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", output)
		}
	})
	if output, err := exec.CommandContext(t.Context(), "chmod", "a+x", strings.TrimSuffix(folder, "/001"), folder).CombinedOutput(); err != nil {
		t.Fatalf("chmod: %s", output)
	}
	return folder
}

// TestStalledServer: a server that takes no rows, or does not commit them, ends the load in time.
func TestStalledServer(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	r := begin(t, server.DSN(), func(o *Options) { o.LoadTimeout = 2 * time.Second }, nil, table("orders", properties(idAndV), "id"))
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"old"}`))
	release := hold(t, server.DSN(), "update orders set v = 'mine'")
	err := r.load(0, sidecar.Append, `{"id":1,"v":"new"}`)
	release()
	refusal := sidecar.AsLoadError(err)
	if refusal == nil || refusal.Permanent || !strings.Contains(err.Error(), "not committed within 2s of the last row (LOAD_TIMEOUT)") {
		t.Errorf("got %v", err)
	}
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"newer"}`))
	equalLines(t, "rows", postgrestest.Query(t, server.DSN(), `select id, v from orders`), "1|newer")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		play func(*watch)
		ends time.Duration // 0 is never
	}{
		"rows come slowly": {func(w *watch) { w.rest() }, 0},
		"the server is slow": {func(w *watch) {
			w.rows()
			time.Sleep(9 * time.Minute)
			w.rest()
			w.rows()
			time.Sleep(9 * time.Minute)
			w.rest()
		}, 0},
		"the server is stuck":   {func(w *watch) { w.rows() }, stallLimit},
		"the commit is slow":    {func(w *watch) { w.rows(); w.rest(); w.end() }, time.Hour},
		"another load follows":  {func(w *watch) { w.end(); w.rest() }, 0},
		"the load came through": {func(w *watch) { w.end(); w.stop() }, time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, w := newWatch(t.Context(), time.Hour)
				defer w.stop()
				c.play(w)
				began := time.Now()
				select {
				case <-ctx.Done():
					if took := time.Since(began); took != c.ends && c.ends != time.Nanosecond {
						t.Errorf("ended after %v: %v", took, context.Cause(ctx))
					}
				case <-time.After(24 * time.Hour):
					if c.ends != 0 {
						t.Error("did not end")
					}
				}
			})
		})
	}
}

// TestCancelledCommit is of a context that ends: the error is its cause, whatever the driver says.
func TestCancelledCommit(t *testing.T) {
	t.Parallel()
	r := begin(t, postgrestest.Database(t), nil, nil, table("orders", properties(idAndV)))
	cause := errors.New("the session ended")
	ctx, cancel := context.WithCancelCause(within(t))
	given := sidecartest.LiveRows(`{"id":1,"v":"a"}`)
	ended := make(chan error, 1)
	go func() { ended <- r.Load(ctx, sidecar.Load{Table: r.tables[0], Rows: given}) }()
	given.AwaitHunger(within(t))
	cancel(cause)
	if err := <-ended; !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	must(t, r.load(0, sidecar.Append, `{"id":2,"v":"b"}`))
	equalLines(t, "rows", postgrestest.Query(t, r.url, `select id from orders`), "2")
}

// TestPrimaryBecomesStandby: the connections to a server that takes no more writes are given up, and the next attempt finds the one that does.
func TestPrimaryBecomesStandby(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	database := postgrestest.Query(t, url, `select current_database()`)[0]
	r := begin(t, url, nil, nil, table("orders", properties(idAndV)))
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"a"}`))
	readOnly := func(on string) {
		postgrestest.Exec(t, url, `begin read write; alter database `+database+` set default_transaction_read_only = `+on+`; commit`)
	}
	readOnly("on") // for connections from now on
	r.reconnect()
	err := r.load(0, sidecar.Append, `{"id":2,"v":"a"}`)
	refusal := sidecar.AsLoadError(err)
	if refusal == nil || refusal.Permanent || !refusal.Environment || !strings.Contains(err.Error(), "name the primary") {
		t.Errorf("got %v", err)
	}
	readOnly("off")
	must(t, r.load(0, sidecar.Append, `{"id":2,"v":"a"}`))
	equalLines(t, "rows", postgrestest.Query(t, url, `select id from orders order by id`), "1", "2")
}
