package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// prepare writes the source's output, brings it once, and has Postgres write the CSV of it. most is of bytes, or for append_dedup of rows.
func (b *tables) prepare(ctx context.Context, kind, mode string, from int, most int64) error {
	to := int(most)
	if mode != "append_dedup" {
		to = int(most / int64(len(rowOf(rand.New(rand.NewPCG(1, 2)), kind, 1))+100))
	}
	if err := b.write(kind, from, to); err != nil {
		return err
	}
	if err := b.execute(ctx, "drop table if exists "+benchTable, "drop schema if exists sync_sidecar cascade"); err != nil {
		return err
	}
	return b.exportRows(ctx, mode)
}

// exportRows brings the rows once, and makes CSV of those of them that are in the output.
func (b *tables) exportRows(ctx context.Context, mode string) error {
	if mode == "append_dedup" {
		if err := b.execute(ctx, "drop table if exists "+benchTable, "drop schema if exists sync_sidecar cascade"); err != nil {
			return err
		}
	}
	if _, err := b.carry(ctx, mode); err != nil {
		return err
	}
	if err := b.complete(ctx); err != nil {
		return err
	}
	b.csv = filepath.Join(b.scratch, "rows.csv")
	_, err := b.psql(ctx, "\\copy "+benchTable+" to '"+b.csv+"' csv")
	return err
}

// write writes the output of a source that reads rows from..to-1, with a STATE after every ten thousand.
func (b *tables) write(kind string, from, to int) (err error) {
	b.output, b.rows = filepath.Join(b.scratch, "output.ndjson"), float64(to-from)
	file, err := os.Create(b.output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out, random := bufio.NewWriterSize(file, 1<<20), rand.New(rand.NewPCG(1, 2))
	c := corpus{kind: kind, streams: 1}
	if err := c.statuses(out, "STARTED"); err != nil {
		return err
	}
	const perState = 10_000
	for row := from; row < to; row++ {
		fmt.Fprintf(out, `{"type":"RECORD","record":{"stream":"%s","data":%s,"emitted_at":%d}}`+"\n", benchTable,
			rowOf(random, kind, row), 1735850275276+row)
		if row%perState == perState-1 {
			fmt.Fprintf(out, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"id":%d}}}}`+"\n",
				benchTable, row)
		}
	}
	fmt.Fprintf(out, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"id":%d}}}}`+"\n",
		benchTable, to)
	if err := c.statuses(out, "COMPLETE"); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	b.bytes = float64(size)
	return err
}

// catalog is the configured catalog, with a schema as sources give one.
func (b *tables) catalog(mode string) []byte {
	properties := []string{`"id":{"type":"integer"}`, `"price":{"type":"number"}`, `"active":{"type":"boolean"}`,
		`"deleted_at":{"type":["null","string"]}`, `"updated_at":{"type":"string","format":"date-time"}`, `"tree":{"type":"object"}`}
	for n := range 40 {
		properties = append(properties, fmt.Sprintf(`"field_%d":{"type":["null","string"]}`, n))
	}
	sync, key := "incremental", ""
	switch mode {
	case "overwrite":
		sync = "full_refresh"
	case "append_dedup":
		key = `,"primary_key":[["id"]]`
	}
	return fmt.Appendf(nil, `{"streams":[{"stream":{"name":"%s","json_schema":{"type":"object","properties":{%s}},`+
		`"supported_sync_modes":["full_refresh","incremental"]},"sync_mode":"%s","cursor_field":["updated_at"],"destination_sync_mode":"%s"%s}]}`,
		benchTable, strings.Join(properties, ","), sync, mode, key)
}

// carry has a sidecar bring the output. It goes on from a state, so that it adds to what is there.
func (b *tables) carry(ctx context.Context, mode string) (usage, error) {
	in := input{catalog: b.catalog(mode), more: []string{"DESTINATION_URL=" + b.server.DSN()}}
	if mode != "overwrite" {
		in.state = fmt.Appendf(nil, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"id":1}}}]`, benchTable)
	}
	if err := b.execute(ctx, "drop schema if exists sync_sidecar cascade"); err != nil {
		return usage{}, err
	}
	s, err := startReading(ctx, b.options, in, "")
	if err != nil {
		return usage{}, err
	}
	return s.feed(ctx, func(stdout *os.File) error {
		file, err := os.Open(b.output)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{stdout}, struct{ io.Reader }{file}, make([]byte, 256<<10))
		return errors.Join(err, file.Close())
	})
}

// psql runs statements one after the other, in one process.
func (b *tables) psql(ctx context.Context, statements ...string) (usage, error) {
	args := []string{b.server.DSN(), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"}
	for _, statement := range statements {
		args = append(args, "--command", statement)
	}
	return timed(func() (usage, error) {
		p, err := start(exec.CommandContext(ctx, "psql", args...))
		if err != nil {
			return usage{}, err
		}
		return p.wait()
	})
}

// execute runs statements that nobody measures.
func (b *tables) execute(ctx context.Context, statements ...string) error {
	_, err := b.psql(ctx, statements...)
	return err
}

// query is what psql prints of a statement's rows, a line each.
func (b *tables) query(ctx context.Context, statement string) ([]string, error) {
	command := exec.CommandContext(ctx, "psql", b.server.DSN(), "--no-psqlrc", "--no-align", "--tuples-only", "--command", statement)
	printed, err := command.Output()
	return strings.Fields(string(printed)), err
}

// complete checks that all rows are there.
func (b *tables) complete(ctx context.Context) error {
	rows, err := b.query(ctx, "select count(*) from "+benchTable)
	if want := fmt.Sprint(int(b.rows)); err == nil && (len(rows) != 1 || rows[0] != want) {
		err = fmt.Errorf("the table holds %v of %s rows", rows, want)
	}
	return err
}
