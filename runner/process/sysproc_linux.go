package process

import "syscall"

// ownGroup starts a process in a group of its own, and lets the kernel tell it to end when this process is killed, which can tell it nothing any
// more. (The kernel means the thread that starts it: see start.)
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
