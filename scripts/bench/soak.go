package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// soakRows is how many rows each of the soak's roads carries, about.
const soakRows = 1_000_000

// memoryGoal is what the sidecar may use, in MiB.
const memoryGoal = 64

// soak compares many streams with a state for every row with one stream that sends few.
func soak(ctx context.Context, o options, out io.Writer) error {
	s, err := startServer(ctx, o, "-discard")
	if err != nil {
		return err
	}
	calm, busy := newInterleaved("small", 1, 10_000), newInterleaved("small", 200, 1)
	title := "Soak: a million rows, a state for every row of 200 interleaved streams, beside one per 10,000 of one (medians of %d rounds)"
	t := newTable(out, fmt.Sprintf(title, o.rounds),
		"to", "calm s", "busy s", "calm CPU s", "busy CPU s", "calm peak MiB", "busy peak MiB", "busy ÷ calm")
	for _, to := range []destination{destination(s.url), ""} {
		results, playErr := play(ctx, o.rounds,
			contestant{"calm", func(ctx context.Context) (usage, error) { return carry(ctx, o, calm, soakRows/calm.rows, "append", to) }},
			contestant{"busy", func(ctx context.Context) (usage, error) { return carry(ctx, o, busy, soakRows/busy.rows, "append", to) }})
		if playErr != nil {
			err = playErr
			break
		}
		name := "local folder"
		if to != "" {
			name = "server"
		}
		t.row(name, number("%.1f", results[0].wall()), number("%.1f", results[1].wall()), number("%.1f", results[0].cpu()),
			number("%.1f", results[1].cpu()), number("%.0f", results[0].peak()),
			atMost("%.0f", results[1].peak(), memoryGoal), atMost("%.2f", results[1].wallRatio(results[0]), 1.5))
	}
	return errors.Join(err, s.stop(), t.end())
}

// large carries 10 GB, or what -size says, and shows that memory does not grow with it.
func large(ctx context.Context, o options, out io.Writer) error {
	if o.size == 0 {
		o.size = 10e9
	}
	s, err := startServer(ctx, o, "-discard")
	if err != nil {
		return err
	}
	t := newTable(out, fmt.Sprintf("Large: %.0f GB through the pipe, once", float64(o.size)/1e9), "rows", "MB/s", "CPU s/GB", "peak MiB")
	c := newCorpus("medium")
	blocks := c.blocks(o.size)
	used, err := carry(ctx, o, c, blocks, "append", destination(s.url))
	gigabytes := float64(c.bytes(blocks)) / 1e9
	t.row(c.kind, number("%.0f", gigabytes*1e3/used.wall.Seconds()), number("%.2f", used.cpu.Seconds()/gigabytes),
		atMost("%.0f", float64(used.peak)/(1<<20), memoryGoal))
	return errors.Join(err, s.stop(), t.end())
}
