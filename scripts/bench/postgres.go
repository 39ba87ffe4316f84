package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// tables is a Postgres server with its own default settings, to which psql and the sidecar bring the same rows in turn.
type tables struct {
	options
	server *postgrestest.Server
	output string // of a source: rows of one stream
	csv    string // the same rows as psql takes them
	rows   float64
	bytes  float64 // of output
}

const benchTable = "rows_0"

// besidePsql compares FIFO → sidecar → Postgres with what psql does with the same rows as ready CSV.
func besidePsql(ctx context.Context, o options, out io.Writer) (err error) {
	server, err := postgrestest.Launch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Remove()) }()
	if o.size == 0 {
		o.size = 200e6
	}
	title := "Postgres: FIFO → sidecar → table, beside psql with ready CSV (medians of %d rounds; goals of the sidecar's time ÷ psql's)"
	t := newTable(out, fmt.Sprintf(title, o.rounds), "rows", "MB", "psql krows/s", "sidecar krows/s", "CPU s/GB sidecar", "peak MiB", "sidecar ÷ psql")
	for _, kind := range []string{"small", "medium", "large", "nested"} {
		b := &tables{options: o, server: server}
		err = errors.Join(err, b.append(ctx, t, kind))
	}
	b := &tables{options: o, server: server}
	err = errors.Join(err, b.replace(ctx, t), b.merge(ctx, t))
	return errors.Join(err, t.end())
}

// append compares with `\copy` into an empty table.
func (b *tables) append(ctx context.Context, t *table, kind string) error {
	if err := b.prepare(ctx, kind, "append", 0, b.size); err != nil {
		return err
	}
	return b.compare(ctx, t, kind+", append", "append", 1.3, "truncate "+benchTable, "\\copy "+benchTable+" from '"+b.csv+"' csv")
}

// replace compares a full refresh of a table that is full with `\copy` into an empty one.
func (b *tables) replace(ctx context.Context, t *table) error {
	if err := b.prepare(ctx, "medium", "overwrite", 0, b.size); err != nil {
		return err
	}
	results, err := play(ctx, b.rounds,
		contestant{"psql", func(ctx context.Context) (usage, error) {
			return b.psql(ctx, "truncate "+benchTable, "\\copy "+benchTable+" from '"+b.csv+"' csv")
		}},
		contestant{"sidecar", func(ctx context.Context) (usage, error) { return b.carry(ctx, "overwrite") }})
	b.report(t, "medium, full refresh of as many", 1.5, results)
	return err
}

// merge compares a merge into a table of a million rows, half of it of rows that are there, with a staging table and INSERT … ON CONFLICT.
func (b *tables) merge(ctx context.Context, t *table) error {
	const there, coming = 1_000_000, 200_000
	if err := b.prepare(ctx, "small", "append_dedup", 0, there); err != nil {
		return err
	}
	if err := b.execute(ctx, "drop table if exists base", "create table base (like "+benchTable+" including all)",
		"insert into base select * from "+benchTable, "vacuum analyze base"); err != nil {
		return err
	}
	columns, err := b.query(ctx, "select attname from pg_attribute where attrelid = '"+benchTable+"'::regclass and attnum > 0 and not attisdropped")
	if err != nil {
		return err
	}
	if err := b.write("small", there-coming/2, there+coming/2); err != nil {
		return err
	}
	if err := b.exportRows(ctx, "append_dedup"); err != nil {
		return err
	}
	again := []string{"truncate " + benchTable, "insert into " + benchTable + " select * from base", "vacuum analyze " + benchTable, "checkpoint"}
	var set []string
	for _, column := range columns {
		set = append(set, column+" = excluded."+column)
	}
	byHand := []string{"begin", "create temp table staging (like " + benchTable + ") on commit drop", "\\copy staging from '" + b.csv + "' csv",
		"insert into " + benchTable + " select * from staging on conflict (id) do update set " + strings.Join(set, ", "), "commit"}
	results, err := play(ctx, b.rounds,
		contestant{"psql", func(ctx context.Context) (usage, error) {
			if err := b.execute(ctx, again...); err != nil {
				return usage{}, err
			}
			return b.psql(ctx, byHand...)
		}},
		contestant{"sidecar", func(ctx context.Context) (usage, error) {
			if err := b.execute(ctx, again...); err != nil {
				return usage{}, err
			}
			return b.carry(ctx, "append_dedup")
		}})
	b.report(t, "small, append_dedup into 1,000,000", 1.5, results)
	return err
}

// compare plays psql against the sidecar, each after the same preparation.
func (b *tables) compare(ctx context.Context, t *table, name, mode string, goal float64, before string, statements ...string) error {
	results, err := play(ctx, b.rounds,
		contestant{"psql", func(ctx context.Context) (usage, error) {
			if err := b.execute(ctx, before, "checkpoint"); err != nil {
				return usage{}, err
			}
			return b.psql(ctx, statements...)
		}},
		contestant{"sidecar", func(ctx context.Context) (usage, error) {
			if err := b.execute(ctx, before, "checkpoint"); err != nil {
				return usage{}, err
			}
			return b.carry(ctx, mode)
		}})
	b.report(t, name, goal, results)
	return err
}

// report adds a row to the table; without results there is none.
func (b *tables) report(t *table, name string, goal float64, results []measured) {
	if len(results) == 0 {
		return
	}
	psql, ours := results[0], results[1]
	t.row(name, number("%.0f", b.bytes/1e6), number("%.0f", b.rows/1e3/psql.wall()), number("%.0f", b.rows/1e3/ours.wall()),
		atMost("%.2f", ours.cpu()/b.bytes*1e9, 4), atMost("%.0f", ours.peak(), 64), atMost("%.2f", ours.wallRatio(psql), goal))
}
