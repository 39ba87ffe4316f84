package logs

import (
	"bytes"
	"io"
	"math"
	"sync"
	"time"
)

// maxConsoleBytes may wait for stderr; further lines are dropped and counted.
const maxConsoleBytes = 1 << 20

// Console is a stderr that never makes its callers wait: it queues lines, and a goroutine writes them. It ends with Close.
type Console struct {
	out  io.Writer
	wake chan struct{}
	done chan struct{} // closed when the goroutine has ended

	mu sync.Mutex
	// +checklocks:mu
	queue []byte // whole lines
	// +checklocks:mu
	limit int // of queue, in bytes
	// +checklocks:mu
	dropped int64 // lines
	// +checklocks:mu
	closed bool
	// +checklocks:mu
	writing bool // lines that are not in the queue any more
	// +checklocks:mu
	waiting []chan struct{} // closed when all is written
}

// NewConsole starts writing to out.
func NewConsole(out io.Writer) *Console {
	c := &Console{out: out, wake: make(chan struct{}, 1), done: make(chan struct{}), limit: maxConsoleBytes}
	go c.run()
	return c
}

// Write takes whole lines. It never fails and never blocks.
func (c *Console) Write(lines []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// One line that is larger than the queue goes into an empty one.
	if c.closed || len(c.queue) > 0 && len(c.queue)+len(lines) > c.limit {
		c.dropped += int64(bytes.Count(lines, []byte{'\n'}))
		return len(lines), nil
	}
	c.queue = append(c.queue, lines...)
	c.signal()
	return len(lines), nil
}

// reserve makes room for the last lines of a session, which a full queue would drop.
func (c *Console) reserve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = math.MaxInt
}

// Dropped is the number of lines that were dropped.
func (c *Console) Dropped() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Close takes no more lines and waits, for as long as patience, until those that are queued are written. False when they were not: the goroutine then
// ends when its last write does, or with the process.
func (c *Console) Close(patience time.Duration) bool {
	c.mu.Lock()
	c.closed = true
	c.signal()
	c.mu.Unlock()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-c.done:
		return true
	case <-enough.C:
		return false
	}
}

// Flush waits, for as long as patience, until the lines that are queued are written: before something else writes to the same terminal.
func (c *Console) Flush(patience time.Duration) {
	c.mu.Lock()
	if len(c.queue) == 0 && !c.writing {
		c.mu.Unlock()
		return
	}
	written := make(chan struct{})
	c.waiting = append(c.waiting, written)
	c.mu.Unlock()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-written:
	case <-enough.C:
	}
}

// signal wakes the goroutine.
func (c *Console) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run writes what is queued until the console is closed and all is written.
func (c *Console) run() {
	defer close(c.done)
	var lines []byte
	for range c.wake {
		for {
			var closed bool
			if lines, closed = c.take(lines); len(lines) == 0 {
				if closed {
					return
				}
				break
			}
			// When stderr cannot be written, nobody is left to tell: the verdict is recorded all the same.
			_, _ = c.out.Write(lines) //nolint:errcheck // see above
		}
	}
}

// take exchanges the queue for a buffer whose lines were written.
func (c *Console) take(written []byte) (lines []byte, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines, c.queue = c.queue, written[:0]
	if c.writing = len(lines) > 0; !c.writing {
		for _, flushed := range c.waiting {
			close(flushed)
		}
		c.waiting = nil
	}
	return lines, c.closed
}
