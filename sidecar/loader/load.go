package loader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/spool"
)

// liveAttempts is how often a load is tried while its stream is still being read. After that it waits for the last row and is sent from the spool.
const liveAttempts = 8

// errLiveTooLong is why the loader itself broke off a live load: the server would do so a little later.
var errLiveTooLong = errors.New("the connector is slower than the destination keeps a load open")

// ErrCut is why loads are given up when a session has no time left for them.
var ErrCut = errors.New("not delivered before the session had to end")

// load delivers a batch, and tries again while its error may pass.
func (l *Loader) load(s *stream, b *batch) error {
	p := l.newPatience(fmt.Sprintf("stream %q", s.config.Table.Stream))
	p.logs = l.logs.Of(s.config.Table.Stream.String())
	for {
		if p.attempts >= liveAttempts {
			if err := l.awaitEnd(b); err != nil {
				return err
			}
		}
		p.live = !b.spool.Complete()
		err := l.attempt(s, b)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, spool.ErrCutBack):
			continue
		case errors.Is(err, errLiveTooLong):
			p.logs.Info(fmt.Sprintf("stream %q: %v; it will be delivered from the spool when it is complete", s.config.Table.Stream, err))
			p.attempts = liveAttempts
			continue
		}
		if err := p.rest(err, doubling(s.config.Table, b.mode, err)); err != nil {
			return err
		}
	}
}

// tryAgain calls load, again while its error may pass.
func (l *Loader) tryAgain(subject string, load func() error) error {
	p := l.newPatience(subject)
	for {
		err := load()
		if err == nil {
			return nil
		}
		if err := p.rest(err, ""); err != nil {
			return err
		}
	}
}

// patience is how much longer a load is tried.
type patience struct {
	loader   *Loader
	subject  string // of log lines
	logs     *logs.Logger
	wait     *backoff.ExponentialBackOff
	attempts int
	failing  time.Time // when the first error came; zero before
	live     bool      // rows still come: no time is lost
}

func (l *Loader) newPatience(subject string) *patience {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = l.config.Retry.First, l.config.Retry.Max
	return &patience{loader: l, subject: subject, logs: l.logs, wait: wait}
}

// rest waits until the next attempt after an error. It returns why there is none. remark ends the log line.
func (p *patience) rest(err error, remark string) error {
	l := p.loader
	p.attempts++
	if permanent(err) || l.ctx.Err() != nil {
		return err
	}
	if p.failing.IsZero() || p.live {
		p.failing = time.Now()
	}
	if time.Since(p.failing) >= l.config.Retry.For {
		return fmt.Errorf("gave up after %v (RETRY_FOR) and %d attempts: %w", l.config.Retry.For, p.attempts, err)
	}
	pause := p.wait.NextBackOff()
	p.logs.Warn(fmt.Sprintf("%s: load failed, next attempt in %v: %v%s", p.subject, pause.Round(time.Millisecond), err, remark))
	select {
	case <-time.After(pause):
		return nil
	case <-l.ctx.Done():
		return fmt.Errorf("%w: %w", context.Cause(l.ctx), err)
	}
}

// doubling warns that another attempt may bring rows twice, when nobody can tell whether the last one brought them.
func doubling(table sidecar.Table, mode sidecar.Mode, err error) string {
	if refusal := sidecar.AsLoadError(err); refusal != nil && refusal.Unknown && mode == sidecar.Append && len(table.PrimaryKey) == 0 {
		return " (they may have been committed all the same, and without a primary key they are there twice then)"
	}
	return ""
}

// permanent says that another attempt at the same load cannot succeed.
func permanent(err error) bool {
	refusal := sidecar.AsLoadError(err)
	return errors.Is(err, sidecar.ErrLoadAborted) || refusal != nil && refusal.Permanent
}

// attempt is one try, once there is a place for it.
func (l *Loader) attempt(s *stream, b *batch) error {
	ctx, cancel := context.WithCancelCause(l.ctx)
	defer cancel(nil)
	free, err := l.place(b)
	if err != nil {
		return err
	}
	defer free()
	if !b.spool.Complete() && l.capabilities.LiveFor > 0 {
		// Once its last row is there, a load may take as long as it needs: the server reads the rest of it in time.
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
	began := time.Now()
	err = l.destination.Load(ctx, sidecar.Load{Table: s.config.Table, Mode: b.mode, Rows: rows, States: l.states(s, rows)})
	l.tried(s, began, err)
	if err != nil && errors.Is(context.Cause(ctx), errLiveTooLong) {
		return errLiveTooLong
	}
	if broken := b.spool.Err(); err != nil && broken != nil {
		return fmt.Errorf("%w (%w)", broken, sidecar.ErrLoadAborted)
	}
	return err
}

// rows are the rows of a batch in the order in which they are sent: where the last row of a key wins, the newest one must be the last.
func (l *Loader) rows(ctx context.Context, s *stream, b *batch) (sidecar.Rows, error) {
	if b.order.Mixed || !b.order.Disordered {
		return b.rowsToLoad(), nil
	}
	return spool.ByCursor(ctx, b.spool, s.cursor)
}

// rowsToLoad are the rows of a batch, in the order in which they came.
func (b *batch) rowsToLoad() sidecar.Rows {
	if b.bounded != nil {
		return b.bounded
	}
	return b.spool
}

// states are those that may be saved once the rows are acknowledged, for a Committer.
func (l *Loader) states(s *stream, rows sidecar.Rows) func() []sidecar.SavedState {
	if l.committer == nil {
		return nil
	}
	return func() []sidecar.SavedState {
		count := rows.Count()
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.tracker.Due(func(stream int) int64 {
			if stream == s.index {
				return count
			}
			return 0
		})
	}
}

// place waits until fewer loads run than Concurrency allows: live ones and others are counted apart. A live load that finds no place before its last
// row is there waits with the others from then on.
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

// awaitEnd waits for the last row of a batch.
func (l *Loader) awaitEnd(b *batch) error {
	select {
	case <-b.spool.Ended():
		return b.spool.Err()
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}
