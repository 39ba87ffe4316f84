package docker

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"sync-sidecar/runner"
)

// Labels of every container, volume and image that this package makes.
const (
	labelTask    = "sync-sidecar.task"
	labelSync    = "sync-sidecar.sync"
	labelRole    = "sync-sidecar.role"
	labelVersion = "sync-sidecar.version"
	labelCreated = "sync-sidecar.created" // RFC 3339
	labelMachine = "sync-sidecar.machine" // see machine
	labelPID     = "sync-sidecar.pid"
	// labelBinary is the SHA-256 of the binary in an image that was made from it; only such images are ever replaced.
	labelBinary = "sync-sidecar.binary"
)

// labels are what containers and volumes of one run carry; role tells them apart.
func (r *Runner) labels(task runner.Task, role string) map[string]string {
	return map[string]string{
		labelTask: task.TaskID, labelSync: task.SyncID, labelRole: role, labelVersion: r.options.Version,
		labelCreated: time.Now().UTC().Format(time.RFC3339), labelMachine: machine(), labelPID: strconv.Itoa(os.Getpid()),
	}
}

// machine tells where a PID means something: the name of the host alone is shared by containers on the host's network, so the kernel's boot and
// the PID namespace are part of it where the system has them.
func machine() string {
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
