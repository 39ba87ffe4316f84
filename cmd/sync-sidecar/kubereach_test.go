package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// breakConnection kills the programs that connect the sidecar in a container to the folder, and says whether there was one. It is for a node that
// is this machine.
func breakConnection(t *testing.T, container string) bool {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	killed := false
	for _, process := range processes {
		line, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err != nil || !strings.Contains(string(line), "in-pod\x00connect\x00") {
			continue
		}
		groups, err := os.ReadFile(filepath.Join(process, "cgroup"))
		if err != nil || !strings.Contains(string(groups), container) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		killed = err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil || killed
	}
	return killed
}

// sidecarOf is the container of the sidecar that reads; empty while there is none.
func (k *kubeLine) sidecarOf() string {
	for _, pod := range k.pods() {
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == "sidecar" && status.State.Running != nil && !strings.Contains(pod.Name, "-discover") {
				_, id, _ := strings.Cut(status.ContainerID, "://")
				return id
			}
		}
	}
	return ""
}

// The connection to the folder breaks again and again in the middle of a read: every row is there once, and a user hears nothing of it.
func TestRunOnKubernetesReachesItsFolderAgain(t *testing.T) {
	t.Parallel()
	if os.Getenv("TEST_KUBE_KUBELET") == "" {
		t.Skip("needs a node that is this machine: TEST_KUBE_KUBELET")
	}
	k := newKubeLine(t)
	const rows, breaks = 3000, 4
	command, stdout, stderr := k.command(k.args("read", "--streams", "orders", "--config",
		fmt.Sprintf(`{"counts":{"orders":%d},"rate":400,"records_per_state":40}`, rows))...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for range breaks {
		k.awaitOn(t, "a connection", func() bool { id := k.sidecarOf(); return id != "" && breakConnection(t, id) })
	}
	if code := codeOf(t, command.Wait()); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if got := k.rows("orders"); got != rows {
		t.Errorf("%d rows, want %d", got, rows)
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "WARN") || strings.Contains(line, "ERROR") || strings.Contains(line, "UnhandledError") {
			t.Errorf("it said %s", line)
		}
	}
}
