package sidecar

import "time"

// pressedBytes is the least that is worth a request when memory is used up and the stream's loader is idle.
const pressedBytes = 1 << 20

// relieve looks after memory and disk, at every block that a batch has filled.
func (d *delivery) relieve(s *streamDelivery, b *batch) {
	switch {
	case d.disk.crowded():
		d.closeBatch(s)
		d.awaitDisk()
	case !d.blocks.tight():
	case !s.working && b.bytes >= pressedBytes:
		d.closeBatch(s)
	case !b.spool.onDisk():
		d.awaitMemory()
	}
}

const (
	memoryPatience = 100 * time.Millisecond // for a load to end that gives memory back
	slowFor        = 5 * time.Second        // after it was in vain
)

// awaitMemory blocks a moment for a load that is about to end: with a destination that keeps up, rows need not go by way of the disk. With a slow one
// they do, and the source goes on.
func (d *delivery) awaitMemory() {
	began := time.Now()
	if began.Before(d.slowUntil) {
		return
	}
	wake := time.AfterFunc(memoryPatience, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.room.Broadcast()
	})
	defer wake.Stop()
	for d.blocks.tight() && d.draining() && !d.hurried {
		if time.Since(began) >= memoryPatience {
			d.slowUntil = time.Now().Add(slowFor)
			return
		}
		d.room.Wait()
	}
}

// awaitDisk blocks while the spool's limit is nearly reached and there are batches whose acknowledgement will free some of it. A full refresh frees
// nothing before its end.
func (d *delivery) awaitDisk() {
	for d.disk.crowded() && d.draining() && !d.hurried {
		d.room.Wait()
	}
}

// draining says that a batch is being loaded or waits for that.
func (d *delivery) draining() bool {
	for _, s := range d.streams {
		if len(s.queue) > 0 && !s.queue[0].live {
			return true
		}
	}
	return false
}
