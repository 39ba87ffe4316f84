package console

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is the program's end of a pseudo-terminal.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there are no pseudo-terminals:", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return slave
}

// A terminal that says it understands no cursor movements gets none.
func TestWhichTerminalIsDrawnOver(t *testing.T) {
	t.Parallel()
	file := terminal(t)
	for kind, want := range map[string]bool{"xterm-256color": true, "": true, "dumb": false} {
		view := NewView(file, Options{Term: kind})
		runs := NewRunsView(file, Options{Term: kind}, nil)
		if view.Live() != want || runs.Live() != want {
			t.Errorf("TERM=%q: %t, %t", kind, view.Live(), runs.Live())
		}
		view.Close(time.Minute)
		runs.Close(time.Minute)
	}
	quiet := NewView(file, Options{Quiet: true})
	if quiet.Live() {
		t.Error("live although quiet")
	}
	quiet.Close(time.Minute)
}
