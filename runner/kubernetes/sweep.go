package kubernetes

import (
	"context"
	"fmt"
	"strconv"

	"sync-sidecar/runner"
	"sync-sidecar/runner/manifest"
	"sync-sidecar/runner/owner"
)

// machine is where our PIDs mean something, as a label may say it.
func machine() string {
	const longest = 40
	return manifest.ObjectName(owner.Machine(), longest)
}

// sweep removes the Pods that killed runs of this machine left behind; their Secrets go with them. What runs of other machines left is not ours to
// judge. Tidying up after others must not cost anybody a run: the next one tries again.
func (r *Runner) sweep(ctx context.Context, note func(runner.Event)) {
	found, err := r.client.pods(ctx, labelMachine+"="+machine())
	for i := range found {
		pid, invalid := strconv.Atoi(found[i].Labels[labelPID])
		if invalid != nil || !owner.Gone(pid) || found[i].DeletionTimestamp != nil {
			continue
		}
		note(runner.Note("INFO", "removing Pod "+found[i].Name+", which a killed run left behind"))
		const grace = 1
		if failed := r.client.remove(ctx, "pods", found[i].Name, grace); failed != nil {
			err = failed
		}
	}
	if err != nil && ctx.Err() == nil {
		note(runner.Note("WARN", fmt.Sprintf("what a killed run left behind could not be removed: %v", err)))
	}
}
