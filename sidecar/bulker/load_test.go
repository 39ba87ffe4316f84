package bulker_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

func load(mode sidecar.Mode, rows sidecar.Rows) sidecar.Load {
	return sidecar.Load{Table: sidecar.Table{Name: "orders", PrimaryKey: [][]string{{"id"}}}, Mode: mode, Rows: rows}
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
		mode sidecar.Mode
		rows sidecar.Rows
		want int64
	}{
		{sidecar.Append, numbered(10), 10},
		{sidecar.Append, numbered(12), 12}, // merged by the key
		{sidecar.ReplaceWhole, numbered(3), 3},
		{sidecar.ReplaceWhole, plain, 2},
		{sidecar.Append, whole(), 2}, // nothing is sent
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
		Name: "Bestell/ungen & mehr", PrimaryKey: [][]string{{"a", "b"}, {"größe"}},
		Schema: json.RawMessage(`{"properties":{"größe😀":{"type":"integer"},"o":{"type":"object"}}}`),
	}
	rows := live()
	done := make(chan error, 1)
	go func() { done <- c.Load(t.Context(), sidecar.Load{Table: table, Mode: sidecar.Append, Rows: rows}) }()
	rows.add(`{"a":{"b":1},"größe":2}` + "\n")
	rows.finish()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := c.Load(t.Context(), sidecar.Load{Table: table, Mode: sidecar.ReplaceWhole, Rows: whole(`{"größe":1,"a_b":1}`)}); err != nil {
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
	const want = `{"name":"Bestell/ungen \u0026 mehr","fields":[{"name":"gr\u00f6\u00dfe\ud83d\ude00","type":2},{"name":"o","type":6}]}`
	if first.Schema != want {
		t.Errorf("X-Jitsu-Schema\n%s, want\n%s", first.Schema, want)
	}
	if second := requests[1]; second.Mode != "replace_table" || second.ContentLength != int64(len(`{"größe":1,"a_b":1}`))+1 {
		t.Errorf("complete replace: %+v", second)
	}
}

func TestLoadWithoutDeduplication(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL, func(o *bulker.Options) { o.Deduplicate = false })
	for range 2 {
		if err := c.Load(t.Context(), load(sidecar.Append, numbered(2))); err != nil {
			t.Fatal(err)
		}
	}
	count(t, server, 4)
}

func TestEmptyLoad(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL, nil)
	if err := c.Load(t.Context(), load(sidecar.ReplaceWhole, numbered(5))); err != nil {
		t.Fatal(err)
	}
	empty := live()
	empty.finish()
	for name, rows := range map[string]sidecar.Rows{"complete": whole(), "live": empty} {
		e := refused(t, c.Load(t.Context(), load(sidecar.ReplaceWhole, rows)))
		if !e.Permanent || !strings.Contains(e.Message, "cannot empty") {
			t.Errorf("%s: %+v", name, e)
		}
		if err := c.Load(t.Context(), load(sidecar.Append, rows)); err != nil {
			t.Errorf("%s: append of nothing: %v", name, err)
		}
	}
	count(t, server, 5)
}

// TestBlocksGoAsTheyAre sends a load of known length past the buffers of net/http, but for what goes with the head of the request.
func TestBlocksGoAsTheyAre(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	rows := newBlockRows(false)
	rows.blocks = 64
	if err := client(t, server.URL, nil).Load(t.Context(), load(sidecar.Append, rows)); err != nil {
		t.Fatal(err)
	}
	if beside := rows.Size() - rows.wrote; beside > 64<<10 {
		t.Errorf("%d of %d bytes took another way", beside, rows.Size())
	}
}

func TestManyLoadsAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	c := client(t, server.URL, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			l := load(sidecar.ReplaceWhole, &madeRows{n: 2000, live: i%2 == 0})
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
