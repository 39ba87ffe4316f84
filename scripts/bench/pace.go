package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// pace compares the whole time with the longer of the source's and the server's: what one of them does must not wait for the other. A server takes so
// many rows a second of each request; a source writes so many.
func pace(ctx context.Context, o options, out io.Writer) error {
	c := newCorpus("small")
	blocks := c.blocks(128e6)
	count := float64(c.rows * blocks)
	t := newTable(out, fmt.Sprintf("Pace: %.0f rows from a source that takes S to a server that takes T (medians of %d rounds)", count, o.rounds),
		"mode", "S", "T", "total s", "total ÷ max(S, T)")
	for _, mode := range []string{"append", "overwrite"} {
		for _, times := range []struct{ source, server float64 }{{5, 2.5}, {2.5, 5}, {4, 4}} {
			s, err := startServer(ctx, o, "-discard", "-rows-per-second", strconv.Itoa(int(count/times.server)))
			if err != nil {
				return err
			}
			results, err := play(ctx, o.rounds, contestant{"sidecar", func(ctx context.Context) (usage, error) {
				session, err := startSession(ctx, o, c.catalog(mode), destination(s.url))
				if err != nil {
					return usage{}, err
				}
				return session.feed(ctx, func(stdout *os.File) error { return c.writeFor(ctx, stdout, blocks, times.source) })
			}})
			if err = errors.Join(err, s.stop()); err != nil {
				return err
			}
			total := results[0].wall()
			name := map[string]string{"append": "incremental", "overwrite": "full refresh"}[mode]
			t.row(name, number("%.1f s", times.source), number("%.1f s", times.server), number("%.2f", total),
				atMost("%.2f", total/max(times.source, times.server), 1.15))
		}
	}
	return t.end()
}

// writeFor writes a transcript spread over so many seconds.
func (c corpus) writeFor(ctx context.Context, out io.Writer, blocks int64, seconds float64) error {
	return c.write(&paced{ctx: ctx, out: out, began: time.Now(), perSecond: float64(c.bytes(blocks)) / seconds}, blocks)
}

// paced writes so many bytes a second, in pieces of 64 KiB.
type paced struct {
	ctx       context.Context //nolint:containedctx // Write has no other way to be cancelled
	out       io.Writer
	began     time.Time
	perSecond float64
	written   int64
}

// Write implements io.Writer.
func (p *paced) Write(bytes []byte) (int, error) {
	const piece = 64 << 10
	for at := 0; at < len(bytes); {
		due := p.began.Add(time.Duration(float64(p.written) / p.perSecond * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-p.ctx.Done():
			return at, context.Cause(p.ctx)
		}
		n, err := p.out.Write(bytes[at:min(at+piece, len(bytes))])
		at += n
		p.written += int64(n)
		if err != nil {
			return at, err
		}
	}
	return len(bytes), nil
}
