package logs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

const (
	maxQueue      = 10_000           // lines that may wait for the sinks; further ones are dropped and counted
	maxQueueBytes = 8 << 20          // bytes of text that may wait
	batchLines    = 500              // lines in one write
	batchEvery    = time.Second      // between two writes
	writeTimeout  = 10 * time.Second // for one write
	endTimeout    = 5 * time.Second  // for the last lines at the end of a session
)

// sinkQueue holds lines until the sinks have taken them.
type sinkQueue struct {
	sinks []sidecar.LogSink
	tell  func(string) // says on stderr that a sink fails
	wake  chan struct{}
	limit time.Duration // for the last lines; set before run's context ends

	mu sync.Mutex
	// +checklocks:mu
	queue []sidecar.LogRecord
	// +checklocks:mu
	bytes int // of the texts in queue
	// +checklocks:mu
	dropped int64 // lines that the queue had no room for, since the last batch
	// +checklocks:mu
	lost int64 // lines that will not reach a sink
	// +checklocks:mu
	failing bool // the last write failed, and that was told
}

func newSinkQueue(sinks []sidecar.LogSink, tell func(string)) *sinkQueue {
	return &sinkQueue{sinks: sinks, tell: tell, wake: make(chan struct{}, 1)}
}

// add queues a line, or drops it.
func (q *sinkQueue) add(record sidecar.LogRecord) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) >= maxQueue || q.bytes+len(record.Message) > maxQueueBytes {
		q.dropped++
		return
	}
	q.bytes += len(record.Message)
	q.queue = append(q.queue, record)
	if len(q.queue) >= batchLines {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// run writes to the sinks until ctx ends, and then, within limit, what is left. A write that is under way when ctx ends may use that time, too: the
// last lines matter most.
func (q *sinkQueue) run(ctx context.Context) {
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(q.limit, cancel) })
	defer forget()
	ticker := time.NewTicker(batchEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-q.wake:
		case <-ctx.Done():
			continue
		}
		q.flush(writing)
	}
	for q.flush(writing) && writing.Err() == nil {
	}
	q.giveUp()
}

// giveUp counts what is left as lost.
func (q *sinkQueue) giveUp() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost += int64(len(q.queue))
	q.queue, q.bytes = nil, 0
}

// flush writes one batch to every sink and says whether more is waiting.
func (q *sinkQueue) flush(ctx context.Context) (more bool) {
	records, more := q.take()
	if len(records) == 0 {
		return more
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for _, sink := range q.sinks {
		q.written(sink.AppendLogs(ctx, records), int64(len(records)))
	}
	return more
}

// take is the next batch.
func (q *sinkQueue) take() (records []sidecar.LogRecord, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.queue), batchLines)
	records = slices.Clone(q.queue[:n])
	q.queue = slices.Delete(q.queue, 0, n)
	for _, record := range records {
		q.bytes -= len(record.Message)
	}
	if q.dropped > 0 {
		records = append(records, sidecar.LogRecord{Time: time.Now().UTC(), Level: string(airbyte.LevelWarn), Logger: ownLogger,
			Message: fmt.Sprintf("%d log lines were dropped: they came faster than they could be stored", q.dropped)})
		q.lost, q.dropped = q.lost+q.dropped, 0
	}
	return records, len(q.queue) > 0
}

// written counts the lines that a sink did not take, and tells of the first failure in a row.
func (q *sinkQueue) written(err error, lines int64) {
	q.mu.Lock()
	tell := err != nil && !q.failing
	q.failing = err != nil
	if err != nil {
		q.lost += lines
	}
	q.mu.Unlock()
	if tell {
		q.tell(fmt.Sprintf("log lines could not be stored: %v", err))
	}
}

// lostLines is the number of lines that will not reach a sink.
func (q *sinkQueue) lostLines() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost + q.dropped
}
