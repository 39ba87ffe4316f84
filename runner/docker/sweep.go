package docker

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"sync-sidecar/runner"
	"sync-sidecar/runner/owner"
)

// sweep removes what killed runs of this machine left behind: things whose label names a process that is no more. What runs of other machines
// left on a shared Engine is not ours to judge.
func (r *Runner) sweep(ctx context.Context, note func(runner.Event)) error {
	ours := filters.NewArgs(filters.Arg("label", labelTask), filters.Arg("label", labelMachine+"="+owner.Machine()))
	containers, err := r.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	var problems []error
	for _, found := range containers {
		if isOrphan(found.Labels) {
			note(runner.Note("INFO", "removing a container that a killed run left behind (task "+found.Labels[labelTask]+")"))
			problems = append(problems, r.removeContainer(ctx, found.ID))
		}
	}
	volumes, err := r.engine.VolumeList(ctx, volume.ListOptions{Filters: ours})
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", errors.Join(append(problems, err)...))
	}
	for _, found := range volumes.Volumes {
		if isOrphan(found.Labels) {
			// One that is in use belongs to a container that another run is removing right now.
			if err := r.removeVolume(ctx, found.Name); !errdefs.IsConflict(err) {
				problems = append(problems, err)
			}
		}
	}
	return errors.Join(problems...)
}

// isOrphan says whether the process that the labels name is gone.
func isOrphan(labels map[string]string) bool {
	pid, err := strconv.Atoi(labels[labelPID])
	return err == nil && owner.Gone(pid)
}
