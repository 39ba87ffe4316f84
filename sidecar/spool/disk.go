package spool

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// slotSize is the unit in which spools share the file, in bytes.
	slotSize = 64 << 10
	// spareSlots is how many slots without rows may keep their space on the disk for the next rows: allocating and freeing space costs more than
	// writing to it.
	spareSlots = 128 << 20 / slotSize
	// checkEvery is how many bytes may be spooled between two looks at the free space of the disk; fewer when little of it is left.
	checkEvery = 16 << 20
)

// errNoSpace is in the errors of a spool (errors.Is) when its limit or its disk leaves no room: there may be some after another spool is released.
var errNoSpace = errors.New("no room for more rows")

// NoSpace says that an error of Spool.Add or Spool.Finish may pass once another spool is released. The spool is as it was before the call.
func NoSpace(err error) bool {
	return errors.Is(err, errNoSpace) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// disk holds the rows that do not fit into memory: in one file, which all spools share in slots. A file for each spool would mean thousands of them
// with thousands of streams, and some file systems need milliseconds to make and to remove one.
type disk struct {
	dir      string
	limit    int64 // bytes that all spools together may hold there; 0 is no limit
	minFree  int64 // bytes of the disk to leave to others
	openFile func(dir string) (File, error)

	mu sync.Mutex // never held while the disk works
	// +checklocks:mu
	file File // nil before the first row
	// +checklocks:mu
	length int // of the file, in slots
	// +checklocks:mu
	lent int // slots that hold rows, or are being given back
	// +checklocks:mu
	spare []uint32 // slots without rows that take space on the disk
	// +checklocks:mu
	holes []uint32 // slots without rows that take none
	// +checklocks:mu
	used int64 // bytes of rows
	// +checklocks:mu
	unchecked int64 // bytes that may be written before the next look at the free space
	// +checklocks:mu
	short bool // little more than minFree was left at the last look
	// +checklocks:mu
	solid bool // the file system cannot free a part of a file
	// +checklocks:mu
	closed bool
}

// write appends rows to a spool that has size bytes in the slots held, and returns all its slots. After an error the rows do not count; the slots are
// the spool's all the same.
func (d *disk) write(held []uint32, size int64, rows []byte) ([]uint32, error) {
	count := int64(len(rows))
	if err := d.checkSpace(count); err != nil {
		return held, err
	}
	file, held, err := d.take(held, size, count)
	if err != nil {
		return held, err
	}
	for at := size; len(rows) > 0; {
		offset, room := place(held, at, int64(len(rows)))
		n, err := file.WriteAt(rows[:room], offset)
		if err != nil {
			d.forget(count)
			return held, fmt.Errorf("write the spool in %s (SPOOL_DIR) after %d bytes: %w", dirName(d.dir), at+int64(n), err)
		}
		at, rows = at+int64(n), rows[n:]
	}
	return held, nil
}

// read reads from an offset of a spool that has size bytes in the slots held, as much as fits into p.
func (d *disk) read(held []uint32, size, at int64, p []byte) (int, error) {
	d.mu.Lock()
	file := d.file
	d.mu.Unlock()
	p = p[:min(int64(len(p)), size-at)]
	for done := 0; done < len(p); {
		offset, room := place(held, at+int64(done), int64(len(p)-done))
		n, err := file.ReadAt(p[done:done+int(room)], offset)
		if err != nil {
			return done + n, fmt.Errorf("read the spool in %s: %w", dirName(d.dir), err)
		}
		done += n
	}
	return len(p), nil
}

// place says where in the file a byte of a spool is, and how many of the wanted bytes follow it there: slots are often neighbours.
func place(held []uint32, at, wanted int64) (offset, room int64) {
	first := at / slotSize
	offset, room = int64(held[first])*slotSize+at%slotSize, slotSize-at%slotSize
	for next := first + 1; room < wanted && held[next] == held[next-1]+1; next++ {
		room += slotSize
	}
	return offset, min(room, wanted)
}

// checkSpace refuses n more bytes when the disk is short of space even after the spare slots were freed. It looks at the disk only now and then.
func (d *disk) checkSpace(n int64) error {
	d.mu.Lock()
	d.unchecked -= n
	look, idle := d.unchecked < 0, len(d.spare) > 0
	d.mu.Unlock()
	if !look {
		return nil
	}
	free, err := d.free()
	if err == nil && free < d.minFree && idle {
		if err = d.trim(0); err == nil {
			free, err = d.free()
		}
	}
	if err != nil {
		return fmt.Errorf("look at the free space of %s (SPOOL_DIR): %w", dirName(d.dir), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	left := free + int64(len(d.spare))*slotSize - d.minFree // spare slots are free, too
	d.unchecked, d.short = min(left/4, checkEvery), left < 2*checkEvery
	if left < n {
		return fmt.Errorf("%w: the disk of %s has %d bytes left, less than SPOOL_MIN_FREE %d: free space, or point SPOOL_DIR to a larger disk",
			errNoSpace, dirName(d.dir), free, d.minFree)
	}
	return nil
}

// free is how many bytes the disk has left.
func (d *disk) free() (int64, error) {
	var stat unix.Statfs_t
	err := unix.Statfs(dirName(d.dir), &stat)
	return int64(stat.Bavail) * int64(stat.Bsize), err //nolint:unconvert // the types differ between platforms
}

// close closes the file once no spool needs it any more.
func (d *disk) close() error {
	d.mu.Lock()
	d.closed = true
	var file File
	if d.lent == 0 {
		file = d.end()
	}
	d.mu.Unlock()
	return closeFile(file)
}

// crowded says that little space is left.
func (d *disk) crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.limit > 0 && d.used > d.limit/4*3 || d.short && d.used > 0
}

// forget returns n bytes that were not written.
func (d *disk) forget(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used -= n
}
