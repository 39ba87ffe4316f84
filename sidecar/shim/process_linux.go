package shim

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup makes the connector the leader of a process group, so that signals reach what it starts too, and lets the kernel kill it when the
// shim is killed: nobody would say how it ended, and the sidecar would wait for the end of pipes that an unattended connector holds open.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitEnd waits until the connector has ended, and leaves it to be collected.
func awaitEnd(command *exec.Cmd) error {
	for {
		err := unix.Waitid(unix.P_PID, command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// reapOrphans collects every ended child but the connector, without waiting for any. It asks for each by number: asking for "any" would also
// take the connector's exit status.
func reapOrphans(connector int) {
	// One list for each of our threads; a kernel without them (CONFIG_PROC_CHILDREN) leaves zombies, which end with the container.
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended; its children are in another list by now
		}
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil || pid == connector {
				continue
			}
			//nolint:errcheck // Nothing to collect, or collected: either is fine.
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}
