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

// soak compares many streams with a state for every row with one stream that sends few: into a server that does something with the rows, as Bulker
// does, into one that only counts them, and into a folder. What the same output takes by `cat fifo | curl -T -`, which reads nothing of it, stands
// beside that: a million states are bytes of their own.
func soak(ctx context.Context, o options, out io.Writer) error {
	title := "Soak: a million rows, a state for every row of 200 interleaved streams, beside one per 10,000 of one (medians of %d rounds)"
	t := newTable(out, fmt.Sprintf(title, o.rounds),
		"to", "calm s", "busy s", "calm CPU s", "busy CPU s", "calm peak MiB", "busy peak MiB", "busy ÷ calm")
	err := errors.Join(soakServer(ctx, o, t, "server that keeps the rows"), soakServer(ctx, o, t, "server that counts them", "-discard"),
		soakInto(ctx, o, t, "local folder", ""), soakBytes(ctx, o, t))
	return errors.Join(err, t.end())
}

// soakBytes carries the same output by curl: no goal, a reference.
func soakBytes(ctx context.Context, o options, t *table) error {
	s, err := startServer(ctx, o, "-discard")
	if err != nil {
		return err
	}
	calm, busy := soakOutput()
	results, err := play(ctx, o.rounds,
		contestant{"calm", func(ctx context.Context) (usage, error) { return curl(ctx, o, calm, soakRows/calm.rows, s.url) }},
		contestant{"busy", func(ctx context.Context) (usage, error) { return curl(ctx, o, busy, soakRows/busy.rows, s.url) }})
	if err == nil {
		t.row("`cat fifo | curl -T -`", number("%.1f", results[0].wall()), number("%.1f", results[1].wall()), number("%.1f", results[0].cpu()),
			number("%.1f", results[1].cpu()), "", "", number("%.2f", results[1].wallRatio(results[0])))
	}
	return errors.Join(err, s.stop())
}

// soakOutput is what a calm and a busy source send.
func soakOutput() (calm, busy corpus) {
	return newInterleaved("small", 1, 10_000), newInterleaved("small", 200, 1)
}

func soakServer(ctx context.Context, o options, t *table, name string, arguments ...string) error {
	s, err := startServer(ctx, o, arguments...)
	if err != nil {
		return err
	}
	return errors.Join(soakInto(ctx, o, t, name, destination(s.url)), s.stop())
}

func soakInto(ctx context.Context, o options, t *table, name string, to destination) error {
	calm, busy := soakOutput()
	results, err := play(ctx, o.rounds,
		contestant{"calm", func(ctx context.Context) (usage, error) { return carry(ctx, o, calm, soakRows/calm.rows, "append", to) }},
		contestant{"busy", func(ctx context.Context) (usage, error) { return carry(ctx, o, busy, soakRows/busy.rows, "append", to) }})
	if err != nil {
		return err
	}
	t.row(name, number("%.1f", results[0].wall()), number("%.1f", results[1].wall()), number("%.1f", results[0].cpu()),
		number("%.1f", results[1].cpu()), number("%.0f", results[0].peak()),
		atMost("%.0f", results[1].peak(), memoryGoal), atMost("%.2f", results[1].wallRatio(results[0]), 1.5))
	return nil
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
