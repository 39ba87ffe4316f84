package loader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/spool"
)

// liveAttempts is how often a load is begun while its stream is still being read; after that it waits for the last row and is sent from the spool.
const liveAttempts = 8

// errLiveTooLong is why a live load was broken off by us: the server would cut it.
var errLiveTooLong = errors.New("the source is slower than the destination keeps a load open")

// ErrCut is why loads are given up when the time for the end of a session is over.
var ErrCut = errors.New("not delivered before the session had to end")

// load delivers a batch, again and again while its error may pass.
func (l *Loader) load(s *stream, b *batch) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = l.config.Retry.First, l.config.Retry.Max
	var failing time.Time // since when nothing but errors came
	for attempt := 1; ; attempt++ {
		if attempt > liveAttempts {
			if err := l.awaitEnd(b); err != nil {
				return err
			}
		}
		live := !b.spool.Complete()
		err := l.attempt(s, b)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errLiveTooLong):
			l.logs.Info(fmt.Sprintf("stream %q: %v; it will be delivered from the spool when it is complete", s.config.Table.Stream, err))
			attempt = liveAttempts
			continue
		case permanent(err) || l.ctx.Err() != nil:
			return err
		}
		if failing.IsZero() || live {
			failing = time.Now() // while rows still come, nothing is late yet
		}
		if time.Since(failing) >= l.config.Retry.For {
			return fmt.Errorf("gave up after %v (RETRY_FOR) and %d attempts: %w", l.config.Retry.For, attempt, err)
		}
		pause := wait.NextBackOff()
		l.logs.Warn(fmt.Sprintf("stream %q: load failed, next attempt in %v: %v%s", s.config.Table.Stream, pause.Round(time.Millisecond), err,
			doubling(s.config.Table, b.mode, err)))
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(l.ctx), err)
		}
	}
}

// doubling says that another attempt may bring rows twice: nobody can tell then.
func doubling(table sidecar.Table, mode sidecar.Mode, err error) string {
	if refusal := sidecar.AsLoadError(err); refusal != nil && refusal.Unknown && mode == sidecar.Append && len(table.PrimaryKey) == 0 {
		return " (they may have been committed all the same, and without a primary key they are there twice then)"
	}
	return ""
}

// permanent says that the same load cannot succeed later.
func permanent(err error) bool {
	refusal := (*sidecar.LoadError)(nil)
	return errors.Is(err, sidecar.ErrLoadAborted) || errors.As(err, &refusal) && refusal.Permanent
}

// attempt is one try, in a place of its own: one of those for batches, or of those for loads whose rows are still coming.
func (l *Loader) attempt(s *stream, b *batch) error {
	ctx, cancel := context.WithCancelCause(l.ctx)
	defer cancel(nil)
	free, err := l.place(b)
	if err != nil {
		return err
	}
	defer free()
	if !b.spool.Complete() && l.capabilities.LiveFor > 0 {
		// A load whose last row is there may take as long as it wants: the server has read it all.
		limit := time.AfterFunc(l.capabilities.LiveFor, func() {
			if !b.spool.Complete() {
				cancel(errLiveTooLong)
			}
		})
		defer limit.Stop()
	}
	rows, err := l.rows(ctx, s, b)
	if err != nil {
		return err
	}
	err = l.destination.Load(ctx, sidecar.Load{Table: s.config.Table, Mode: b.mode, Rows: rows})
	if err != nil && errors.Is(context.Cause(ctx), errLiveTooLong) {
		return errLiveTooLong
	}
	if broken := b.spool.Err(); err != nil && broken != nil {
		return fmt.Errorf("%w (%w)", broken, sidecar.ErrLoadAborted)
	}
	return err
}

// rows are the rows of a batch as they are sent: where the last row of a key wins, the newest must be the last.
func (l *Loader) rows(ctx context.Context, s *stream, b *batch) (sidecar.Rows, error) {
	if b.live || !b.disordered {
		return b.spool, nil
	}
	return spool.ByCursor(ctx, b.spool, s.cursor)
}

// place waits for a free place. A live load that finds none waits until its last row is there and then takes its turn as a batch.
func (l *Loader) place(b *batch) (free func(), err error) {
	if !b.spool.Complete() {
		select {
		case l.liveSlot <- struct{}{}:
			return func() { <-l.liveSlot }, nil
		case <-b.spool.Ended():
		case <-l.ctx.Done():
			return nil, context.Cause(l.ctx)
		}
	}
	select {
	case l.batchSlot <- struct{}{}:
		return func() { <-l.batchSlot }, nil
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

// awaitEnd waits until a batch has its last row.
func (l *Loader) awaitEnd(b *batch) error {
	select {
	case <-b.spool.Ended():
		return b.spool.Err()
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}
