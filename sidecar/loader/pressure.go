package loader

import (
	"time"

	"sync-sidecar/sidecar/spool"
)

// pressedBytes is how many bytes are worth a request when memory is used up and nothing of the stream is being loaded.
const pressedBytes = 1 << 20

const (
	memoryPatience = 100 * time.Millisecond // how long the appender waits for a load that gives memory back
	slowFor        = 5 * time.Second        // how long it does not wait again after it waited in vain
)

// relieve eases the pressure on memory and disk, for every buffer that a batch has filled. size is that of its last row.
func (l *Loader) relieve(s *stream, b *batch, size int64) {
	if buffer := int64(l.space.BufferSize()); b.bytes/buffer == (b.bytes-size)/buffer {
		return
	}
	switch {
	case l.space.Crowded():
		l.closeBatch(s)
		l.awaitDisk()
	case !l.space.Tight():
	case !s.working.Load() && b.bytes >= pressedBytes:
		l.closeBatch(s)
	case !b.spool.OnDisk():
		l.awaitMemory()
	}
}

// awaitRoom blocks until the stream may have another batch waiting.
func (l *Loader) awaitRoom(s *stream) {
	for !l.awaitRoomFor(s, tickWhileWaiting) {
		l.Tick(time.Now()) // the batches of other streams grow old meanwhile
	}
}

// tickWhileWaiting is how often somebody who waits for room looks after the age of other batches.
const tickWhileWaiting = 500 * time.Millisecond

// awaitRoomFor is awaitRoom for so long; false when there is no room then.
func (l *Loader) awaitRoomFor(s *stream, patience time.Duration) bool {
	began := time.Now()
	wake := time.AfterFunc(patience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.room.Broadcast()
	})
	defer wake.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.accounts[s.index].queue) >= waitingBatches && !s.failed.Load() && !l.hurried {
		if time.Since(began) >= patience {
			return false
		}
		l.room.Wait()
	}
	return true
}

// hasRoom says that the stream may have another batch waiting.
func (l *Loader) hasRoom(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accounts[s.index].queue) < waitingBatches
}

// awaitMemory blocks a moment for a load that is about to end: with a destination that keeps up, rows need not go by way of the disk. With a slow one
// they do, and the connector goes on.
func (l *Loader) awaitMemory() {
	began := time.Now()
	if began.Before(l.slowUntil) {
		return
	}
	wake := time.AfterFunc(memoryPatience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.room.Broadcast()
	})
	defer wake.Stop()
	enough := func() bool { return time.Since(began) >= memoryPatience }
	for seen := l.released(); l.space.Tight(); seen = l.released() {
		if !l.awaitReleaseAfter(seen, enough) {
			if enough() {
				l.slowUntil = time.Now().Add(slowFor)
			}
			return
		}
	}
}

// awaitDisk blocks while the disk is nearly used up and there are batches whose acknowledgement will free some of it. A full refresh frees nothing
// before its end.
func (l *Loader) awaitDisk() {
	for seen := l.released(); l.space.Crowded() && l.awaitReleaseAfter(seen, nil); seen = l.released() {
	}
}

// withRoom tries something that the disk may have no room for, again after each batch that is released, until none will be.
func (l *Loader) withRoom(try func() error) error {
	for {
		seen := l.released() // before the try: one that is released meanwhile counts
		if err := try(); !spool.NoSpace(err) || !l.awaitReleaseAfter(seen, nil) {
			return err
		}
	}
}

// released is how many batches were released so far.
func (l *Loader) released() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shortened
}

// awaitReleaseAfter blocks until more batches are released than were seen. It is false when no batch will be, or when enough says to stop waiting
// first.
func (l *Loader) awaitReleaseAfter(seen int64, enough func() bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.shortened == seen {
		if !l.draining() || l.hurried || enough != nil && enough() {
			return false
		}
		l.room.Wait()
	}
	return true
}

// draining says that a batch is being loaded whose end will free what it holds. A live one may take hours.
//
// +checklocks:l.mu
func (l *Loader) draining() bool {
	for i := range l.accounts {
		if queue := l.accounts[i].queue; len(queue) > 0 && !queue[0].live {
			return true
		}
	}
	return false
}
