package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar/logs"
)

func TestAwait(t *testing.T) {
	errAway, errWrong := errors.New("connection refused"), errors.New("wrong password")
	hang := func(ctx context.Context) error { <-ctx.Done(); return errAway }
	for name, c := range map[string]struct {
		try        func(attempt int, ctx context.Context) error
		cancel     time.Duration // 0 is never
		want       error
		least      time.Duration
		most       time.Duration
		lines      int
		inTheError string
	}{
		"there at once": {try: func(int, context.Context) error { return nil }},
		"there later": {try: func(n int, _ context.Context) error { return map[bool]error{true: errAway}[n < 5] },
			least: time.Second, most: 20 * time.Second, lines: 1},
		"never there": {try: func(int, context.Context) error { return errAway }, want: errAway, least: time.Minute, most: time.Minute, lines: 1,
			inTheError: "STARTUP_TIMEOUT"},
		"hangs": {try: func(_ int, ctx context.Context) error { return hang(ctx) }, want: errAway, least: time.Minute, most: time.Minute,
			inTheError: "STARTUP_TIMEOUT"},
		"waiting is no help": {try: func(int, context.Context) error { return errWrong }, want: errWrong},
		"cancelled": {try: func(int, context.Context) error { return errAway }, cancel: 3 * time.Second, want: errAway,
			least: 3 * time.Second, most: 3 * time.Second, lines: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var shown strings.Builder
				logger := logs.New(logs.Options{Format: zerolog.New(&shown), Mask: strings.Clone})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				attempt, began := 0, time.Now()
				err := Await(ctx, time.Minute, logger, func(err error) bool { return !errors.Is(err, errWrong) }, func(ctx context.Context) error {
					attempt++
					return c.try(attempt, ctx)
				})
				took := time.Since(began)
				if !errors.Is(err, c.want) || took < c.least || took > c.most || err != nil && !strings.Contains(err.Error(), c.inTheError) {
					t.Errorf("%v after %v", err, took)
				}
				if lines := strings.Count(shown.String(), "\n"); lines != c.lines {
					t.Errorf("%d lines: %s", lines, shown.String())
				}
			})
		})
	}
}
