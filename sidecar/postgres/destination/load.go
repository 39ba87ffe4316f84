package destination

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// maxOpen is how many loads of one transaction keep their rows open from the first look at them until they are written.
const maxOpen = 16

// maxTries is how often one Load begins anew for what it learns on the way: a column that a row brings, a value that the server refuses, a key that
// comes twice.
const maxTries = 24

// Load commits the rows and the states of one load.
func (c *Client) Load(ctx context.Context, load sidecar.Load) error {
	return c.deliver(ctx, []sidecar.Load{load}, load.States)
}

// LoadTogether commits several loads and the states that cover all of them, in one transaction.
func (c *Client) LoadTogether(ctx context.Context, loads []sidecar.Load, states []sidecar.SavedState) error {
	return c.deliver(ctx, loads, func() []sidecar.SavedState { return states })
}

// deliver commits loads with the states that are known once their rows were read.
func (c *Client) deliver(ctx context.Context, loads []sidecar.Load, states func() []sidecar.SavedState) error {
	if err := c.prepare(ctx); err != nil {
		return c.explain(ctx, loads, err)
	}
	d := &delivery{client: c, loads: loads, states: states, id: rand.Text()}
	err := d.takeTurns(ctx)
	defer d.giveTurns()
	if err == nil {
		err = d.run(ctx)
	}
	return c.explain(ctx, loads, err)
}

// delivery is one call of Load or LoadTogether.
type delivery struct {
	client  *Client
	loads   []sidecar.Load
	states  func() []sidecar.SavedState
	id      string
	targets []*target // of the loads
	held    []*target // whose turn it is
	watch   *watch    // over the try under way
	observe bool      // rows have columns that nothing declares: all of them are read first
	// postponed is how often a load was put behind the others.
	postponed int
}

// takeTurns makes this the only call that commits something of its streams. Everybody takes several turns in one order.
func (d *delivery) takeTurns(ctx context.Context) error {
	for _, load := range d.loads {
		t, err := d.client.target(load.Table.Stream)
		if err != nil {
			return err
		}
		d.targets = append(d.targets, t)
	}
	sorted := slices.Clone(d.targets)
	slices.SortFunc(sorted, func(a, b *target) int { return strings.Compare(a.stream.String(), b.stream.String()) })
	for _, t := range sorted {
		if err := t.take(ctx); err != nil {
			return err
		}
		t.refusals = &refusals{columns: map[string]*refusal{}}
		d.held = append(d.held, t)
	}
	return nil
}

func (d *delivery) giveTurns() {
	for _, t := range d.held {
		t.give()
	}
}

// run settles what became of the last attempt, and then tries until there is nothing to learn.
func (d *delivery) run(ctx context.Context) error {
	if committed, err := d.settle(ctx); committed || err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := d.try(ctx)
		if err == nil || ctx.Err() != nil || try == maxTries || !d.learn(ctx, err) {
			return err
		}
	}
}

// settle finds out whether an earlier attempt at these loads was committed, and ends what is left of it at the server.
func (d *delivery) settle(ctx context.Context) (committed bool, err error) {
	for i, t := range d.targets {
		if !t.last.lost || !sameRows(t.last.rows, d.loads[i].Rows) {
			d.client.dismiss(ctx, t.last.backend)
			continue
		}
		if committed, err = d.client.settle(ctx, t); err != nil {
			return false, &sidecar.LoadError{Unknown: true, Message: d.client.name, Cause: err}
		}
		if committed {
			t.last.move.made()
			d.done(ctx)
			return true, nil
		}
	}
	for _, t := range d.targets {
		t.last = attempt{}
		d.client.settled(t)
	}
	return false, nil
}

// sameRows says that a load is one that was given before.
func sameRows(a, b sidecar.Rows) bool {
	return a != nil && b != nil && reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// try is one transaction.
func (d *delivery) try(ctx context.Context) (err error) {
	watched, watch := newWatch(ctx, d.client.options.LoadTimeout)
	defer func() {
		if cause := context.Cause(watched); err != nil && cause != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		watch.stop()
	}()
	d.watch = watch
	return d.tryWatched(watched)
}

// tryWatched is try, until the watch ends its context.
func (d *delivery) tryWatched(ctx context.Context) (err error) {
	works := make([]*work, 0, len(d.loads))
	defer func() {
		for _, w := range works {
			err = errors.Join(err, w.closeText())
		}
	}()
	for i, load := range d.loads {
		w, err := d.prepare(ctx, d.targets[i], load)
		if err != nil {
			return err
		}
		works = append(works, w)
		if len(d.loads) > maxOpen {
			if err := w.closeText(); err != nil {
				return err
			}
		}
	}
	return d.commit(ctx, works)
}

// commit writes the rows and the position that they reach.
func (d *delivery) commit(ctx context.Context, works []*work) error {
	c := d.client
	tx, backend, err := c.begin(ctx, lockForRows)
	if err != nil {
		return err
	}
	for i, t := range d.targets {
		t.last = attempt{load: d.id, rows: d.loads[i].Rows, backend: backend}
	}
	m := &move{client: c, load: d.id}
	for i, t := range d.targets {
		t.last.move, t.last.work = m, works[i]
	}
	if err := d.write(ctx, tx, works, m); err != nil {
		rollback(ctx, tx)
		d.forget(err)
		return err
	}
	err = m.step(ctx, tx)
	if lost := (*lostCommit)(nil); errors.As(err, &lost) {
		for _, t := range d.targets {
			t.last.lost = true
		}
		return err
	}
	d.forget(err)
	if err == nil {
		d.done(ctx)
	}
	return err
}

// write writes the rows, and notes what becomes of the streams and their states.
func (d *delivery) write(ctx context.Context, tx pgx.Tx, works []*work, m *move) error {
	for i, w := range works {
		if err := w.openText(ctx); err != nil {
			return err
		}
		if err := w.write(ctx, tx, i); err != nil {
			return &tableError{work: w, several: len(works) > 1, cause: err}
		}
		m.streams = append(m.streams, w.position())
	}
	if d.states != nil {
		m.states = d.states()
	}
	return nil
}

// forget lets the attempt go, unless the connection broke and its transaction may be still at work.
func (d *delivery) forget(err error) {
	for _, t := range d.targets {
		if err == nil || sqlState(err) != "" {
			t.last.backend = backend{}
		}
	}
}

// done takes note of loads that are committed.
func (d *delivery) done(ctx context.Context) {
	for _, t := range d.targets {
		if w := t.last.work; w != nil {
			if w.text != nil {
				d.client.keepNotes(t.stream, w.text.encoder.Notes())
			}
			if w.leftOut > 0 {
				d.client.keepNotes(t.stream, []layout.Note{{Reason: fmt.Sprintf("a trigger of table %s kept a row out of it", w.place), Count: w.leftOut}})
			}
			d.client.keyLater(ctx, w)
			if w.generation == t.spare {
				t.spare = relation{}
			}
		}
		t.last = attempt{}
	}
}

// tableError is an error of writing into one table.
type tableError struct {
	work    *work
	several bool // it is one of several tables
	cause   error
}

// Error names the table where the caller cannot know which it is.
func (e *tableError) Error() string {
	if !e.several {
		return e.cause.Error()
	}
	return fmt.Sprintf("table %s: %v", e.work.place, e.cause)
}

// Unwrap is the cause.
func (e *tableError) Unwrap() error { return e.cause }
