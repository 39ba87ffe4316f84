package sidecar

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// spaceCheckEvery is how many bytes may be spooled between two looks at the free space of the disk.
const spaceCheckEvery = 16 << 20

// A spool that took little disk leaves its file to the next one: hundreds of interleaved streams have hundreds of small files, and making them, with
// their pages, costs more than writing them.
const (
	mostSpare  = 128 << 20 // bytes of disk that spare files may take
	spareBytes = 4 << 20   // that one may
)

// spoolFile is a file without a name.
type spoolFile struct {
	*os.File
	extent int64 // bytes it takes on the disk
}

// spoolDisk is the folder where rows wait that do not fit into memory.
type spoolDisk struct {
	dir     string
	limit   int64 // bytes that all spools together may hold there; 0 is no limit
	minFree int64 // bytes of the disk to leave to others

	mu        sync.Mutex
	used      int64
	unchecked int64
	spare     []*spoolFile
	spared    int64 // bytes of disk that they take
	closed    bool
}

// create gives a file without a name: it is gone with the process, however that ends. What it holds is of no use.
func (d *spoolDisk) create() (*spoolFile, error) {
	d.mu.Lock()
	if last := len(d.spare) - 1; last >= 0 {
		file := d.spare[last]
		d.spare = d.spare[:last]
		d.spared -= file.extent
		d.mu.Unlock()
		return file, nil
	}
	d.mu.Unlock()
	file, err := os.CreateTemp(d.dir, "sync-sidecar-spool-*")
	if err != nil {
		return nil, fmt.Errorf("make spool file in %s (SPOOL_DIR): %w", d.dir, err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink spool file: %w", err), file.Close())
	}
	return &spoolFile{File: file}, nil
}

// retire takes a file back of which so many bytes were written.
func (d *spoolDisk) retire(file *spoolFile, written int64) error {
	file.extent = max(file.extent, written)
	d.mu.Lock()
	d.used -= written
	// Where the user has set a limit the disk is given back at once.
	keep := !d.closed && d.limit == 0 && file.extent <= spareBytes && d.spared+file.extent <= mostSpare
	if keep {
		d.spare = append(d.spare, file)
		d.spared += file.extent
	}
	d.mu.Unlock()
	if keep {
		return nil
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close spool file in %s: %w", d.dir, err)
	}
	return nil
}

// close gives the spare files back; those in use are closed as they are retired.
func (d *spoolDisk) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.closeSpare()
}

// take asks for n bytes more.
func (d *spoolDisk) take(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limit > 0 && d.used+n > d.limit {
		return fmt.Errorf("spool in %s would exceed %d bytes: raise SPOOL_LIMIT, or split the sync", d.dir, d.limit)
	}
	if d.unchecked += n; d.used == 0 || d.unchecked >= spaceCheckEvery {
		free, err := d.free()
		if err == nil && free < d.minFree && len(d.spare) > 0 {
			free, err = d.freeWithoutSpare()
		}
		if err != nil {
			return fmt.Errorf("look at free space of %s (SPOOL_DIR): %w", d.dir, err)
		}
		if free < d.minFree {
			return fmt.Errorf(
				"disk of %s has %d bytes left, less than SPOOL_MIN_FREE %d: free space, or point SPOOL_DIR to a larger disk",
				d.dir,
				free,
				d.minFree,
			)
		}
		d.unchecked = 0
	}
	d.used += n
	return nil
}

// free is how many bytes the disk has left.
func (d *spoolDisk) free() (int64, error) {
	var stat unix.Statfs_t
	err := unix.Statfs(d.dir, &stat)
	return int64(stat.Bavail) * int64(stat.Bsize), err //nolint:unconvert // the types differ between platforms
}

// freeWithoutSpare gives the spare files back first. The caller holds mu.
func (d *spoolDisk) freeWithoutSpare() (int64, error) {
	err := d.closeSpare()
	free, freeErr := d.free()
	return free, errors.Join(err, freeErr)
}

// closeSpare gives the spare files back. The caller holds mu.
func (d *spoolDisk) closeSpare() error {
	var all error
	for _, file := range d.spare {
		all = errors.Join(all, file.Close())
	}
	d.spare, d.spared = nil, 0
	return all
}

// crowded says that most of the limit is used: batches that can be loaded should be, before more rows come.
func (d *spoolDisk) crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.limit > 0 && d.used > d.limit/4*3
}

// give returns n bytes.
func (d *spoolDisk) give(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used -= n
}
