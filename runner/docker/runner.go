package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"sync-sidecar/runner"
)

// Options are what a run on Docker can choose. Daemon, Version and Binary (or SidecarImage) are needed.
type Options struct {
	Daemon  Daemon
	Version string // of this program
	// Binary is the running program: the default sidecar image is made from it. CertFile is the CA bundle for that image; empty looks where systems
	// keep it.
	Binary   string
	CertFile string
	// SidecarImage is used instead of the default one.
	SidecarImage string
	Pull         Pull
	Platform     string   // os/arch[/variant] of the connector; empty is the Engine's choice
	Entrypoint   []string // of the connector instead of its image's
	Network      string   // of all containers; empty is the default bridge
	ExtraHosts   []string // HOST:IP, for all containers
	Memory       int64    // of the connector, in bytes; 0 is no limit
	CPUs         float64  // of the connector; 0 is no limit
	Volumes      []Volume // for the connector
	User         string   // of the connector, UID[:GID] or a name, instead of its image's
	// Proxy are the caller's proxy variables as KEY=VALUE, for all containers.
	Proxy []string
	// Keep leaves containers and volumes when the run is over.
	Keep bool
}

// Runner carries out tasks on one Engine.
type Runner struct {
	engine  *client.Client
	options Options
	pulled  references // in this run
	// seen is where the Engine is told to find a folder of this machine: there, but in tests.
	seen func(folder string) string
}

// cleanupTimeout bounds the removal of what a run made. It begins anew when a run is cancelled.
const cleanupTimeout = time.Minute

// New connects to the Engine; the error names where it should have been and what to do.
func New(ctx context.Context, options Options) (*Runner, error) {
	if options.Pull == "" {
		options.Pull = PullMissing
	}
	if _, err := parsePlatform(options.Platform); err != nil {
		return nil, err
	}
	options.Proxy = reachableProxies(options.Proxy, options.Network)
	engine, err := dial(ctx, options.Daemon)
	if err != nil {
		return nil, err
	}
	return &Runner{engine: engine, options: options, seen: func(folder string) string { return folder }}, nil
}

// Close ends the connection to the Engine.
func (r *Runner) Close() error { return r.engine.Close() }

// layout is the same in all three containers. A connector's image may have anything at usual paths, so the shared volume has a name of its own.
func layout() runner.Layout {
	return runner.Layout{Shared: "/sync-sidecar.d", Private: "/data", LocalDir: "/data/local", Place: true}
}

// Run carries out the task. The error is about the Engine or the caller's folder, and means that the outcome has no verdict; how the connector
// and the sidecar fared is in the outcome. When Run returns, everything it started is gone, unless Keep was chosen.
func (r *Runner) Run(ctx context.Context, task runner.Task, watch runner.Watch) (outcome runner.Outcome, err error) {
	watch = watch.Serial()
	setup, release := watch.UntilStop(ctx)
	defer release()
	pod, err := r.prepare(setup, task, watch)
	if err != nil {
		return runner.Outcome{}, cause(setup, err)
	}
	defer func() {
		// What was started has to go even when the caller is gone: ctx ends here, but its cancellation does not matter.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		err = errors.Join(err, pod.remove(cleanup), pod.folder.close(cleanup))
	}()
	if outcome, err := pod.start(setup); err != nil || outcome.Sidecar.Code != 0 {
		return outcome, cause(setup, err)
	}
	return pod.finish(ctx)
}

// cause is what ended ctx, if that is what the error is about: the client library says no more than "context canceled".
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// prepare makes sure that all a pod needs is there, and makes nothing but images.
func (r *Runner) prepare(ctx context.Context, task runner.Task, watch runner.Watch) (*pod, error) {
	p := &pod{runner: r, watch: watch}
	// The client keeps the version that it agrees on with the Engine where calls side by side would write and read it at once.
	r.engine.NegotiateAPIVersion(ctx)
	var engine system.Info
	group, together := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := r.sweep(together, watch.Event); err != nil && together.Err() == nil {
			// Tidying up after others must not cost anybody a run; the next one tries again.
			watch.Event(runner.Note("WARN", fmt.Sprintf("what a killed run left behind could not be removed: %v", cause(ctx, err))))
		}
		return nil
	})
	group.Go(func() (err error) {
		if engine, err = r.engine.Info(together); err != nil {
			return fmt.Errorf("ask the Engine about its machine: %w", err)
		}
		return nil
	})
	group.Go(func() error { return r.checkVolumes(together) })
	group.Go(func() (err error) {
		p.sidecarImage, err = r.ensureSidecar(together, watch.Event)
		return err
	})
	var connector image.InspectResponse
	group.Go(func() (err error) {
		connector, err = r.ensureImage(together, task.Image, r.options.Pull, watch.Event)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	notePlatform(engine, connector, watch.Event)
	p.connectorUser = r.userOf(connector)
	var err error
	if p.entrypoint = r.options.Entrypoint; len(p.entrypoint) == 0 {
		if p.entrypoint, err = entrypointOf(task.Image, connector, watch.Event); err != nil {
			return nil, err
		}
	}
	settings, notes := settingsInside(task, r.options.Network)
	task.Settings = settings
	for _, note := range notes {
		watch.Event(runner.Note("INFO", note))
	}
	if p.folder, err = openFolder(ctx, task, engine); err != nil {
		return nil, err
	}
	p.plan = runner.NewPlan(task, layout())
	return p, nil
}

// parsePlatform reads os/arch[/variant]; empty is nil, the Engine's choice.
func parsePlatform(platform string) (*ocispec.Platform, error) {
	if platform == "" {
		return nil, nil //nolint:nilnil // no platform is a valid platform for the API
	}
	parts := strings.FieldsFunc(platform, func(r rune) bool { return r == '/' })
	if len(parts) != 2 && len(parts) != 3 {
		return nil, fmt.Errorf("--platform %q: write it as linux/amd64", platform)
	}
	parsed := &ocispec.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		parsed.Variant = parts[2]
	}
	return parsed, nil
}
