package docker

import (
	"os"
	"strconv"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/runner/owner"
)

// Labels of every container, volume and image that this package makes.
const (
	labelTask    = "sync-sidecar.task"
	labelSync    = "sync-sidecar.sync"
	labelRole    = "sync-sidecar.role"
	labelVersion = "sync-sidecar.version"
	labelCreated = "sync-sidecar.created" // RFC 3339
	labelMachine = "sync-sidecar.machine" // see owner.Machine
	labelPID     = "sync-sidecar.pid"
	labelKept    = "sync-sidecar.kept" // there when the run was told to keep it
	// labelBinary is the SHA-256 of the binary in an image that was made from it; only such images are ever replaced.
	labelBinary = "sync-sidecar.binary"
)

// labels are what containers and volumes of one run carry; role tells them apart.
func (r *Runner) labels(task runner.Task, role string) map[string]string {
	labels := map[string]string{
		labelTask: task.TaskID, labelSync: task.SyncID, labelRole: role, labelVersion: r.options.Version,
		labelCreated: time.Now().UTC().Format(time.RFC3339), labelMachine: owner.Machine(), labelPID: strconv.Itoa(os.Getpid()),
	}
	if r.options.Keep {
		labels[labelKept] = "true"
	}
	return labels
}
