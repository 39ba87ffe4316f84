package docker

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"sync-sidecar/runner"
)

// Describe writes what Run would create for a task, in words and as the lines of a shell that come closest, and creates nothing. Neither a secret nor
// a value for the connector's environment is among it.
func (r *Runner) Describe(ctx context.Context, task runner.Task, out io.Writer) error {
	p, notes, err := r.imagine(ctx, task)
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Docker Engine  %s\n", r.engine.DaemonHost())
	fmt.Fprintf(&text, "connector      %s\n", task.Image)
	fmt.Fprintf(&text, "sidecar        %s\n", p.sidecarImage)
	fmt.Fprintf(&text, "folder         %s, mounted where the Engine sees it, else reached through the Engine\n", p.folder.dir)
	for _, file := range p.plan.Files {
		fmt.Fprintf(&text, "file           %s (%d bytes, on the volume)\n", file.Path, len(file.Content))
	}
	for _, v := range r.paths() {
		fmt.Fprintf(&text, "volume         %s at %s, mounted where the Engine sees it, else copied\n", v.Source, v.Target)
	}
	for _, note := range notes {
		fmt.Fprintf(&text, "note           %s\n", note)
	}
	text.WriteString("\n# what the Engine is asked for: the files above go onto the volumes before init, and connector and sidecar run at once\n")
	for _, role := range []string{roleShared, rolePrivate} {
		fmt.Fprintf(&text, "docker volume create %s\n", p.name(role))
	}
	for _, role := range []string{roleInit, roleConnector, roleSidecar} {
		made, err := p.spec(role)
		if err != nil {
			return err
		}
		text.WriteString(p.line(role, made))
	}
	for _, role := range []string{roleShared, rolePrivate} {
		fmt.Fprintf(&text, "docker volume rm %s\n", p.name(role))
	}
	_, err = io.WriteString(out, text.String())
	return err
}

// imagine is the pod that prepare would make, without the images that are not there.
func (r *Runner) imagine(ctx context.Context, task runner.Task) (*pod, []string, error) {
	p := &pod{runner: r, sidecarImage: r.options.SidecarImage, entrypoint: r.options.Entrypoint}
	var notes []string
	note := func(event runner.Event) { notes = append(notes, event.Log.Message) }
	connector, err := r.engine.ImageInspect(ctx, task.Image)
	switch {
	case errdefs.IsNotFound(err) && r.options.Pull == PullNever:
		notes = append(notes, "the Engine has no image "+task.Image+", and --pull never forbids to fetch it: the run would fail")
	case errdefs.IsNotFound(err):
		notes = append(notes, "the Engine has no image "+task.Image+": it would be pulled")
	case err != nil:
		return nil, nil, fmt.Errorf("look for image %s: %w", task.Image, err)
	default:
		if err := r.noteConnector(ctx, p, task.Image, connector, note); err != nil {
			return nil, nil, err
		}
	}
	if len(p.entrypoint) == 0 {
		p.entrypoint = []string{"<ENTRYPOINT of the image>"}
	}
	if p.sidecarImage == "" {
		p.sidecarImage = "sync-sidecar:" + tagOf(r.options.Version)
		notes = append(notes, "the sidecar's image is made from this program where it is not there")
	}
	settings, more := settingsInside(task, r.options.Network)
	task.Settings, notes = settings, append(notes, more...)
	p.folder = &folder{dir: task.Folder(), inside: task.SyncID, task: task}
	p.plan = runner.NewPlan(task, layout())
	return p, notes, nil
}

// noteConnector looks at the connector's image as prepare does.
func (r *Runner) noteConnector(ctx context.Context, p *pod, name string, connector image.InspectResponse, note func(runner.Event)) error {
	engine, err := r.engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask the Engine about its machine: %w", err)
	}
	notePlatform(engine, connector, note)
	if len(p.entrypoint) == 0 {
		p.entrypoint, err = entrypointOf(name, connector, note)
	}
	return err
}

// line is a container as a line of a shell, broken where it is long.
func (p *pod) line(role string, made spec) string {
	words := []string{"docker run --rm --name " + p.name(role)}
	add := func(flag, value string) {
		if value != "" {
			words = append(words, flag+" "+quoted(value))
		}
	}
	add("--user", made.config.User)
	add("--network", string(made.host.NetworkMode))
	for _, host := range made.host.ExtraHosts {
		add("--add-host", host)
	}
	if made.platform != nil {
		add("--platform", path.Join(made.platform.OS, made.platform.Architecture, made.platform.Variant))
	}
	if made.host.Memory > 0 {
		add("--memory", fmt.Sprint(made.host.Memory))
	}
	if made.host.NanoCPUs > 0 {
		add("--cpus", fmt.Sprint(float64(made.host.NanoCPUs)/1e9))
	}
	for _, m := range made.host.Mounts {
		options := ""
		if m.VolumeOptions != nil && m.VolumeOptions.NoCopy {
			options = ",volume-nocopy"
		}
		if m.ReadOnly {
			options += ",readonly"
		}
		add("--mount", fmt.Sprintf("type=%s,source=%s,target=%s%s", m.Type, m.Source, m.Target, options))
	}
	for _, pair := range made.config.Env {
		given := role == roleConnector && slices.Contains(p.plan.Task.ConnectorEnv, pair) || slices.Contains(p.runner.options.Proxy, pair)
		if name, _, _ := strings.Cut(pair, "="); given {
			pair = name // whose value docker takes from its own environment
		}
		add("--env", pair)
	}
	argv := made.config.Cmd
	if len(made.config.Entrypoint) > 0 {
		add("--entrypoint", made.config.Entrypoint[0])
		argv = append(slices.Clone(made.config.Entrypoint[1:]), argv...)
	}
	command := made.config.Image
	for _, word := range argv {
		command += " " + quoted(word)
	}
	return strings.Join(append(words, command), " \\\n  ") + "\n"
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-+=,.:/@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
