// Package loader batches the rows of all streams, loads the batches side by side, and keeps the account of what the destination has acknowledged.
//
// Rows and states come in from one goroutine, the appender, by the methods of appender.go; loads go out to a sidecar.Destination from goroutines of their
// own, one for each stream that has work. States whose rows are acknowledged (I1, by package checkpoint) go to the function that was given to New. The
// appender waits when a stream has too many batches waiting: the pipe is the back-pressure.
//
// A Loader's lock is held for bookkeeping only: neither while the spool's disk or the destination works, nor while another room is called.
package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/checkpoint"
	"sync-sidecar/sidecar/cursor"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/spool"
)

// Config is how rows are batched and loaded.
type Config struct {
	Batch BatchConfig
	Spool spool.Config
	Retry RetryConfig
	// Concurrency is how many tables load at once; live full refreshes have as many places of their own.
	Concurrency int
}

// BatchConfig is when a batch is closed. A batch also closes earlier when its stream's previous load is done and it is an eighth full.
type BatchConfig struct {
	Rows  int64
	Bytes int64
	Age   time.Duration // since its first row
	// StateAge is how old a batch must be before a STATE alone closes it: a source that sends a state per row must not cause a request per row.
	StateAge time.Duration
}

// RetryConfig is how a load is repeated whose error may pass.
type RetryConfig struct {
	First time.Duration // before the first repetition
	Max   time.Duration // between two repetitions
	For   time.Duration // after the first error of a load; then its stream fails
}

// DefaultConfig is what suits most syncs.
func DefaultConfig() Config {
	return Config{
		Batch:       BatchConfig{Rows: 200_000, Bytes: 64 << 20, Age: 30 * time.Second, StateAge: 5 * time.Second},
		Spool:       spool.Config{Memory: 24 << 20, MinFree: 256 << 20},
		Retry:       RetryConfig{First: 500 * time.Millisecond, Max: 30 * time.Second, For: 10 * time.Minute},
		Concurrency: 4,
	}
}

// Loader is the delivery of one read.
type Loader struct {
	config       Config
	destination  sidecar.Destination
	capabilities sidecar.Capabilities
	space        *spool.Space
	logs         *logs.Logger
	saveable     func(order int64, states []sidecar.SavedState)
	streams      []*stream

	ctx       context.Context //nolint:containedctx // the life of all loads: workers are started by the appender
	stop      context.CancelCauseFunc
	loads     sync.WaitGroup
	batchSlot chan struct{}
	liveSlot  chan struct{}
	slowUntil time.Time // loads take long: until then nobody waits for memory. The appender's alone

	mu   sync.Mutex
	room *sync.Cond // on mu: a queue became shorter, a stream failed, or loading was stopped
	// +checklocks:mu
	tracker *checkpoint.Tracker
	// +checklocks:mu
	accounts []account // by stream
	// +checklocks:mu
	order int64 // of what the tracker has let go
	// +checklocks:mu
	shortened int64 // how often a queue became shorter
	// +checklocks:mu
	hurried bool // the session is ending: nobody waits for room any more
}

// stream is the delivery of one stream as the appender sees it.
type stream struct {
	index  int
	config sidecar.StreamConfig
	open   *batch
	opened int              // batches so far
	handed sidecar.Position // what has been given to batches
	ended  bool             // the source has said that it is done with the stream
	cursor cursor.Path      // by which rows of a load are ordered; empty when they are not

	failed  atomic.Bool // its account has an error
	working atomic.Bool // a goroutine loads its batches
}

// account is what has become of a stream's batches.
type account struct {
	queue   []*batch // closed, or live; the first one is loading
	acked   sidecar.Position
	lastAck time.Time
	err     error // why no more of its rows are delivered
}

// batch is one load in the making.
type batch struct {
	spool *spool.Spool
	mode  sidecar.Mode
	since time.Time // of its first row
	rows  int64     // the appender's alone, as bytes
	bytes int64
	live  bool // loading began with the first row
	// newest is the greatest cursor so far; disordered says that an older row came after it. The appender's alone, until the batch is closed.
	newest     cursor.Value
	disordered bool
	users      atomic.Int32 // the appender, the worker, or both
}

// New makes a loader of streams. Loads end with ctx, or with Stop; the caller must call Wait. saveable takes states whose rows are durable, with a number
// that tells earlier from later ones: it may be called from several goroutines, and does not block.
func New(ctx context.Context, config Config, streams []sidecar.StreamConfig, destination sidecar.Destination, logs *logs.Logger,
	saveable func(order int64, states []sidecar.SavedState)) *Loader {
	ctx, stop := context.WithCancelCause(ctx)
	l := &Loader{config: config, destination: destination, capabilities: destination.Capabilities(), logs: logs, saveable: saveable,
		space: spool.NewSpace(config.Spool, len(streams)), tracker: checkpoint.New(streams), accounts: make([]account, len(streams)), ctx: ctx, stop: stop,
		batchSlot: make(chan struct{}, config.Concurrency), liveSlot: make(chan struct{}, config.Concurrency)}
	l.room = sync.NewCond(&l.mu)
	for i, config := range streams {
		s := &stream{index: i, config: config}
		if l.capabilities.LastWins && len(config.Table.PrimaryKey) > 0 && len(config.Table.Cursor) > 0 && config.Mode != sidecar.ReplaceWhole {
			s.cursor = cursor.NewPath(config.Table.Cursor)
		}
		l.streams = append(l.streams, s)
	}
	return l
}

