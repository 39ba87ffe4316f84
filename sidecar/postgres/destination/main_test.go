package destination

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

func TestMain(m *testing.M) {
	code := postgrestest.Main(m)
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// within bounds a test's waits.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equalLines(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// openAt opens a client that ends with the test.
func openAt(t testing.TB, url string, change func(*Options)) *Client {
	t.Helper()
	options := Options{URL: url, Identity: sidecar.Identity{SyncID: "sync-1", TaskID: "task-1"}}
	if change != nil {
		change(&options)
	}
	c, err := New(options)
	must(t, err)
	t.Cleanup(func() { closeClient(c) })
	return c
}

func closeClient(c *Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.Close(ctx)
}

// table is the table of a stream; schema is what it declares.
func table(name, schema string, key ...string) sidecar.Table {
	declared := sidecar.Table{Stream: airbyte.StreamDescriptor{Name: name}, Name: name, Schema: json.RawMessage(schema)}
	for _, field := range key {
		declared.PrimaryKey = append(declared.PrimaryKey, []string{field})
	}
	return declared
}

// properties is a schema with these fields, `"id":{"type":"integer"}`.
func properties(fields string) string { return `{"type":"object","properties":{` + fields + `}}` }

// run is a run of a sync on a database.
type run struct {
	t testing.TB
	*Client
	url    string
	tables []sidecar.Table
}

// begin opens a client and begins a run from states, with streams that are read incrementally.
func begin(t testing.TB, url string, change func(*Options), given []sidecar.SavedState, tables ...sidecar.Table) *run {
	t.Helper()
	r := &run{t: t, Client: openAt(t, url, change), url: url, tables: tables}
	_, err := r.Place(tables)
	must(t, err)
	_, err = r.Resume(within(t), r.catalog(), given)
	must(t, err)
	return r
}

func (r *run) catalog() airbyte.ConfiguredCatalog {
	var catalog airbyte.ConfiguredCatalog
	for _, table := range r.tables {
		catalog.Streams = append(catalog.Streams, airbyte.ConfiguredStream{SyncMode: airbyte.Incremental, PrimaryKey: table.PrimaryKey,
			Stream: airbyte.Stream{Name: table.Stream.Name, Namespace: table.Stream.Namespace, JSONSchema: table.Schema}})
	}
	return catalog
}

// streams are those of the run.
func (r *run) streams() []airbyte.StreamDescriptor {
	var streams []airbyte.StreamDescriptor
	for _, table := range r.tables {
		streams = append(streams, table.Stream)
	}
	return streams
}

// load gives a load of rows.
func (r *run) load(index int, mode sidecar.Mode, rows ...string) error {
	return r.Load(within(r.t), sidecar.Load{Table: r.tables[index], Mode: mode, Rows: sidecartest.NewRows(rows...)})
}

// commit gives a load of rows that a state covers.
func (r *run) commit(index int, mode sidecar.Mode, state sidecar.SavedState, rows ...string) error {
	return r.Load(within(r.t), sidecar.Load{Table: r.tables[index], Mode: mode, Rows: sidecartest.NewRows(rows...),
		States: func() []sidecar.SavedState { return []sidecar.SavedState{state} }})
}

// state is a STREAM state.
func (r *run) state(index int, sequence int64, text string) sidecar.SavedState {
	stream := r.tables[index].Stream
	return sidecar.SavedState{Key: stream.String(), Stream: stream, State: []byte(text), Sequence: sequence, Incremental: len(r.tables)}
}

// rows are those of a table as JSON, sorted.
func rowsOf(t testing.TB, url, table string) []string {
	t.Helper()
	return postgrestest.Query(t, url, `select to_jsonb(r)::text from `+table+` r order by 1`)
}

// hold keeps what a statement locks until the returned func is called.
func hold(t testing.TB, url, statement string) (release func()) {
	t.Helper()
	conn := connect(t, url)
	for _, sql := range []string{"begin", statement} {
		_, err := conn.Exec(within(t), sql)
		must(t, err)
	}
	return func() { _ = conn.Close(context.Background()) }
}

// connect opens a connection of its own, which speaks the simple protocol.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	must(t, err)
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(within(t), config)
	must(t, err)
	return conn
}
