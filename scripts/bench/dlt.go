package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// besideDlt compares with dlt on the same rows: dlt reads the rows alone from a file, the sidecar a source's output from pipes.
func besideDlt(ctx context.Context, o options, out io.Writer) (err error) {
	server, err := postgrestest.Launch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Remove()) }()
	b := &tables{options: o, server: server}
	t := newTable(out, fmt.Sprintf("Postgres: the sidecar beside dlt, 200,000 rows (medians of %d rounds)", o.rounds),
		"mode", "dlt is given", "dlt krows/s", "sidecar krows/s", "dlt MiB", "sidecar MiB", "rows/s", "memory")
	const rows = 200_000
	for _, mode := range []string{"append", "append_dedup"} {
		if err := b.write("small", 0, rows); err != nil {
			return err
		}
		results, err := play(ctx, o.rounds,
			contestant{"dlt", func(ctx context.Context) (usage, error) { return b.dlt(ctx, mode) }},
			contestant{"dlt, all at once", func(ctx context.Context) (usage, error) { return b.dlt(ctx, mode, "at-once") }},
			contestant{"sidecar", func(ctx context.Context) (usage, error) {
				if err := b.execute(ctx, "drop table if exists "+benchTable); err != nil {
					return usage{}, err
				}
				return b.carry(ctx, mode)
			}})
		if err != nil {
			return errors.Join(err, t.end())
		}
		ours := results[2]
		for i, given := range []string{"row by row", "all at once"} {
			dlt := results[i]
			memory := number("%.2f", ours.peak()/dlt.peak())
			if given == "all at once" { // as whoever set the goal gave them
				memory = atMost("%.2f", ours.peak()/dlt.peak(), 0.2)
			}
			t.row(mode, given, number("%.1f", rows/1e3/dlt.wall()), number("%.1f", rows/1e3/ours.wall()), number("%.0f", dlt.peak()),
				number("%.0f", ours.peak()), atLeast("%.0f ×", dlt.wallRatio(ours), 15), memory)
		}
	}
	return t.end()
}

// dlt reads the rows alone from a file into an empty table.
func (b *tables) dlt(ctx context.Context, mode string, more ...string) (usage, error) {
	if err := b.execute(ctx, "drop schema if exists dlt_bench cascade"); err != nil {
		return usage{}, err
	}
	python, err := filepath.Abs(b.peers.dlt)
	if err != nil {
		return usage{}, err
	}
	script, err := filepath.Abs(b.peers.dltScript)
	if err != nil {
		return usage{}, err
	}
	return timed(func() (usage, error) {
		command := exec.CommandContext(ctx, python, append([]string{script, b.output, mode}, more...)...)
		command.Env = []string{"DESTINATION__POSTGRES__CREDENTIALS=" + b.server.DSN(), "HOME=" + b.scratch, "PATH=/usr/bin:/bin",
			"RUNTIME__DLTHUB_TELEMETRY=false"}
		p, err := start(command)
		if err != nil {
			return usage{}, err
		}
		return p.wait()
	})
}
