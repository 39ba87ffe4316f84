// Package loader batches the rows of all streams, loads the batches side by side, and keeps the account of what the destination has acknowledged.
//
// Rows and states come in from one goroutine, the appender, by the methods of appender.go. Loads go out to a sidecar.Destination from goroutines of
// their own (worker.go), one for each stream that has work. States whose rows are acknowledged (I1, by package checkpoint) go to the function that
// was given to New. When too many batches of a stream wait, the appender waits, too, and with it the connector: the pipe is the back-pressure.
//
// A Loader's lock is held for bookkeeping only: never while the spool's disk or the destination works.
package loader

import (
	"context"
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

// BatchConfig says when a batch is closed. While nothing of its stream is being loaded, an eighth of Rows or Bytes closes it, too.
type BatchConfig struct {
	Rows  int64
	Bytes int64
	Age   time.Duration // since its first row
	// StateAge is how old a batch must be before a STATE alone closes it: a connector that sends a state per row must not cause a request per row.
	StateAge time.Duration
}

// RetryConfig says how a load is tried again whose error may pass.
type RetryConfig struct {
	First time.Duration // wait before the second attempt
	Max   time.Duration // longest wait between two attempts
	For   time.Duration // from a load's first error until its stream fails
}

// DefaultConfig is what suits most syncs.
func DefaultConfig() Config {
	return Config{
		Batch:       BatchConfig{Rows: 200_000, Bytes: 64 << 20, Age: 30 * time.Second, StateAge: 5 * time.Second},
		Spool:       spool.Config{Memory: 16 << 20, MinFree: 256 << 20},
		Retry:       RetryConfig{First: 500 * time.Millisecond, Max: 30 * time.Second, For: 10 * time.Minute},
		Concurrency: 4,
	}
}

// Loader is the delivery of one read.
type Loader struct {
	config       Config
	destination  sidecar.Destination
	committer    sidecar.Committer // the destination, where it is one
	capabilities sidecar.Capabilities
	space        *spool.Space
	logs         *logs.Logger
	saveable     func(order int64, states []sidecar.SavedState)
	streams      []*stream

	ctx       context.Context //nolint:containedctx // ends all loads: the appender starts workers at any time
	stop      context.CancelCauseFunc
	loads     sync.WaitGroup
	batchSlot chan struct{}
	liveSlot  chan struct{}

	// The appender's alone:
	slowUntil time.Time // loads take long: until then it does not wait for memory
	kind      stateKind // of the states that the connector sends
	sequence  int64     // of the last state
	covering  int64     // of the last state of all streams

	mu   sync.Mutex
	room *sync.Cond // on mu: a queue became shorter, a stream failed, or loading was stopped
	// +checklocks:mu
	tracker *checkpoint.Tracker
	// +checklocks:mu
	accounts []account // by stream
	// +checklocks:mu
	order int64 // of the last states that the tracker let go
	// +checklocks:mu
	shortened int64 // how often a queue became shorter
	// +checklocks:mu
	groups int // that are closed and not loaded yet
	// +checklocks:mu
	hurried bool // the session is ending: nobody waits for room any more
}

// stream is what the appender knows of the delivery of one stream.
type stream struct {
	index  int
	config sidecar.StreamConfig
	open   *batch
	opened int              // batches so far
	handed sidecar.Position // what has been given to batches
	ended  bool             // End was called
	cursor cursor.Path      // by which the rows of a load are ordered; empty when they are not
	exact  bool             // its rows are loaded only together with what covers them (exact.go)
	whole  bool             // of an exact stream that ended: it ended well

	failed  atomic.Bool // its account has an error; set under mu
	working atomic.Bool // a goroutine loads its batches; set under mu
}

// account is what has become of a stream's batches.
type account struct {
	queue   []*batch // closed or live ones; the first is being loaded
	acked   sidecar.Position
	lastAck time.Time
	err     error // why no more of its rows are delivered
	loads   sidecar.StreamLoads
}

// batch is one load in the making.
type batch struct {
	spool *spool.Spool
	mode  sidecar.Mode
	since time.Time // of its first row
	rows  int64     // the appender's alone, as bytes
	bytes int64
	live  bool         // it is loaded while rows are still added
	order cursor.Order // of its rows; the appender's alone, until the batch is closed
	users atomic.Int32 // the appender, the worker, or both

	// Of an exact stream:
	covered sidecar.Position // rows and bytes before the last state; the appender's alone
	bounded *spool.Bounded   // the rows that are loaded
	group   *group           // with whose batches it is loaded; nil when alone
}

// New makes a loader of streams. Loads end with ctx or with Stop; the caller must call Wait. saveable takes states whose rows are durable, with a
// number that is higher for later ones: it is called from several goroutines, also out of order, and must not block.
func New(ctx context.Context, config Config, streams []sidecar.StreamConfig, destination sidecar.Destination, logs *logs.Logger,
	saveable func(order int64, states []sidecar.SavedState)) *Loader {
	ctx, stop := context.WithCancelCause(ctx)
	l := &Loader{config: config, destination: destination, capabilities: destination.Capabilities(), logs: logs, saveable: saveable,
		space: spool.NewSpace(config.Spool, len(streams)), tracker: checkpoint.New(streams), accounts: make([]account, len(streams)), ctx: ctx, stop: stop,
		batchSlot: make(chan struct{}, config.Concurrency), liveSlot: make(chan struct{}, config.Concurrency), sequence: beforeAll}
	l.room = sync.NewCond(&l.mu)
	l.committer, _ = destination.(sidecar.Committer)
	for i, config := range streams {
		s := &stream{index: i, config: config, exact: l.mustBeExact(config)}
		if l.committer != nil && !config.Incremental {
			l.tracker.LeaveOut(i)
		}
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
	Working bool      // a batch of it is being loaded
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

// Loads are those of all streams, in their order.
func (l *Loader) Loads() []sidecar.StreamLoads {
	l.mu.Lock()
	defer l.mu.Unlock()
	loads := make([]sidecar.StreamLoads, len(l.accounts))
	for i, account := range l.accounts {
		loads[i] = account.loads
		loads[i].Waiting = len(account.queue)
	}
	return loads
}

// tried counts an attempt at a load.
func (l *Loader) tried(s *stream, began time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	loads := &l.accounts[s.index].loads
	loads.Attempts++
	loads.Time += time.Since(began)
	if err != nil {
		loads.Failures++
	}
}

// Failed says that no row of any stream will be delivered any more.
func (l *Loader) Failed() bool {
	for _, s := range l.streams {
		if !s.failed.Load() {
			return false
		}
	}
	return len(l.streams) > 0
}

// Fail ends the delivery of a stream: its further rows are dropped, and no later state that covers them is saved. The first reason counts.
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
		l.logs.Of(s.config.Table.Stream.String()).Error(
			fmt.Sprintf("stream %q: delivery failed, its further rows are dropped: %v", s.config.Table.Stream, err))
	}
}

// markFailed notes why a stream fails. It returns its batches, which must not be committed, and false when the stream had failed before.
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

// Hurry says that the session is ending: the appender no longer waits for room.
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

// Wait blocks until every load is done or given up. Call it after End was called for each stream.
func (l *Loader) Wait() {
	l.loads.Wait()
	if err := l.space.Close(); err != nil {
		l.logs.Warn(err.Error())
	}
}
