package sidecar

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// slotSize is the unit in which spools share the file, in bytes.
	slotSize = 64 << 10
	// spareSlots is how many slots without rows may keep their place on the disk for the next rows: making and freeing places costs more than
	// writing to them.
	spareSlots = 128 << 20 / slotSize
	// spaceCheckEvery is how many bytes may be spooled between two looks at the free space of the disk.
	spaceCheckEvery = 16 << 20
)

// spoolDisk is where rows wait that do not fit into memory: a file that all spools share, in slots. It has no name, so that a killed process leaves
// nothing. Hundreds of interleaved streams would have hundreds of files, and making and removing each takes some file systems milliseconds.
type spoolDisk struct {
	dir     string
	limit   int64 // bytes that all spools together may hold there; 0 is no limit
	minFree int64 // bytes of the disk to leave to others

	mu        sync.Mutex
	file      *os.File // nil before the first row
	length    int      // of the file, in slots
	lent      int      // slots that hold rows
	spare     []uint32 // slots that hold none and take place on the disk
	holes     []uint32 // slots that hold none and take none
	used      int64    // bytes of rows
	unchecked int64    // of them, since the last look at the free space
	solid     bool     // the file system cannot give back a part of a file
	closed    bool
}

// write writes rows behind the first size bytes of a spool, which are in the slots given, and returns all its slots. After an error the rows do not
// count; the slots are still the spool's.
func (d *spoolDisk) write(held []uint32, size int64, rows []byte) ([]uint32, error) {
	count := int64(len(rows))
	file, held, err := d.take(held, size, count)
	if err != nil {
		return held, err
	}
	for at := size; len(rows) > 0; {
		offset, room := place(held, at, int64(len(rows)))
		n, err := file.WriteAt(rows[:room], offset)
		if err != nil {
			d.forget(count)
			return held, fmt.Errorf("write spool in %s (SPOOL_DIR) after %d bytes: %w", d.dir, at+int64(n), err)
		}
		at, rows = at+int64(n), rows[n:]
	}
	return held, nil
}

// read reads the rows of a spool of size bytes from an offset, as many as fit into p.
func (d *spoolDisk) read(held []uint32, size, at int64, p []byte) (int, error) {
	d.mu.Lock()
	file := d.file
	d.mu.Unlock()
	p = p[:min(int64(len(p)), size-at)]
	for done := 0; done < len(p); {
		offset, room := place(held, at+int64(done), int64(len(p)-done))
		n, err := file.ReadAt(p[done:done+int(room)], offset)
		if err != nil {
			return done + n, fmt.Errorf("read spool in %s: %w", d.dir, err)
		}
		done += n
	}
	return len(p), nil
}

// place is where a byte of a spool is in the file, and how many of the wanted ones follow it there: slots are often neighbours.
func place(held []uint32, at, wanted int64) (offset, room int64) {
	first := at / slotSize
	offset, room = int64(held[first])*slotSize+at%slotSize, slotSize-at%slotSize
	for next := first + 1; room < wanted && held[next] == held[next-1]+1; next++ {
		room += slotSize
	}
	return offset, min(room, wanted)
}

// take asks for place for n bytes behind the first size ones.
func (d *spoolDisk) take(held []uint32, size, n int64) (*os.File, []uint32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limit > 0 && d.used+n > d.limit {
		return nil, held, fmt.Errorf("spool in %s would exceed %d bytes: raise SPOOL_LIMIT, or split the sync", d.dir, d.limit)
	}
	if d.unchecked += n; d.used == 0 || d.unchecked >= spaceCheckEvery {
		if err := d.checkSpace(); err != nil {
			return nil, held, err
		}
		d.unchecked = 0
	}
	if err := d.open(); err != nil {
		return nil, held, err
	}
	for wanted := int((size + n + slotSize - 1) / slotSize); len(held) < wanted; d.lent++ {
		held = append(held, d.slot())
	}
	d.used += n
	return d.file, held, nil
}

