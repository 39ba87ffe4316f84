package spool

import (
	"fmt"
	"os"
)

// Config is where rows wait for their acknowledgement.
type Config struct {
	Dir     string // made when missing; empty is the system's folder for temporary files
	Memory  int64  // bytes that may wait in memory before the disk is used
	Limit   int64  // bytes on disk; 0 is no limit
	MinFree int64  // bytes of the disk to leave free
	// OpenFile makes the file that rows are written to; nil makes one without a name in Dir.
	OpenFile func(dir string) (File, error)
}

// Space is the memory and the disk space that the spools of a process share.
type Space struct {
	buffers *buffers
	disk    *disk
}

// NewSpace makes the space for so many streams. Nothing is written before rows come.
func NewSpace(config Config, streams int) *Space {
	open := config.OpenFile
	if open == nil {
		open = openUnlinked
	}
	return &Space{buffers: newBuffers(config.Memory, streams),
		disk: &disk{dir: config.Dir, limit: config.Limit, minFree: config.MinFree, openFile: open}}
}

// Probe makes the folder, unless it is there, and a file in it: the error says why rows cannot be spooled there.
func Probe(dir string) error {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folder of the spool (SPOOL_DIR): %w: mount a volume there, or name another folder", err)
		}
	}
	file, err := openUnlinked(dir)
	if err != nil {
		return fmt.Errorf("%w: mount a writable volume there, or name another folder", err)
	}
	return file.Close()
}

// Spool makes an empty spool that may hold so many bytes of full buffers in memory.
func (s *Space) Spool(share int64) *Spool {
	return &Spool{buffers: s.buffers, disk: s.disk, share: share, changed: make(chan struct{}), ended: make(chan struct{})}
}

// BufferSize is the unit in bytes in which rows move to readers or to the disk.
func (s *Space) BufferSize() int { return s.buffers.size }

// Tight says that memory is nearly used up: full buffers will soon go to the disk.
func (s *Space) Tight() bool { return s.buffers.tight() }

// Crowded says that the disk is nearly used up, by Limit or by MinFree: batches that can be loaded should be, before more rows come.
func (s *Space) Crowded() bool { return s.disk.crowded() }

// Close frees the disk space once no spool needs it any more.
func (s *Space) Close() error { return s.disk.close() }
