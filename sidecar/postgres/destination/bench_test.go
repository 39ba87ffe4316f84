package destination

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// The benchmarks load rows of the same content as JSON, by the client, and as ready text of a COPY, by hand: the difference is what the client costs.
// SYNC_SIDECAR_TEST_POSTGRES names a server with other settings than those of tests, which do without fsync.

const benchRows = 200_000

// bulk is rows that are there as one text.
type bulk struct {
	text  []byte
	count int64
}

// Open implements sidecar.Rows.
func (b *bulk) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b.text)), nil
}

// Count implements sidecar.Rows.
func (b *bulk) Count() int64 { return b.count }

// Size implements sidecar.Rows.
func (b *bulk) Size() int64 { return int64(len(b.text)) }

// Complete implements sidecar.Rows.
func (b *bulk) Complete() bool { return true }

const benchFields = `"id":{"type":"integer"},"name":{"type":"string"},"email":{"type":"string"},"total":{"type":"number"},` +
	`"active":{"type":"boolean"},"created_at":{"type":"string","format":"date-time"},` +
	`"note":{"type":"string"},"tags":{"type":"array"},"address":{"type":"object"}`

const benchColumns = `"id" bigint, "name" text, "email" text, "total" double precision, "active" boolean, "created_at" timestamp with time zone,
	"note" text, "tags" jsonb, "address" jsonb`

// benchmarkRows are rows from..to-1: as JSON, and as lines of a COPY.
func benchmarkRows(from, to int) (rows *bulk, lines []byte) {
	var text, copied bytes.Buffer
	note := strings.Repeat("lorem ipsum dolor sit amet ", 4)
	for id := from; id < to; id++ {
		fmt.Fprintf(&text, `{"id":%d,"name":"Name %[1]d","email":"user%[1]d@example.com","total":%d.25,"active":true,`+
			`"created_at":"2026-01-02T03:04:05.123456Z","note":"%s","tags":["a","b",%[1]d],"address":{"city":"Köln","zip":"%05[1]d"}}`+"\n",
			id, id%1000, note)
		fmt.Fprintf(&copied, "%d\tName %[1]d\tuser%[1]d@example.com\t%d.25\tt\t2026-01-02 03:04:05.123456+00\t%s\t[\"a\",\"b\",%[1]d]\t"+
			`{"city":"Köln","zip":"%05[1]d"}`+"\n", id, id%1000, note)
	}
	return &bulk{text: text.Bytes(), count: int64(to - from)}, copied.Bytes()
}

// benchmarkLoad measures loads by the client.
func benchmarkLoad(b *testing.B, mode sidecar.Mode, there int, key ...string) {
	b.Helper()
	url := postgrestest.Database(b)
	r := begin(b, url, nil, nil, table("orders", properties(benchFields), key...))
	if there > 0 {
		before, _ := benchmarkRows(0, there)
		must(b, r.Load(b.Context(), sidecar.Load{Table: r.tables[0], Rows: before}))
	}
	rows, _ := benchmarkRows(there/2, there/2+benchRows)
	b.SetBytes(rows.Size())
	for b.Loop() {
		must(b, r.Load(b.Context(), sidecar.Load{Table: r.tables[0], Mode: mode, Rows: rows}))
	}
}

// benchmarkByHand measures SQL by hand; copy is the statement that takes the lines, between others.
func benchmarkByHand(b *testing.B, there int, create string, before []string, copySQL string, after []string) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), postgrestest.Database(b))
	must(b, err)
	defer func() { _ = conn.Close(context.Background()) }()
	run := func(statements ...string) {
		for _, statement := range statements {
			_, err := conn.Exec(b.Context(), statement)
			must(b, err)
		}
	}
	run(create)
	if there > 0 {
		_, lines := benchmarkRows(0, there)
		_, err := conn.PgConn().CopyFrom(b.Context(), bytes.NewReader(lines), "copy orders from stdin")
		must(b, err)
	}
	rows, lines := benchmarkRows(there/2, there/2+benchRows)
	b.SetBytes(rows.Size())
	for b.Loop() {
		run(append([]string{"begin"}, before...)...)
		_, err := conn.PgConn().CopyFrom(b.Context(), bytes.NewReader(lines), copySQL)
		must(b, err)
		run(append(after, "commit")...)
	}
}

func BenchmarkAppend(b *testing.B) { benchmarkLoad(b, sidecar.Append, 0) }

func BenchmarkAppendByHand(b *testing.B) {
	benchmarkByHand(b, 0, "create table orders ("+benchColumns+")", nil, "copy orders from stdin", nil)
}

func BenchmarkMerge(b *testing.B) { benchmarkLoad(b, sidecar.Append, 1_000_000, "id") }

func BenchmarkMergeByHand(b *testing.B) {
	var set []string
	for _, column := range strings.Fields(`name email total active created_at note tags address`) {
		set = append(set, column+" = excluded."+column)
	}
	benchmarkByHand(b, 1_000_000, "create table orders ("+benchColumns+", primary key (id))",
		[]string{"create temporary table staged (like orders) on commit drop"}, "copy staged from stdin",
		[]string{"insert into orders select * from staged on conflict (id) do update set " + strings.Join(set, ", ")})
}

func BenchmarkReplace(b *testing.B) { benchmarkLoad(b, sidecar.ReplaceWhole, 0) }

func BenchmarkReplaceKeyed(b *testing.B) { benchmarkLoad(b, sidecar.ReplaceWhole, 0, "id") }

func BenchmarkReplaceByHand(b *testing.B) {
	benchmarkByHand(b, 0, "create table orders ("+benchColumns+")", []string{"delete from orders"}, "copy orders from stdin", nil)
}
