package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"sync-sidecar/runner"
)

// pod is what one run has on the Engine: two volumes and three containers, by the names that remove looks for whether or not they were made.
type pod struct {
	runner       *Runner
	plan         runner.Plan
	watch        runner.Watch
	folder       *folder
	sidecarImage string
	entrypoint   []string
	// connectorUser is whom the connector runs as; nil when that is not known by number.
	connectorUser *user

	away sync.Once // that the Engine does not answer is said
}

// The roles of what a pod consists of.
const (
	roleShared    = "shared"
	rolePrivate   = "private"
	roleInit      = "init"
	roleConnector = "connector"
	roleSidecar   = "sidecar"
)

// logSize caps what the Engine keeps of a container's log: a sidecar in trouble may complain for hours.
const logSize = "16m"

// makeTimeout bounds the making of volumes and containers.
const makeTimeout = time.Minute

func (p *pod) name(role string) string { return "sync-sidecar-" + p.plan.Task.TaskID + "-" + role }

// make creates the volumes and containers and puts the files into them; nothing is started yet.
//
// A request to create something is never cancelled: the Engine would go on with it, and create what nobody removes.
func (p *pod) make(ctx context.Context) error {
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
	defer cancel()
	err := each([]string{roleShared, rolePrivate}, func(role string) error {
		options := volume.CreateOptions{Name: p.name(role), Labels: p.runner.labels(p.plan.Task, role)}
		if _, err := p.runner.engine.VolumeCreate(whole, options); err != nil {
			return fmt.Errorf("make volume %s: %w", p.name(role), err)
		}
		return nil
	})
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	err = each([]string{roleInit, roleConnector, roleSidecar}, func(role string) error {
		if err := p.makeContainer(whole, role); err != nil {
			return fmt.Errorf("make the container of the %s: %w", role, err)
		}
		return nil
	})
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return errors.Join(p.upload(ctx), p.uploadVolumes(ctx))
}

// spec is what the container of a role is made of.
type spec struct {
	config   *container.Config
	host     *container.HostConfig
	platform *ocispec.Platform
}

func (p *pod) makeContainer(ctx context.Context, role string) error {
	made, err := p.spec(role)
	if err == nil {
		_, err = p.runner.engine.ContainerCreate(ctx, made.config, made.host, nil, made.platform, p.name(role))
	}
	return err
}

// spec is what the container of a role is to be made of.
func (p *pod) spec(role string) (spec, error) {
	config, host := p.commonConfig(role)
	if role == roleConnector {
		config.Image = p.plan.Task.Image
		config.Entrypoint = []string{p.plan.Layout.Binary(), "exec", "--"}
		config.Cmd = append(append([]string{}, p.entrypoint...), p.plan.Connector.Args...)
		config.Env = append(config.Env, p.plan.Connector.Env...)
		// Swap would let a connector crawl on beyond its limit instead of failing with a cause.
		host.Memory, host.MemorySwap = p.runner.options.Memory, p.runner.options.Memory
		host.NanoCPUs = int64(p.runner.options.CPUs * 1e9)
		config.User = p.runner.options.User // empty is the image's own
		host.Mounts = append(host.Mounts, p.volumeMounts()...)
		platform, err := parsePlatform(p.runner.options.Platform)
		return spec{config, host, platform}, err
	}
	step := p.plan.Init
	if role == roleSidecar {
		step = p.plan.Sidecar
	}
	config.Image, config.User = p.sidecarImage, p.folder.user().String()
	config.Cmd, config.Env = append([]string{}, step.Args...), append(config.Env, step.Env...)
	host.Mounts = append(host.Mounts, p.mount(rolePrivate, p.plan.Layout.Private))
	if p.folder.mounted != nil {
		host.Mounts = append(host.Mounts, p.runner.folderMount(p.folder, p.plan.Layout.LocalDir))
		if role == roleInit {
			mounts, same, err := p.compareVolumes()
			if err != nil {
				return spec{}, err
			}
			host.Mounts = append(host.Mounts, mounts...)
			config.Cmd = append(config.Cmd, "--answer", path.Join(p.plan.Layout.LocalDir, p.folder.inside, p.folder.mounted.name()))
			config.Cmd = append(config.Cmd, same...)
		}
	}
	if role == roleSidecar && p.folder.shared != nil {
		config.Cmd = append(config.Cmd, "--folder-socket", p.folderSocket())
	}
	if role == roleInit && !p.plan.Task.JournalAtServer {
		host.NetworkMode, host.ExtraHosts = "none", nil // it has nobody to talk to, and a network takes a while to set up
	}
	return spec{config, host, nil}, nil
}

