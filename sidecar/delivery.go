package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// waitingBatches is how many closed batches of one stream may wait, the loading one included, before the source has to: the pipe is the
// back-pressure.
const waitingBatches = 2

// wholeShare is what a full refresh may hold in memory: it is acknowledged only at its end, so the memory is better left to batches.
const wholeShare = 1 << 20

// delivery batches the rows of all streams, loads the batches and keeps the account of what is acknowledged. All of it is guarded by the session's
// lock, which the loads themselves do not hold.
type delivery struct {
	mu          *sync.Mutex
	room        *sync.Cond // on mu: a queue became shorter, a stream failed, or loading was stopped
	config      Config
	destination Destination
	limits      Limits
	ledger      *ledger
	streams     []*streamDelivery
	blocks      *blocks
	disk        *spoolDisk
	logs        *Logs
	saveable    func([]SavedState) // takes states whose rows are durable; called with mu held, does not block

	ctx       context.Context //nolint:containedctx // the life of all loads: workers are started from the reading goroutine
	stop      context.CancelCauseFunc
	loads     sync.WaitGroup
	batchSlot chan struct{}
	liveSlot  chan struct{}
	hurried   bool      // the session is ending: nobody waits for room any more
	slowUntil time.Time // loads take long: until then nobody waits for memory
}

// streamDelivery is the delivery of one stream.
type streamDelivery struct {
	index   int
	config  StreamConfig
	open    *batch
	queue   []*batch // closed, or live; the first one is loading
	working bool
	opened  int // batches so far
	acked   Position
	lastAck time.Time
	err     error // why no more of its rows are delivered
	ended   bool  // the source has said that it is done with the stream
}

// batch is one load in the making.
type batch struct {
	spool *spool
	mode  LoadMode
	since time.Time // of its first row
	rows  int64
	bytes int64
	live  bool // loading began with the first row
}

func newDelivery(ctx context.Context, mu *sync.Mutex, config Config, destination Destination, logs *Logs, saveable func([]SavedState)) *delivery {
	ctx, stop := context.WithCancelCause(ctx)
	d := &delivery{mu: mu, room: sync.NewCond(mu), config: config, destination: destination, limits: destination.Limits(), logs: logs,
		saveable: saveable, ctx: ctx, stop: stop, blocks: newBlocks(config.Spool.Memory, len(config.Streams)),
		disk:      &spoolDisk{dir: config.Spool.Dir, limit: config.Spool.Limit, minFree: config.Spool.MinFree},
		batchSlot: make(chan struct{}, config.LoadConcurrency), liveSlot: make(chan struct{}, config.LoadConcurrency)}
	names := make([]airbyte.StreamDescriptor, len(config.Streams))
	for i, stream := range config.Streams {
		names[i] = stream.Table.Stream
		d.streams = append(d.streams, &streamDelivery{index: i, config: stream})
	}
	d.ledger = newLedger(names)
	for i, stream := range config.Streams {
		d.ledger.streams[i].stale = stream.ReplaceFirst
	}
	return d
}

// row takes one row of a stream. Rows of a stream that has failed are dropped: no state will cover them. It may block until there is room.
func (d *delivery) row(s *streamDelivery, data, extra []byte) {
	if s.err != nil {
		return
	}
	if s.open == nil {
		d.openBatch(s)
	}
	b := s.open
	if err := b.spool.add(data, extra); err != nil {
		d.fail(s, err)
		return
	}
	size := int64(len(data)) + 1
	if len(extra) > 0 {
		size = b.spool.appended() - b.bytes
	}
	b.rows++
	b.bytes += size
	d.ledger.handOver(s.index, size)
	if b.live {
		return
	}
	limit := d.config.Batch
	if !s.working {
		limit.Rows, limit.Bytes = limit.Rows/8, limit.Bytes/8
	}
	if b.rows >= limit.Rows || b.bytes >= limit.Bytes {
		d.closeBatch(s)
		d.awaitRoom(s)
	} else if block := int64(d.blocks.size); b.bytes/block != (b.bytes-size)/block {
		d.relieve(s, b)
	}
}

// openBatch starts a batch; that of a full refresh is loaded while it fills.
func (d *delivery) openBatch(s *streamDelivery) {
	b := &batch{mode: LoadAppend, since: time.Now(), live: s.config.Whole}
	share := d.config.Spool.Memory
	if s.config.Whole {
		share = wholeShare
	}
	if s.config.Whole || (s.config.ReplaceFirst && s.opened == 0) {
		b.mode = LoadReplace
	}
	b.spool = newSpool(d.blocks, d.disk, share)
	s.open = b
	s.opened++
	if b.live {
		d.enqueue(s, b)
	}
}

