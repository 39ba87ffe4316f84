package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar/volume"
)

// Volume is a file or a folder of this machine, or a volume of the Engine, that the connector sees at a path. An Engine that sees this machine's
// files mounts it; to any other it is copied, and what the connector changes in it is not brought back.
type Volume struct {
	Source   string // an absolute path, or a name
	Named    bool   // it is a volume of the Engine
	Target   string // absolute, in the connector's container
	ReadOnly bool
}

// volumeName is what the Engine takes for the name of a volume (docker volume create).
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// ParseVolume reads SOURCE:TARGET[:ro]. What is there as a file or a folder is meant as one; any other word is the name of a volume.
func ParseVolume(text string) (Volume, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || !path.IsAbs(parts[1]) {
		return Volume{}, errors.New("write FILE:PATH, or FILE:PATH:ro, with the absolute PATH where the connector looks for it")
	}
	v := Volume{Source: parts[0], Target: path.Clean(parts[1])}
	if len(parts) == 3 {
		switch parts[2] {
		case "ro":
			v.ReadOnly = true
		case "rw":
		default:
			return Volume{}, fmt.Errorf("%q is neither ro nor rw", parts[2])
		}
	}
	if own := layout(); v.Target == "/" || v.Target == own.Shared || strings.HasPrefix(v.Target, own.Shared+"/") {
		return Volume{}, fmt.Errorf("nothing can be put at %s in the connector's container", v.Target)
	}
	info, err := os.Stat(v.Source)
	switch {
	case err == nil && !info.Mode().IsRegular() && !info.IsDir():
		return Volume{}, fmt.Errorf("%s is neither a file nor a folder", v.Source)
	case err == nil:
		v.Source, err = filepath.Abs(v.Source)
		return v, err
	case !errors.Is(err, fs.ErrNotExist) || !volumeName.MatchString(v.Source):
		return Volume{}, err
	}
	v.Named = true
	return v, nil
}

// checkVolumes says which volume of the Engine is not there: it would make one, without anything in it.
func (r *Runner) checkVolumes(ctx context.Context) error {
	var problems []error
	for _, v := range r.options.Volumes {
		if !v.Named {
			continue
		}
		_, err := r.engine.VolumeInspect(ctx, v.Source)
		switch {
		case errdefs.IsNotFound(err):
			problems = append(problems, fmt.Errorf("--volume %s: there is neither a file here nor a volume of the Engine that is called so "+
				"(docker volume create makes one)", v.Source))
		case err != nil:
			problems = append(problems, fmt.Errorf("look for volume %s: %w", v.Source, err))
		}
	}
	return errors.Join(problems...)
}

// paths are the volumes that are files or folders of this machine.
func (r *Runner) paths() []Volume {
	var all []Volume
	for _, v := range r.options.Volumes {
		if !v.Named {
			all = append(all, v)
		}
	}
	return all
}

// volumesNow tells what is given to the connector from other things: what it discovers may lie in there.
func (r *Runner) volumesNow() string {
	text := ""
	for _, v := range r.options.Volumes {
		text += fmt.Sprintf(" %q %q", v.Source, v.Target)
		if identity, err := volume.Identity(v.Source); err == nil && !v.Named { // whoever gives it says what is wrong
			text += " " + identity
		}
	}
	return text
}

// seenDir is where init sees what the connector is to get, so that it can tell whether that is the same as here.
const seenDir = "/sync-sidecar.seen"

// volumeMounts are what the connector's container has beside the shared volume.
func (p *pod) volumeMounts() []mount.Mount {
	var mounts []mount.Mount
	for _, v := range p.runner.options.Volumes {
		switch {
		case v.Named:
			mounts = append(mounts, mount.Mount{Type: mount.TypeVolume, Source: v.Source, Target: v.Target, ReadOnly: v.ReadOnly})
		case p.folder.mounted != nil:
			mounts = append(mounts, mount.Mount{Type: mount.TypeBind, Source: p.runner.seen(v.Source), Target: v.Target, ReadOnly: v.ReadOnly})
		}
	}
	return mounts
}

// compareVolumes lets init answer for the caller's folder only if the Engine sees the files of --volume, too.
func (p *pod) compareVolumes() (mounts []mount.Mount, args []string, err error) {
	for i, v := range p.runner.paths() {
		identity, err := volume.Identity(v.Source)
		if err != nil {
			return nil, nil, fmt.Errorf("--volume: %w", err)
		}
		target := path.Join(seenDir, strconv.Itoa(i))
		mounts = append(mounts, mount.Mount{Type: mount.TypeBind, Source: p.runner.seen(v.Source), Target: target, ReadOnly: true})
		args = append(args, "--same", target+"="+identity)
	}
	return mounts, args, nil
}

// uploadVolumes copies the files of --volume into the connector's container, where the Engine does not see them.
func (p *pod) uploadVolumes(ctx context.Context) error {
	paths := p.runner.paths()
	if p.folder.mounted != nil || len(paths) == 0 {
		return nil
	}
	reader, writer := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		files := newArchive(writer)
		for _, v := range paths {
			files.given(v, p.connectorUser)
		}
		writer.CloseWithError(files.close())
	}()
	err := p.runner.engine.CopyToContainer(ctx, p.name(roleConnector), "/", reader, container.CopyToContainerOptions{})
	err = errors.Join(err, reader.Close())
	<-written
	if err != nil {
		return fmt.Errorf("copy --volume to the Engine: %w", err)
	}
	for _, v := range paths {
		if !v.ReadOnly {
			p.watch.Event(runner.Note("INFO", fmt.Sprintf("the Engine does not see %s: the connector gets a copy, and what it changes is not kept", v.Source)))
		}
	}
	return nil
}

// given adds a file or a folder for the connector. Where its user is known by number they are its own, with the modes that they have here: programs
// refuse a key that others can read. Else everybody may read them.
func (a *archive) given(v Volume, connector *user) {
	owner, open := root(), fs.FileMode(0o444)
	if connector != nil {
		owner, open = *connector, 0
	}
	if a.err != nil {
		return
	}
	a.err = filepath.WalkDir(v.Source, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(v.Source, name)
		if err != nil {
			return err
		}
		inside := path.Join(v.Target, filepath.ToSlash(relative))
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // a link that leads nowhere
		case err != nil:
			return err
		case info.Mode().IsRegular():
			a.open(inside, info.Mode().Perm()|open, owner, name)
		case entry.IsDir():
			mode := info.Mode().Perm() | open
			if open != 0 {
				mode |= 0o111
			}
			a.dir(inside, mode, owner)
		}
		return a.err
	})
}

// parseUser is a user by number, UID or UID:GID; nil when it is a name, or nobody.
func parseUser(text string) *user {
	uid, gid, _ := strings.Cut(text, ":")
	number, err := strconv.Atoi(uid)
	if text == "" {
		return &user{} // root, as of an image that says nothing
	}
	if err != nil {
		return nil
	}
	who := &user{uid: number}
	if group, err := strconv.Atoi(gid); err == nil {
		who.gid = group
	}
	return who
}
