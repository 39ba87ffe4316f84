//go:build !linux

package process

import "syscall"

// ownGroup starts a process in a group of its own. Should this process be killed, it runs to its end.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