// Progress is how far a stream has come.
type Progress struct {
	Acked   sidecar.Position
	LastAck time.Time // of the last acknowledgement
	Working bool      // a batch of it is loading
	Err     error     // why no more of its rows are delivered
}

// Progress of all streams, in their order.
func (l *Loader) Progress() []Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	progress := make([]Progress, len(l.streams))
	for i, account := range l.accounts {
		progress[i] = Progress{Acked: account.acked, LastAck: account.lastAck, Working: l.streams[i].working.Load(), Err: account.err}
	}
	return progress
}

// Failed says that no row of any stream can be delivered any more.
func (l *Loader) Failed() bool {
	for _, s := range l.streams {
		if !s.failed.Load() {
			return false
		}
	}
	return len(l.streams) > 0
}

// Fail ends the delivery of a stream: its rows go nowhere from now on, and no later state may cover them. The first reason counts.
func (l *Loader) Fail(index int, err error) {
	s := l.streams[index]
	live, first := l.markFailed(s, err)
	if !first {
		return
	}
	for _, b := range live {
		b.spool.Abort(err)
	}
	if l.ctx.Err() == nil {
		l.logs.Error(fmt.Sprintf("stream %q: delivery failed, its further rows are dropped: %v", s.config.Table.Stream, err))
	}
}

// markFailed notes why a stream fails, unless that is known, and returns its batches: those whose rows still come must not be committed.
func (l *Loader) markFailed(s *stream, err error) (batches []*batch, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	account := &l.accounts[s.index]
	if account.err != nil {
		return nil, false
	}
	account.err = err
	s.failed.Store(true)
	l.tracker.Freeze(s.index)
	l.room.Broadcast()
	return slices.Clone(account.queue), true
}

// Hurry lets the appender go on without waiting for room: the session is ending.
func (l *Loader) Hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hurried = true
	l.room.Broadcast()
}

// Stop gives all loads up.
func (l *Loader) Stop(cause error) {
	l.stop(cause)
	l.Hurry()
}

// Wait blocks until every load is done or given up. The appender has called End for each stream.
func (l *Loader) Wait() {
	l.loads.Wait()
	if err := l.space.Close(); err != nil {
		l.logs.Warn(err.Error())
	}
}

// enqueue gives a batch to the stream's worker, which is there only while there is work.
func (l *Loader) enqueue(s *stream, b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	account := &l.accounts[s.index]
	account.queue = append(account.queue, b)
	if !s.working.Load() {
		s.working.Store(true)
		l.loads.Go(func() { l.work(s) })
	}
}

// work loads the batches of a stream one after the other.
func (l *Loader) work(s *stream) {
	for b := l.next(s, false); b != nil; b = l.next(s, true) {
		err := l.failure(s)
		if err == nil {
			err = l.load(s, b)
		}
		switch {
		case err == nil:
			l.acknowledge(s, b)
		case errors.Is(err, sidecar.ErrLoadAborted):
		default:
			l.Fail(s.index, err)
		}
		l.done(b)
	}
}

// next is the batch to load, after the first of the queue is done; nil ends the stream's worker.
func (l *Loader) next(s *stream, done bool) *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	account := &l.accounts[s.index]
	if done {
		account.queue = account.queue[1:] // the batch is gone only now: whoever waits for memory or room waits for this
		l.shortened++
		l.room.Broadcast()
	}
	if len(account.queue) == 0 {
		s.working.Store(false)
		return nil
	}
	return account.queue[0]
}

// failure is why no more rows of a stream are delivered.
func (l *Loader) failure(s *stream) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accounts[s.index].err
}

// acknowledge counts a batch as durable, and lets the states go that waited for it.
func (l *Loader) acknowledge(s *stream, b *batch) {
	rows, bytes := b.spool.Count(), b.spool.Size()
	l.mu.Lock()
	account := &l.accounts[s.index]
	account.acked.Rows += rows
	account.acked.Bytes += bytes
	account.lastAck = time.Now()
	order, ready := l.letGo(l.tracker.Acknowledge(s.index, rows, bytes))
	l.mu.Unlock()
	l.saveable(order, ready)
}

// letGo numbers states that may be saved.
//
// +checklocks:l.mu
func (l *Loader) letGo(states []sidecar.SavedState) (int64, []sidecar.SavedState) {
	if len(states) > 0 {
		l.order++
	}
	return l.order, states
}

// done releases a batch that neither the appender nor a worker needs any more.
func (l *Loader) done(b *batch) {
	if b.users.Add(-1) > 0 {
		return
	}
	if err := b.spool.Release(); err != nil {
		l.logs.Warn(err.Error())
	}
}
