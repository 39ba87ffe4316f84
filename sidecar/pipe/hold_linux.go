package pipe

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// node is a pipe that stays reachable while it is opened, even if its name is removed or taken by another meanwhile.
type node struct {
	fd   int
	path string
}

// hold refers to the pipe without opening either end of it (O_PATH). Without /proc the name has to do.
func hold(path string) (node, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return node{}, err
	}
	own := "/proc/self/fd/" + strconv.Itoa(fd)
	if _, err := os.Stat(own); err != nil {
		own = path
	}
	return node{fd: fd, path: own}, nil
}

// release lets the pipe go.
func (n node) release() {
	// An O_PATH descriptor has nothing to flush: its close cannot fail in a way that matters.
	_ = unix.Close(n.fd)
}

// setCapacity asks for a larger buffer; see OpenReader for why a refusal does not matter.
func setCapacity(file *os.File, bytes int) {
	connection, err := file.SyscallConn()
	if err != nil {
		return
	}
	//nolint:errcheck // It fails only on a closed file, which this is not.
	_ = connection.Control(func(fd uintptr) {
		//nolint:errcheck // A refusal does not matter.
		_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, bytes)
	})
}
