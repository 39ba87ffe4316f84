// Package owner tells whether the process that left something behind is gone. What it left carries the PID, and where that PID means something.
package owner

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Machine is where our PIDs mean something. The name of the host alone is shared by containers on the host's network, so the kernel's boot and the
// PID namespace are part of it where the system has them.
func Machine() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return host
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return host
	}
	return fmt.Sprintf("%s/%s/%s", host, strings.TrimSpace(string(boot)), namespace)
}

// Gone says whether no process of this machine has the PID. One that is somebody else's by now keeps things for longer, no more.
func Gone(pid int) bool {
	return pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
