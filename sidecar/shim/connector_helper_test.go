//go:build linux

package shim_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connectors are what the connector of the tests can do. Each returns its exit code.
var connectors = map[string]func() int{
	"talk":    talk,
	"listen":  listen,
	"silent":  silent,
	"flood":   flood,
	"suicide": suicide,
	"starve":  starve,
	"leave":   func() int { return leave(false) },
	"escape":  func() int { return leave(true) },
	"orphan":  orphan,
	"middle":  middle,
}

func runConnector(does string) int {
	act, ok := connectors[does]
	if !ok {
		fmt.Fprintf(os.Stderr, "no connector %q\n", does)
		return 98
	}
	return act()
}

// talk says its arguments on stdout and a line on stderr.
func talk() int {
	fmt.Println(strings.Join(os.Args[1:], " "))
	fmt.Fprintln(os.Stderr, "log")
	return 7
}

// listen says that it is ready, and then the first signal it gets; its child says so too.
func listen() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	name := "child"
	var child *exec.Cmd
	if len(os.Args) == 1 {
		name = "parent"
		child = again("listen", "child")
		if err := child.Start(); err != nil {
			fmt.Println(err)
			return 98
		}
	}
	fmt.Println("ready")
	fmt.Printf("%s got %s\n", name, unix.SignalName((<-signals).(syscall.Signal)))
	if child != nil {
		if err := child.Wait(); err != nil {
			fmt.Println(err)
		}
		return 9
	}
	return 0
}

// again is this program once more, with the same stdout and stderr.
func again(does string, args ...string) *exec.Cmd {
	command := &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{does}, args...), Stdout: os.Stdout, Stderr: os.Stderr}
	command.Env = append(os.Environ(), connectorVariable+"="+does)
	return command
}

// silent is ready and then does nothing, until somebody ends it.
func silent() int {
	fmt.Println("ready", os.Getpid())
	for {
		time.Sleep(time.Hour)
	}
}

// flood writes more than any pipe holds with one system call, as a C program does, and fails when not all was taken.
func flood() int {
	written, err := syscall.Write(1, make([]byte, 3<<20))
	if err != nil || written != 3<<20 {
		fmt.Fprintln(os.Stderr, written, err)
		return 1
	}
	return 0
}

// suicide dies of the signal whose number is its argument.
func suicide() int {
	number, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return 98
	}
	if err := syscall.Kill(os.Getpid(), syscall.Signal(number)); err != nil {
		return 98
	}
	return silent()
}

// starve dies as a process does that the kernel kills for want of memory: the count goes up, then SIGKILL.
func starve() int {
	if err := os.WriteFile(os.Args[1], []byte("low 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n"), 0o600); err != nil {
		return 98
	}
	os.Args = []string{"suicide", "9"}
	return suicide()
}

// leave ends and leaves a child behind that holds stdout and stderr; out of reach of the group when it escapes.
func leave(escape bool) int {
	child := again("silent")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: escape}
	if err := child.Start(); err != nil {
		fmt.Println(err)
		return 98
	}
	return 4
}

// orphan makes a process that loses its parent and ends, and says whether somebody collects it.
func orphan() int {
	middle := again("middle")
	middle.Stdout = nil
	text, err := middle.Output()
	if err != nil {
		fmt.Println(err)
		return 98
	}
	pid := strings.TrimSpace(string(text))
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			fmt.Println("collected")
			return 0
		}
	}
	fmt.Println("still a zombie")
	return 1
}

// middle starts a process, says its number and goes; the process ends a little later.
func middle() int {
	command := exec.Command("/bin/sh", "-c", "sleep 0.2")
	if err := command.Start(); err != nil {
		return 98
	}
	fmt.Println(command.Process.Pid)
	return 0
}
