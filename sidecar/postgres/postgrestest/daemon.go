package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startWithin = 30 * time.Second
	stopWithin  = 30 * time.Second
)

// A watcher is the server's parent. It stops the server when it reads a line, and when our end of the pipe closes because the test process is
// gone: then it also removes the files, as nobody else will. A shell starts background processes deaf to SIGINT, so it stops them with SIGTERM
// (PgBouncer) or what Postgres calls a fast shutdown, SIGINT, which Postgres hears because it sets its own handler.
const watcherScript = `folder=$1 signal=$2; shift 2
"$@" >>"$folder/log" 2>&1 </dev/null &
server=$!
echo $server >"$folder/pid"
read -r line; orphan=$?
kill -s "$signal" $server 2>/dev/null; wait $server
[ $orphan = 0 ] || { cd /; rm -rf "$folder"; }`

// daemon is a running server program.
type daemon struct {
	folder  string
	watcher *exec.Cmd
	control io.WriteCloser // the watcher reads it
}

// startDaemon starts program, and returns when ready says nil.
func startDaemon(as account, folder, stopSignal, program string, args []string, ready func() error) (*daemon, error) {
	if err := os.Remove(filepath.Join(folder, "pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	watcher := as.command(folder, "/bin/sh", append([]string{"-c", watcherScript, "sh", folder, stopSignal, program}, args...)...)
	control, err := watcher.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := watcher.Start(); err != nil {
		return nil, err
	}
	d := &daemon{folder: folder, watcher: watcher, control: control}
	err = poll(startWithin, func() (bool, error) {
		if err := ready(); err != nil {
			if pid, pidErr := d.pid(); pidErr == nil && ended(pid) {
				return true, fmt.Errorf("it ended: %w", err)
			}
			return false, err
		}
		return true, nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w\n%s", program, err, d.log()), d.stop())
	}
	return d, nil
}

// stop ends the server in its own way, and waits for it.
func (d *daemon) stop() error {
	_, err := io.WriteString(d.control, "stop\n")
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	timer := time.AfterFunc(stopWithin, func() { d.signal(syscall.SIGKILL) })
	defer timer.Stop()
	return errors.Join(err, d.watcher.Wait())
}

// kill ends the server and its processes with SIGKILL, and waits until they are gone: what one of them still has in shared memory keeps the next
// server from starting. The watcher lives on, until stop.
func (d *daemon) kill() error {
	family := d.signal(syscall.SIGKILL)
	return poll(stopWithin, func() (bool, error) {
		if i := slices.IndexFunc(family, func(pid int) bool { return !ended(pid) }); i >= 0 {
			return false, fmt.Errorf("process %d is still there", family[i])
		}
		return true, nil
	})
}

// signal reaches the server and its processes, which are groups of their own, and returns whom it reached.
func (d *daemon) signal(signal syscall.Signal) []int {
	pid, err := d.pid()
	if err != nil {
		return nil
	}
	// Halted first, so that it starts no others meanwhile.
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	family := append(children(pid), pid)
	for _, pid := range family {
		// One that ended meanwhile needs no signal.
		_ = syscall.Kill(pid, signal)
	}
	return family
}

// ended says whether a process is gone, or only waits for its parent to ask how it ended.
func ended(pid int) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return true // ps found none
	}
	return strings.HasPrefix(strings.TrimSpace(string(state)), "Z")
}

func (d *daemon) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(d.folder, "pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func (d *daemon) log() string {
	text, err := os.ReadFile(filepath.Join(d.folder, "log"))
	if err != nil {
		return "no log: " + err.Error()
	}
	return string(text)
}

// children of a process, as ps of Linux, macOS and the BSDs lists them.
func children(parent int) []int {
	list, err := exec.Command("ps", "-A", "-o", "ppid=,pid=").Output()
	if err != nil {
		return nil
	}
	var pids []int
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(fields[1]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// freePort is one that nobody has now; whoever takes it first keeps it.
func freePort() (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, errors.Join(err, listener.Close())
	}
	if err := listener.Close(); err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// poll calls done until it is true, or time is up; then its last error counts.
func poll(within time.Duration, done func() (bool, error)) error {
	deadline := time.Now().Add(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", within, err)
		}
		<-tick.C
	}
}
