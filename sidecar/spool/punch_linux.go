package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// punchHole frees the disk space of a part of a file, whose size stays. Where the file system cannot (fallocate(2)), the error is
// errors.ErrUnsupported.
func punchHole(file *os.File, offset, length int64) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	if err := conn.Control(func(fd uintptr) {
		failure = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, length)
	}); err != nil {
		return err
	}
	return failure
}
