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

// spoolDisk is the folder where rows wait that do not fit into memory.
type spoolDisk struct {
	dir     string
	limit   int64 // bytes that all spools together may hold there; 0 is no limit
	minFree int64 // bytes of the disk to leave to others

	mu        sync.Mutex
	used      int64
	unchecked int64
}

// create makes a file without a name: it is gone with the process, however that ends.
func (d *spoolDisk) create() (*os.File, error) {
	file, err := os.CreateTemp(d.dir, "sync-sidecar-spool-*")
	if err != nil {
		return nil, fmt.Errorf("make spool file in %s (SPOOL_DIR): %w", d.dir, err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink spool file: %w", err), file.Close())
	}
	return file, nil
}

// take asks for n bytes more.
func (d *spoolDisk) take(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limit > 0 && d.used+n > d.limit {
		return fmt.Errorf("spool in %s would exceed %d bytes: raise SPOOL_LIMIT, or split the sync", d.dir, d.limit)
	}
	if d.unchecked += n; d.used == 0 || d.unchecked >= spaceCheckEvery {
		var stat unix.Statfs_t
		if err := unix.Statfs(d.dir, &stat); err != nil {
			return fmt.Errorf("look at free space of %s (SPOOL_DIR): %w", d.dir, err)
		}
		free := int64(stat.Bavail) * int64(stat.Bsize) //nolint:unconvert // the types differ between platforms
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
