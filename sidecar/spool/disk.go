package spool

import (
	"errors"
	"fmt"
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
	// checkEvery is how many bytes may be spooled between two looks at the free space of the disk; fewer when little of it is left.
	checkEvery = 16 << 20
)

// errNoSpace is what the errors of a spool are (errors.Is) when its limit or its disk leaves no room: there may be some after a release.
var errNoSpace = errors.New("no room for more rows")

// NoSpace says that an error of Spool.Add or Spool.Finish may pass once another spool is released. The spool is as it was before the call.
func NoSpace(err error) bool {
	return errors.Is(err, errNoSpace) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// disk is where rows wait that do not fit into memory: a file that all spools share, in slots. Hundreds of interleaved streams would have hundreds of
// files, and making and removing each takes some file systems milliseconds.
type disk struct {
	dir      string
	limit    int64 // bytes that all spools together may hold there; 0 is no limit
	minFree  int64 // bytes of the disk to leave to others
	openFile func(dir string) (File, error)

	// mu guards what follows and is never held while the disk works.
	mu        sync.Mutex
	file      File     // nil before the first row
	length    int      // of the file, in slots
	lent      int      // slots that hold rows, or are being given back
	spare     []uint32 // slots that hold none and take place on the disk
	holes     []uint32 // slots that hold none and take none
	used      int64    // bytes of rows
	unchecked int64    // bytes that may be written before the next look at the free space
	short     bool     // little more than minFree was left at the last look
	solid     bool     // the file system cannot give back a part of a file
	closed    bool
}

// write writes rows behind the first size bytes of a spool, which are in the slots given, and returns all its slots. After an error the rows do not
// count; the slots are still the spool's.
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

// read reads the rows of a spool of size bytes from an offset, as many as fit into p.
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
func (d *disk) take(held []uint32, size, n int64) (File, []uint32, error) {
	if err := d.open(); err != nil {
		return nil, held, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limit > 0 && d.used+n > d.limit {
		return nil, held, fmt.Errorf("%w: the spool in %s would exceed %d bytes: raise SPOOL_LIMIT, or split the sync", errNoSpace, dirName(d.dir), d.limit)
	}
	for wanted := int((size + n + slotSize - 1) / slotSize); len(held) < wanted; d.lent++ {
		held = append(held, d.slot())
	}
	d.used += n
	return d.file, held, nil
}

// open makes the file.
func (d *disk) open() error {
	d.mu.Lock()
	missing := d.file == nil
	d.mu.Unlock()
	if !missing {
		return nil
	}
	file, err := d.openFile(d.dir)
	if err != nil {
		return err
	}
	d.mu.Lock()
	if d.file == nil {
		d.file, file = file, nil
	}
	d.mu.Unlock()
	if file != nil { // another spool was faster
		return file.Close()
	}
	return nil
}

// slot finds a slot, one that has its place on the disk first. The caller holds mu.
func (d *disk) slot() uint32 {
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

// checkSpace refuses n more bytes when the disk is short, after giving back what holds no rows. It looks at the disk now and then only.
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
	left := free + int64(len(d.spare))*slotSize - d.minFree // what takes place without rows is free, too
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

// release takes the slots of a spool of size bytes back; they are nobody else's then.
func (d *disk) release(held []uint32, size int64) error {
	d.mu.Lock()
	d.used -= size
	d.lent -= len(held)
	d.unchecked = 0      // there may be more room now
	slices.Reverse(held) // slot takes the last: neighbours stay neighbours
	d.spare = append(d.spare, held...)
	keep := spareSlots
	if d.limit > 0 || d.short {
		keep = 0 // where the disk is scarce it is given back at once
	}
	last := d.closed && d.lent > 0
	d.mu.Unlock()
	if last {
		return nil // the last one closes the file
	}
	if err := d.trim(keep); err != nil {
		return fmt.Errorf("free the spool in %s: %w", dirName(d.dir), err)
	}
	return nil
}

// trim gives the disk back what holds no rows, but for so many slots.
func (d *disk) trim(keep int) error {
	file, surplus := d.surplus(keep)
	if surplus == nil {
		return closeFile(file)
	}
	punched, err := punchSlots(file, surplus)
	closing := closeFile(d.giveBack(surplus, punched, err != nil, keep))
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, closing)
}

// surplus takes out the slots to be given back, sorted, which count as lent until giveBack. When no slot holds rows it takes the file itself, to be
// closed; when there is nothing to do it returns nil.
func (d *disk) surplus(keep int) (File, []uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.spare) <= keep && !d.closed:
		return nil, nil
	case d.lent == 0:
		return d.end(), nil
	case d.solid || len(d.spare) <= keep:
		return nil, nil // the slots are used again, and the last spool gives the disk back
	}
	surplus := slices.Sorted(slices.Values(d.spare[keep:]))
	d.spare = slices.Clone(d.spare[:keep])
	d.lent += len(surplus)
	return d.file, surplus
}

// giveBack takes slots back, the first of which are holes now, and returns the file to be closed when nothing else is in it.
func (d *disk) giveBack(slots []uint32, punched int, solid bool, keep int) File {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lent -= len(slots)
	slices.Reverse(slots)
	rest := len(slots) - punched
	d.spare, d.holes = append(d.spare, slots[:rest]...), append(d.holes, slots[rest:]...)
	d.solid = d.solid || solid // tried, and told of, once
	if d.lent == 0 && (d.closed || len(d.spare) > keep) {
		return d.end()
	}
	return nil
}

// punchSlots gives the disk back slots that are sorted, and says how many of them.
func punchSlots(file File, slots []uint32) (punched int, err error) {
	for punched < len(slots) {
		to := punched + 1
		for to < len(slots) && slots[to] == slots[to-1]+1 {
			to++
		}
		if err := file.Punch(int64(slots[punched])*slotSize, int64(to-punched)*slotSize); err != nil {
			return punched, err
		}
		punched = to
	}
	return punched, nil
}

// close gives the disk back once no spool needs it.
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

// end takes the file out; the next row finds a new one. The caller holds mu.
func (d *disk) end() File {
	file := d.file
	d.file, d.length, d.spare, d.holes = nil, 0, nil, nil
	return file
}

// closeFile closes what end took out, which gives the disk all of it back.
func closeFile(file File) error {
	if file == nil {
		return nil
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close the spool's file: %w", err)
	}
	return nil
}

// crowded says that little room is left.
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
