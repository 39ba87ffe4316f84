package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"sync-sidecar/runner"
	"sync-sidecar/runner/owner"
)

// Kind says what a leftover is.
type Kind string

// What this package makes on an Engine.
const (
	KindContainer Kind = "container"
	KindVolume    Kind = "volume"
	KindImage     Kind = "image"
)

// Fate says what may become of a thing that a run made.
type Fate string

// The fates. Only what is dead is removed without being asked for.
const (
	FateDead    Fate = "dead"    // its run was killed
	FateKept    Fate = "kept"    // its run was told to --keep it
	FateAlive   Fate = "alive"   // its run is at work
	FateForeign Fate = "foreign" // its run is, or was, on another machine: whether it is over cannot be told
)

// Leftover is a thing that a run made on the Engine.
type Leftover struct {
	Kind    Kind
	Fate    Fate
	ID      string
	Name    string
	Task    string
	Sync    string
	Machine string // that its run is, or was, on; see package owner
	Made    time.Time
	Running bool
}

// Leftovers are all things on the Engine that runs have made, containers first, and images that were made from other versions of this program.
func (r *Runner) Leftovers(ctx context.Context) ([]Leftover, error) {
	ours := filters.NewArgs(filters.Arg("label", labelTask))
	containers, err := r.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return nil, fmt.Errorf("look for containers of earlier runs: %w", err)
	}
	var found []Leftover
	for _, c := range containers {
		name := c.ID
		if len(c.Names) > 0 {
			name = strings.TrimPrefix(c.Names[0], "/")
		}
		found = append(found, leftoverOf(KindContainer, c.ID, name, c.Labels, c.State == container.StateRunning))
	}
	volumes, err := r.engine.VolumeList(ctx, volume.ListOptions{Filters: ours})
	if err != nil {
		return nil, fmt.Errorf("look for volumes of earlier runs: %w", err)
	}
	for _, v := range volumes.Volumes {
		found = append(found, leftoverOf(KindVolume, v.Name, v.Name, v.Labels, false))
	}
	images, err := r.formerImages(ctx)
	return append(found, images...), err
}

// leftoverOf reads the labels of a thing.
func leftoverOf(kind Kind, id, name string, labels map[string]string, running bool) Leftover {
	l := Leftover{Kind: kind, ID: id, Name: name, Task: labels[labelTask], Sync: labels[labelSync], Machine: labels[labelMachine], Running: running,
		Fate: FateAlive}
	if made, err := time.Parse(time.RFC3339, labels[labelCreated]); err == nil {
		l.Made = made
	}
	switch {
	case labels[labelKept] != "":
		l.Fate = FateKept
	case labels[labelMachine] != owner.Machine():
		l.Fate = FateForeign
	case isOrphan(labels):
		l.Fate = FateDead
	}
	return l
}

// formerImages are those that were made from another binary than this one, or that have lost their name to a newer one.
func (r *Runner) formerImages(ctx context.Context) ([]Leftover, error) {
	made, err := r.engine.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelBinary))})
	if err != nil {
		return nil, fmt.Errorf("look for images of earlier versions: %w", err)
	}
	digest, err := fileDigest(r.options.Binary)
	if err != nil {
		return nil, fmt.Errorf("read the running binary: %w", err)
	}
	var found []Leftover
	for _, former := range made {
		if former.Labels[labelBinary] == digest {
			continue
		}
		name := former.ID
		if len(former.RepoTags) > 0 {
			name = former.RepoTags[0]
		}
		found = append(found, Leftover{Kind: KindImage, Fate: FateDead, ID: former.ID, Name: name, Made: time.Unix(former.Created, 0)})
	}
	return found, nil
}

// Remove removes things, containers before volumes, and joins what went wrong. What is gone already is no error.
func (r *Runner) Remove(ctx context.Context, things []Leftover) error {
	order := []Kind{KindContainer, KindVolume, KindImage}
	things = slices.Clone(things)
	slices.SortStableFunc(things, func(a, b Leftover) int { return cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)) })
	var problems []error
	for _, thing := range things {
		var err error
		switch thing.Kind {
		case KindContainer:
			err = r.removeContainer(ctx, thing.ID)
		case KindVolume:
			err = r.removeVolume(ctx, thing.ID)
		case KindImage:
			_, err = r.engine.ImageRemove(ctx, thing.ID, image.RemoveOptions{Force: true})
			if errdefs.IsNotFound(err) {
				err = nil
			}
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", thing.Kind, thing.Name, err))
		}
	}
	return errors.Join(problems...)
}

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

// isOrphan says whether the process that the labels name is gone, and nobody wanted to keep what it made.
func isOrphan(labels map[string]string) bool {
	pid, err := strconv.Atoi(labels[labelPID])
	return err == nil && labels[labelKept] == "" && owner.Gone(pid)
}
