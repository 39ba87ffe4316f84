package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// startPodman starts Podman's service with a storage of its own, and returns its address. Podman is no part of what tests need: without it they skip.
func startPodman(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Podman: -short")
	}
	if _, err := exec.LookPath("podman"); err != nil || os.Getuid() != 0 {
		t.Skip("needs podman, and root")
	}
	place, err := os.MkdirTemp("", "podman") //nolint:usetesting // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	// Podman asks for more open files than a container that the tests run in may give.
	settings := filepath.Join(place, "containers.conf")
	if err := os.WriteFile(settings, []byte("[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "unix://" + filepath.Join(place, "s")
	var said bytes.Buffer
	// In namespaces of its own: what it mounts, connects and runs ends with it.
	service := exec.CommandContext(context.WithoutCancel(t.Context()), "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
		"podman", "--root", filepath.Join(place, "root"), "--runroot", filepath.Join(place, "run"), "--cgroup-manager", "cgroupfs",
		"system", "service", "--time", "0", address)
	service.Env = append(os.Environ(), "CONTAINERS_CONF="+settings)
	service.Stdout, service.Stderr = &said, &said
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = service.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = service.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("podman says: %s", said.String())
		}
		if err := os.RemoveAll(place); err != nil {
			t.Error(err)
		}
	})
	awaitEngine(t, address, ended)
	return address
}

// TestRunWithPodman: Podman's service answers as Docker's Engine does.
func TestRunWithPodman(t *testing.T) {
	t.Parallel()
	d := newDockerLineAt(t, startPodman(t))
	d.everyCommand("it is mounted")
	d.killedWhileRowsCome()
}