// open makes the file. The caller holds mu.
func (d *spoolDisk) open() error {
	if d.file != nil {
		return nil
	}
	file, err := os.CreateTemp(d.dir, "sync-sidecar-spool-*")
	if err != nil {
		return fmt.Errorf("make spool file in %s (SPOOL_DIR): %w", d.dir, err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return errors.Join(fmt.Errorf("unlink spool file: %w", err), file.Close())
	}
	d.file = file
	return nil
}

// slot finds a slot, one that has its place on the disk first. The caller holds mu.
func (d *spoolDisk) slot() uint32 {
	for _, from := range []*[]uint32{&d.spare, &d.holes} {
		if last := len(*from) - 1; last >= 0 {
			slot := (*from)[last]
			*from = (*from)[:last]
			return slot
		}
	}
	d.length++
	return uint32(d.length - 1) // 2^32 slots are 256 TB
}

// checkSpace refuses when the disk is short, after giving back what holds no rows: what then still takes place without rows is free, too. The caller
// holds mu, as for trim.
func (d *spoolDisk) checkSpace() error {
	free, err := d.free()
	if err == nil && free < d.minFree && len(d.spare) > 0 {
		err = d.trim(0)
		if err == nil {
			free, err = d.free()
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("look at free space of %s (SPOOL_DIR): %w", d.dir, err)
	case free+int64(len(d.spare))*slotSize < d.minFree:
		return fmt.Errorf("disk of %s has %d bytes left, less than SPOOL_MIN_FREE %d: free space, or point SPOOL_DIR to a larger disk",
			d.dir, free, d.minFree)
	}
	return nil
}

// free is how many bytes the disk has left.
func (d *spoolDisk) free() (int64, error) {
	var stat unix.Statfs_t
	err := unix.Statfs(d.dir, &stat)
	return int64(stat.Bavail) * int64(stat.Bsize), err //nolint:unconvert // the types differ between platforms
}

// release takes the slots of a spool of size bytes back; they are nobody else's then.
func (d *spoolDisk) release(held []uint32, size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used -= size
	d.lent -= len(held)
	slices.Reverse(held) // slot takes the last: neighbours stay neighbours
	d.spare = append(d.spare, held...)
	keep := spareSlots
	if d.limit > 0 {
		keep = 0 // where the user has set a limit the disk is given back at once
	}
	if d.closed && d.lent > 0 {
		return nil // the last one closes the file
	}
	if err := d.trim(keep); err != nil {
		return fmt.Errorf("free spool file in %s: %w", d.dir, err)
	}
	return nil
}

// trim gives the disk back what holds no rows, but for so many slots. The caller holds mu, which is let go while the disk works: meanwhile the slots
// count as lent.
func (d *spoolDisk) trim(keep int) error {
	switch {
	case len(d.spare) <= keep && !d.closed:
		return nil
	case d.lent == 0:
		return d.end()
	case d.solid:
		return nil // the slots are used again, and the last spool gives the disk back
	}
	surplus := slices.Sorted(slices.Values(d.spare[keep:]))
	d.spare = slices.Clone(d.spare[:keep])
	d.lent += len(surplus)
	file := d.file
	d.mu.Unlock()
	punched, err := punchSlots(file, surplus)
	d.mu.Lock()
	d.lent -= len(surplus)
	slices.Reverse(surplus)
	rest := len(surplus) - punched
	d.spare, d.holes = append(d.spare, surplus[:rest]...), append(d.holes, surplus[rest:]...)
	d.solid = err != nil // tried and told of once
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	if d.lent == 0 && (d.closed || len(d.spare) > keep) {
		err = errors.Join(err, d.end())
	}
	return err
}

// punchSlots gives the disk back slots that are sorted, and says how many of them.
func punchSlots(file *os.File, slots []uint32) (punched int, err error) {
	for punched < len(slots) {
		to := punched + 1
		for to < len(slots) && slots[to] == slots[to-1]+1 {
			to++
		}
		if err := punchHole(file, int64(slots[punched])*slotSize, int64(to-punched)*slotSize); err != nil {
			return punched, err
		}
		punched = to
	}
	return punched, nil
}

// close gives the disk back once no spool needs it.
func (d *spoolDisk) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.lent > 0 {
		return nil
	}
	return d.end()
}

// end closes the file, which gives the disk all of it back. The caller holds mu, which is let go meanwhile; the next row finds a new file.
func (d *spoolDisk) end() error {
	if d.file == nil {
		return nil
	}
	file := d.file
	d.file, d.length, d.spare, d.holes = nil, 0, nil, nil
	d.mu.Unlock()
	err := file.Close()
	d.mu.Lock()
	if err != nil {
		return fmt.Errorf("close spool file in %s: %w", d.dir, err)
	}
	return nil
}

// crowded says that most of the limit is used: batches that can be loaded should be, before more rows come.
func (d *spoolDisk) crowded() bool {
	if d.limit == 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used > d.limit/4*3
}

// forget returns n bytes that were not written.
func (d *spoolDisk) forget(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used -= n
}
