package docker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
)

// collectGrace is how long the sidecar of a killed run may take to save what it has.
const collectGrace = 20 * time.Second

// inUseError says that the folder is in use: what a killed run read has to stay on the Engine for now.
type inUseError struct{ cause error }

// Error is the text of the cause.
func (e *inUseError) Error() string { return e.cause.Error() }

// Unwrap is the cause.
func (e *inUseError) Unwrap() error { return e.cause }

// collect brings what the sidecar of a killed run has in its copy into the caller's folder: states that a server keeps may cover rows that are
// nowhere else. labels are its container's. A container that works in the folder itself, or on none, has nothing to bring.
func (r *Runner) collect(ctx context.Context, id string, labels map[string]string) (err error) {
	dir, sync := labels[labelFolder], labels[labelSync]
	if dir == "" || labels[labelRole] != roleSidecar {
		return nil
	}
	seconds := int(collectGrace / time.Second)
	if err := r.engine.ContainerStop(ctx, id, container.StopOptions{Signal: "SIGTERM", Timeout: &seconds}); err != nil {
		return fmt.Errorf("stop the sidecar of a killed run: %w", err)
	}
	f := &folder{dir: dir, inside: sync}
	f.task.Command = sidecar.CommandRead
	if f.claim, err = incoming.ClaimFolder(ctx, filepath.Dir(dir), sync, labels[labelTask]); err != nil {
		return &inUseError{err}
	}
	defer func() { err = errors.Join(err, f.claim.Release(ctx)) }()
	base, err := incoming.StateDigest(dir)
	if err != nil {
		return err
	}
	if base != labels[labelBase] {
		return fmt.Errorf("%s has been read into since: its rows stay on the Engine (clean --remove drops them)", dir)
	}
	if err := f.download(ctx, r.engine, id, layout().LocalDir); err != nil && !errdefs.IsNotFound(err) { // killed before there was a copy
		return err
	}
	return nil
}
