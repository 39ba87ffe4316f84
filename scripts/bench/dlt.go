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
	python, err := filepath.Abs(o.peers.dlt)
	if err != nil {
		return err
	}
	script, err := filepath.Abs(o.peers.dltScript)
	if err != nil {
		return err
	}
	t := newTable(out, fmt.Sprintf("Postgres: the sidecar beside dlt, 200,000 rows (medians of %d rounds)", o.rounds),
		"mode", "dlt krows/s", "sidecar krows/s", "dlt MiB", "sidecar MiB", "rows/s", "memory")
	const rows = 200_000
	for _, mode := range []string{"append", "append_dedup"} {
		if err := b.write("small", 0, rows); err != nil {
			return err
		}
		results, err := play(ctx, o.rounds,
			contestant{"dlt", func(ctx context.Context) (usage, error) {
				if err := b.execute(ctx, "drop schema if exists dlt_bench cascade"); err != nil {
					return usage{}, err
				}
				return timed(func() (usage, error) {
					command := exec.CommandContext(ctx, python, script, b.output, mode)
					command.Env = []string{"DESTINATION__POSTGRES__CREDENTIALS=" + server.DSN(), "HOME=" + o.scratch, "PATH=/usr/bin:/bin",
						"RUNTIME__DLTHUB_TELEMETRY=false"}
					p, err := start(command)
					if err != nil {
						return usage{}, err
					}
					return p.wait()
				})
			}},
			contestant{"sidecar", func(ctx context.Context) (usage, error) {
				if err := b.execute(ctx, "drop table if exists "+benchTable); err != nil {
					return usage{}, err
				}
				return b.carry(ctx, mode)
			}})
		if err != nil {
			return errors.Join(err, t.end())
		}
		dlt, ours := results[0], results[1]
		t.row(mode, number("%.1f", rows/1e3/dlt.wall()), number("%.1f", rows/1e3/ours.wall()), number("%.0f", dlt.peak()), number("%.0f", ours.peak()),
			atLeast("%.0f ×", dlt.wallRatio(ours), 15), atMost("%.2f", ours.peak()/dlt.peak(), 0.2))
	}
	return t.end()
}