// awaitRoom blocks until the stream may have another batch waiting.
func (d *delivery) awaitRoom(s *streamDelivery) {
	for len(s.queue) >= waitingBatches && s.err == nil && !d.hurried {
		d.room.Wait()
	}
}

// closeBatch hands the open batch to its loader.
func (d *delivery) closeBatch(s *streamDelivery) {
	b := s.open
	if b == nil {
		return
	}
	s.open = nil
	d.ledger.closeBatch(s.index)
	err := b.spool.finish()
	if err != nil {
		d.fail(s, err)
	}
	switch {
	case b.live: // its loader has it already
	case err != nil:
		d.release(b)
	default:
		d.enqueue(s, b)
	}
}

// atState closes a batch at a STATE when that is worth a request.
func (d *delivery) atState(s *streamDelivery, now time.Time) {
	if b := s.open; b != nil && !b.live && !s.working && now.Sub(b.since) >= d.config.Batch.StateAge {
		d.closeBatch(s)
	}
}

// tick closes batches that have become old.
func (d *delivery) tick() {
	for _, s := range d.streams {
		if b := s.open; b != nil && !b.live && len(s.queue) < waitingBatches && time.Since(b.since) >= d.config.Batch.Age {
			d.closeBatch(s)
		}
	}
}

// end closes what is open of a stream after its last row. A stream that is not whole keeps its old table when it is delivered as one load (I6).
func (d *delivery) end(s *streamDelivery, whole bool) {
	if s.ended && s.open == nil {
		return
	}
	s.ended = true
	switch {
	case s.err != nil:
	case s.open != nil && s.open.live && !whole:
		s.open.spool.abort(ErrLoadAborted)
		s.open = nil
		d.ledger.freeze(s.index)
	case s.open != nil:
		d.closeBatch(s)
	case s.opened == 0 && whole && s.config.ReplaceFirst:
		d.saveable(d.ledger.empty(s.index))
	case s.opened == 0 && s.config.Whole && whole && d.limits.ReplaceEmpty:
		d.openBatch(s)
		d.closeBatch(s)
	}
}

// enqueue gives a batch to the stream's loader, which is there only while there is work.
func (d *delivery) enqueue(s *streamDelivery, b *batch) {
	s.queue = append(s.queue, b)
	if !s.working {
		s.working = true
		d.loads.Go(func() { d.work(s) })
	}
}

// work loads the batches of a stream one after the other.
func (d *delivery) work(s *streamDelivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(s.queue) > 0 {
		b := s.queue[0]
		err := s.err
		if err == nil {
			d.mu.Unlock()
			err = d.load(s, b)
			d.mu.Lock()
		}
		switch {
		case err == nil:
			rows, bytes := b.spool.Count(), b.spool.Size()
			s.acked.Rows += rows
			s.acked.Bytes += bytes
			s.lastAck = time.Now()
			if ready := d.ledger.acknowledge(s.index, rows, bytes); len(ready) > 0 {
				d.saveable(ready)
			}
		case errors.Is(err, ErrLoadAborted):
		default:
			d.fail(s, err)
		}
		d.mu.Unlock() // giving a disk back may take a while
		d.release(b)
		d.mu.Lock()
		s.queue = s.queue[1:] // the batch is gone only now: whoever waits for memory or room waits for this
		d.room.Broadcast()
	}
	s.working = false
}

// release frees a batch.
func (d *delivery) release(b *batch) {
	if err := b.spool.release(); err != nil {
		d.logs.Warn(err.Error())
	}
}

// fail ends the delivery of a stream: its rows go nowhere from now on, and no state may cover them.
func (d *delivery) fail(s *streamDelivery, err error) {
	if s.err != nil {
		return
	}
	s.err = err
	d.ledger.freeze(s.index)
	if b := s.open; b != nil {
		s.open = nil
		b.spool.abort(err)
		if !b.live {
			d.release(b)
		}
	}
	d.room.Broadcast()
	if d.ctx.Err() == nil {
		d.logs.Error(fmt.Sprintf("stream %q: delivery failed, its further rows are dropped: %v", s.config.Table.Stream, err))
	}
}

// hurry lets the reading goroutine go on without waiting for room: the session is ending.
func (d *delivery) hurry() {
	d.hurried = true
	d.room.Broadcast()
}

// failed says that no row of any stream can be delivered any more.
func (d *delivery) failed() bool {
	for _, s := range d.streams {
		if s.err == nil {
			return false
		}
	}
	return len(d.streams) > 0
}

// wait blocks until every load is done or given up; the caller does not hold mu.
func (d *delivery) wait() {
	d.loads.Wait()
	if err := d.disk.close(); err != nil {
		d.logs.Warn(fmt.Sprintf("close spool files: %v", err))
	}
}
