package spool

import (
	"errors"
	"fmt"
	"slices"
)

// take gets slots for n bytes more than the size bytes that the slots held have, and returns the file and all slots.
func (d *disk) take(held []uint32, size, n int64) (File, []uint32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.file == nil { // a release may end the file whenever mu is free
		d.mu.Unlock()
		err := d.open()
		d.mu.Lock()
		if err != nil {
			return nil, held, err
		}
	}
	if d.limit > 0 && d.used+n > d.limit {
		return nil, held, fmt.Errorf("%w: the spool in %s would exceed %d bytes: raise SPOOL_LIMIT, or split the sync", errNoSpace, dirName(d.dir), d.limit)
	}
	for wanted := int((size + n + slotSize - 1) / slotSize); len(held) < wanted; d.lent++ {
		held = append(held, d.slot())
	}
	d.used += n
	return d.file, held, nil
}

// open makes the file unless it is there.
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

// slot finds a slot without rows, preferably one that has space on the disk.
//
// +checklocks:d.mu
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

// release takes back the slots of a spool that had size bytes in them.
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

// trim frees the space of all but keep spare slots.
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

// surplus takes out the spare slots whose space is to be freed, sorted; they count as lent until giveBack. When no slot holds rows it takes out the
// file instead, to be closed. When there is nothing to do, it returns neither.
func (d *disk) surplus(keep int) (File, []uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.spare) <= keep && !d.closed:
		return nil, nil
	case d.lent == 0:
		return d.end(), nil
	case d.solid || len(d.spare) <= keep:
		return nil, nil // the slots are used again, and the file is closed after the last spool
	}
	surplus := slices.Sorted(slices.Values(d.spare[keep:]))
	d.spare = slices.Clone(d.spare[:keep])
	d.lent += len(surplus)
	return d.file, surplus
}

// giveBack takes back what surplus took out: the first punched slots as holes, the others as spare. It returns the file, to be closed, when no slot
// holds rows.
func (d *disk) giveBack(slots []uint32, punched int, solid bool, keep int) File {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lent -= len(slots)
	slices.Reverse(slots)
	rest := len(slots) - punched
	d.spare, d.holes = append(d.spare, slots[:rest]...), append(d.holes, slots[rest:]...)
	d.solid = d.solid || solid // so that it is tried, and reported, once
	if d.lent == 0 && (d.closed || len(d.spare) > keep) {
		return d.end()
	}
	return nil
}

// punchSlots frees the space of slots, which are sorted, and says of how many.
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

// end takes out the file; the next row gets a new one.
//
// +checklocks:d.mu
func (d *disk) end() File {
	file := d.file
	d.file, d.length, d.spare, d.holes = nil, 0, nil, nil
	return file
}

// closeFile closes what end took out, if anything; that frees all of its space.
func closeFile(file File) error {
	if file == nil {
		return nil
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close the spool's file: %w", err)
	}
	return nil
}
