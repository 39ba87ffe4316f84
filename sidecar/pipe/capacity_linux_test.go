package pipe_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestReaderWidensThePipe(t *testing.T) {
	reader, _ := openBoth(t, newPipe(t))
	connection, err := reader.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var size int
	var sizeErr error
	if err := connection.Control(func(fd uintptr) { size, sizeErr = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) }); err != nil {
		t.Fatal(err)
	}
	if sizeErr != nil || size != 1<<20 {
		t.Errorf("the pipe holds %d bytes (%v), want 1 MiB", size, sizeErr)
	}
}
