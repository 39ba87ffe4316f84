//go:build !linux

package shim

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the connector the leader of a process group, so that signals reach what it starts too.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitEnd waits until the connector has ended. Only Linux can leave it to be collected later.
func awaitEnd(command *exec.Cmd) error { return collect(command) }

// reapOrphans does nothing: containers are Linux, and elsewhere the shim is never their first process.
func reapOrphans(int) {}
