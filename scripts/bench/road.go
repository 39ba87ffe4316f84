package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// defaultSize is what each road carries in a round.
const defaultSize = 400e6

// road compares FIFO → sidecar → a server that discards with `cat fifo | curl -T -` into the same server, which checks nothing and keeps no account.
func road(ctx context.Context, o options, out io.Writer) error {
	s, err := startServer(ctx, o, "-discard")
	if err != nil {
		return err
	}
	if o.size == 0 {
		o.size = defaultSize
	}
	goals := map[string]float64{"small": 0.8, "medium": 1, "large": 1}
	title := "Road: FIFO → sidecar → HTTP, beside `cat fifo | curl -T -` (%.0f MB each, medians of %d rounds)"
	t := newTable(out, fmt.Sprintf(title, float64(o.size)/1e6, o.rounds),
		"rows", "curl MB/s", "sidecar MB/s", "krows/s", "CPU s/GB curl", "CPU s/GB sidecar", "peak MiB", "sidecar ÷ curl")
	for _, kind := range o.kinds {
		for _, mode := range modes(kind) {
			err = errors.Join(err, compareRoads(ctx, o, t, s.url, newCorpus(kind), mode, goals[kind]))
		}
	}
	return errors.Join(err, s.stop(), t.end())
}

// modes in which a kind is carried: incremental, and for one also as a full refresh.
func modes(kind string) []string {
	if kind == "medium" {
		return []string{"append", "overwrite"}
	}
	return []string{"append"}
}

func compareRoads(ctx context.Context, o options, t *table, url string, c corpus, mode string, goal float64) error {
	blocks := c.blocks(o.size)
	results, err := play(ctx, o.rounds,
		contestant{"curl", func(ctx context.Context) (usage, error) { return curl(ctx, o, c, blocks, url) }},
		contestant{"sidecar", func(ctx context.Context) (usage, error) { return carry(ctx, o, c, blocks, mode, destination(url)) }})
	if err != nil {
		return err
	}
	plain, ours := results[0], results[1]
	megabytes := float64(c.bytes(blocks)) / 1e6
	ratio := number("%.2f", plain.wallRatio(ours))
	if goal > 0 {
		ratio = atLeast("%.2f", plain.wallRatio(ours), goal)
	}
	cpu := number("%.2f", ours.cpu()/megabytes*1e3)
	if c.kind == "medium" {
		cpu = atMost("%.2f", ours.cpu()/megabytes*1e3, 2.5)
	}
	name := c.kind
	if mode == "overwrite" {
		name += ", full refresh"
	}
	t.row(name, number("%.0f", megabytes/plain.wall()), number("%.0f", megabytes/ours.wall()),
		number("%.0f", float64(c.rows*blocks)/1e3/ours.wall()), number("%.2f", plain.cpu()/megabytes*1e3), cpu, number("%.0f", ours.peak()), ratio)
	return nil
}

// curl carries a corpus with `cat fifo | curl -T - URL`. Time counts from when the pipe is open on both sides, as with the sidecar.
func curl(ctx context.Context, o options, c corpus, blocks int64, url string) (usage, error) {
	folder, err := os.MkdirTemp(o.scratch, "curl-")
	if err != nil {
		return usage{}, err
	}
	fifo := filepath.Join(folder, "stdout")
	if err := makePipes(fifo); err != nil {
		return usage{}, err
	}
	cat := exec.CommandContext(ctx, "cat", fifo)
	address := url + "/bulk/bench?mode=batch&tableName=rows"
	post := exec.CommandContext(ctx, "curl", "-sSf", "-o", os.DevNull, "-X", "POST", "-H", "Expect:", "-T", "-", address)
	between, err := cat.StdoutPipe()
	if err != nil {
		return usage{}, err
	}
	post.Stdin = between
	first, err := start(cat)
	if err != nil {
		return usage{}, err
	}
	second, err := start(post)
	if err != nil {
		return usage{}, err
	}
	stdout, err := first.openPipe(ctx, fifo)
	if err != nil {
		return usage{}, err
	}
	began := time.Now()
	err = errors.Join(between.Close(), c.write(stdout, blocks), stdout.Close())
	read, readErr := first.wait()
	sent, sendErr := second.wait()
	used := usage{wall: time.Since(began), cpu: read.cpu + sent.cpu, peak: read.peak + sent.peak}
	return used, errors.Join(err, readErr, sendErr, os.RemoveAll(folder))
}
