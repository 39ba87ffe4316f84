package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// podProcess is the sidecar, or the connector, of a pod that runs.
type podProcess struct {
	t              *testing.T
	command        *exec.Cmd
	stdout, stderr *lockedBuffer
	done           chan struct{}
	err            error // of Wait, once done
}

// spawn starts a program in a process group of its own, which ends with the test.
func (p *pod) spawn(environ []string, program string, args ...string) *podProcess {
	p.t.Helper()
	r := &podProcess{t: p.t, stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, done: make(chan struct{})}
	r.command = exec.Command(program, args...)
	r.command.Env, r.command.Dir, r.command.Stdout, r.command.Stderr = environ, p.dir, r.stdout, r.stderr
	r.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.command.WaitDelay = 5 * time.Second
	if err := r.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		r.err = r.command.Wait()
	}()
	p.t.Cleanup(r.kill)
	return r
}

// kill ends the whole process group.
func (r *podProcess) kill() {
	if err := syscall.Kill(-r.command.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		r.t.Error(err)
	}
	<-r.done
}

// signal sends a signal to the process alone.
func (r *podProcess) signal(number syscall.Signal) {
	r.t.Helper()
	if err := r.command.Process.Signal(number); err != nil {
		r.t.Fatal(err)
	}
}

// signalAll sends a signal to the whole process group.
func (r *podProcess) signalAll(number syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(-r.command.Process.Pid, number); err != nil {
		r.t.Fatal(err)
	}
}

// wait is the exit code.
func (r *podProcess) wait() int {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(podLimit):
		r.t.Fatalf("%s does not end: %s", r.command.Args, r.stderr)
	}
	exit := (*exec.ExitError)(nil)
	if errors.As(r.err, &exit) {
		return exit.ExitCode()
	}
	if r.err != nil {
		r.t.Fatal(r.err)
	}
	return 0
}

// environ is the environment of the sidecar and of init.
func (p *pod) environ(more ...string) []string {
	environ := append(more, "TMPDIR="+p.dir)
	for name, value := range p.env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// startSidecar starts the sidecar alone.
func (p *pod) startSidecar(args ...string) *podProcess {
	p.t.Helper()
	return p.spawn(p.environ(), p.sidecar, append([]string{"sidecar"}, args...)...)
}

// startSource starts the connector as the controller does: `sh -c 'eval "$AIRBYTE_ENTRYPOINT read …" 2> stderr > stdout'`.
func (p *pod) startSource() *podProcess {
	p.t.Helper()
	command := p.env["COMMAND"]
	if command != "spec" {
		command += " --config " + p.env["CONFIG_FILE"]
	}
	if p.env["COMMAND"] == "read" {
		command += " --catalog " + p.env["CATALOG_FILE"]
		if _, err := os.Stat(p.env["STATE_FILE"]); err == nil {
			command += " --state " + p.env["STATE_FILE"]
		}
	}
	environ := []string{"PATH=" + os.Getenv("PATH"), "AIRBYTE_ENTRYPOINT=" + p.source}
	if p.withShim {
		environ = append(environ, "TERMINATION_MESSAGE_PATH="+p.env["TERMINATION_MESSAGE_PATH"])
		return p.spawn(environ, p.sidecar, append([]string{"exec", "--stdout-pipe", p.path("stdout"), "--stderr-pipe", p.path("stderr"), "--"},
			strings.Fields(command)...)...)
	}
	script := fmt.Sprintf(`eval "$AIRBYTE_ENTRYPOINT %s" 2> %s > %s`, command, p.path("stderr"), p.path("stdout"))
	return p.spawn(environ, "/bin/sh", "-c", script)
}