// commonConfig is what all three containers have. Never a TTY: it would merge stdout and stderr.
func (p *pod) commonConfig(role string) (*container.Config, *container.HostConfig) {
	options := p.runner.options
	reap := true
	config := &container.Config{
		Labels: p.runner.labels(p.plan.Task, role),
		Env:    append([]string{}, options.Proxy...),
		// An image's health check would run inside the connector all along, for nobody.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	host := &container.HostConfig{
		Init:        &reap,
		NetworkMode: container.NetworkMode(options.Network),
		Mounts:      []mount.Mount{p.mount(roleShared, p.plan.Layout.Shared)},
		LogConfig:   container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": logSize, "max-file": "2"}},
		ExtraHosts:  append([]string{}, options.ExtraHosts...),
	}
	if options.Network != "host" && options.Network != "none" {
		host.ExtraHosts = append(host.ExtraHosts, gatewayName+":host-gateway")
	}
	return config, host
}

// mount never copies what an image has at the target, nor its owner, into the volume.
func (p *pod) mount(role, target string) mount.Mount {
	options := &mount.VolumeOptions{NoCopy: true, Labels: p.runner.labels(p.plan.Task, role)} // should the Engine make it on the way
	return mount.Mount{Type: mount.TypeVolume, Source: p.name(role), Target: target, VolumeOptions: options}
}

// upload streams folders, files and what the sidecar needs of the caller's folder through the init container, which need not run for it.
func (p *pod) upload(ctx context.Context) error {
	reader, writer := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		files := newArchive(writer)
		files.plan(p.plan, p.folder.user())
		p.folder.upload(files, p.plan.Layout.LocalDir)
		writer.CloseWithError(files.close())
	}()
	err := p.runner.engine.CopyToContainer(ctx, p.name(roleInit), "/", reader, container.CopyToContainerOptions{})
	err = errors.Join(err, reader.Close())
	<-written
	if err != nil {
		return fmt.Errorf("copy config and saved data to the Engine: %w", err)
	}
	return nil
}

// remove takes away what was made, unless it is to be kept.
func (p *pod) remove(ctx context.Context) error {
	if p.runner.options.Keep {
		p.watch.Event(runner.Note("INFO", fmt.Sprintf("kept: containers and volumes with the label %s=%s", labelTask, p.plan.Task.TaskID)))
		return nil
	}
	return p.takeAway(ctx)
}

// takeAway takes away what was made: the containers first, since a volume stays while any container refers to it. What is not there is no error.
func (p *pod) takeAway(ctx context.Context) error {
	return errors.Join(
		each([]string{roleConnector, roleSidecar, roleInit}, func(role string) error { return p.runner.removeContainer(ctx, p.name(role)) }),
		each([]string{roleShared, rolePrivate}, func(role string) error { return p.runner.removeVolume(ctx, p.name(role)) }),
	)
}

// each does something for every role at once, and joins the problems: one must not keep the others from being tried.
func each(roles []string, do func(role string) error) error {
	problems := make([]error, len(roles))
	var all sync.WaitGroup
	for i, role := range roles {
		all.Go(func() { problems[i] = do(role) })
	}
	all.Wait()
	return errors.Join(problems...)
}

// removeContainer also removes the nameless volumes that the Engine makes for VOLUMEs of the image.
func (r *Runner) removeContainer(ctx context.Context, name string) error {
	err := r.engine.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case isBeingRemoved(err):
		r.awaitRemoval(ctx, name)
	case err != nil && !errdefs.IsNotFound(err):
		return fmt.Errorf("remove container %s: %w", name, err)
	}
	return nil
}

// removalTimeout is how long a container may take to go that another run is removing: until then it may hold the lock of a folder.
const removalTimeout = 10 * time.Second

// awaitRemoval waits until a container that is being removed is gone. What goes wrong with that is who removes it to tell.
func (r *Runner) awaitRemoval(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, removalTimeout)
	defer cancel()
	gone, failed := r.engine.ContainerWait(ctx, name, container.WaitConditionRemoved)
	select {
	case <-gone:
	case err := <-failed:
		_ = err // it is gone already, or the time is up
	}
}

func (r *Runner) removeVolume(ctx context.Context, name string) error {
	if err := r.engine.VolumeRemove(ctx, name, true); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove volume %s: %w", name, err)
	}
	return nil
}

// isBeingRemoved recognizes the Engine's refusal to remove what is being removed already; there is no code of its own for it.
func isBeingRemoved(err error) bool {
	return errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress")
}
