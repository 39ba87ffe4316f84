package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"
	"github.com/google/shlex"

	"sync-sidecar/runner"
)

// Pull is when an image is fetched from its registry.
type Pull string

// The policies of a pull.
const (
	PullMissing Pull = "missing"
	PullAlways  Pull = "always"
	PullNever   Pull = "never"
)

// ensureImage makes sure that the Engine has the image, by the policy, and says what is in it.
func (r *Runner) ensureImage(ctx context.Context, reference string, pull Pull, note func(runner.Event)) (image.InspectResponse, error) {
	found, err := r.engine.ImageInspect(ctx, reference)
	switch {
	case err == nil && (pull != PullAlways || r.pulled.has(reference)): // once is enough for all that one run starts
		return found, nil
	case err != nil && !errdefs.IsNotFound(err):
		return image.InspectResponse{}, fmt.Errorf("look for image %s: %w", reference, err)
	case err != nil && pull == PullNever:
		return image.InspectResponse{}, fmt.Errorf("the Engine has no image %s, and --pull never forbids to fetch it: build or load it first", reference)
	}
	note(runner.Note("INFO", "pulling image "+reference))
	if err := r.pull(ctx, reference); err != nil {
		return image.InspectResponse{}, fmt.Errorf("image %s is not on the Engine and could not be pulled: %w; check the name, log in with docker login, "+
			"or build it there", reference, err)
	}
	r.pulled.add(reference)
	found, err = r.engine.ImageInspect(ctx, reference)
	if err != nil {
		return image.InspectResponse{}, fmt.Errorf("look at the pulled image %s: %w", reference, err)
	}
	return found, nil
}

// references are names of images; several goroutines may use them.
type references struct {
	mu sync.Mutex
	// +checklocks:mu
	names map[string]bool
}

func (r *references) add(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil {
		r.names = map[string]bool{}
	}
	r.names[name] = true
}

func (r *references) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names[name]
}

// Identify implements runner.Identifier: the image's own digest, and what else decides about what runs.
func (r *Runner) Identify(ctx context.Context, task runner.Task, watch runner.Watch) (string, error) {
	watch = watch.Serial()
	setup, release := watch.UntilStop(ctx)
	defer release()
	found, err := r.ensureImage(setup, task.Image, r.options.Pull, watch.Event)
	if err != nil {
		return "", cause(setup, err)
	}
	return fmt.Sprintf("%s %q %s%s", found.ID, r.options.Entrypoint, r.options.Platform, r.volumesNow()), nil
}

// pull fetches an image. The Engine answers 200 before it begins: what fails later is in the stream of progress messages.
func (r *Runner) pull(ctx context.Context, reference string) error {
	auth, err := registryAuth(ctx, r.options.Daemon.ConfigDir, reference)
	if err != nil {
		return err
	}
	progress, err := r.engine.ImagePull(ctx, reference, image.PullOptions{RegistryAuth: auth, Platform: r.options.Platform})
	if err != nil {
		return err
	}
	return errors.Join(drainProgress(progress, nil), progress.Close())
}

// drainProgress reads progress messages to their end and turns the error among them, if any, into one; status, when given, sees the others.
func drainProgress(progress io.Reader, status func(string)) error {
	decoder := json.NewDecoder(progress)
	for {
		var message struct {
			Status      string `json:"status"`
			Error       string `json:"error"`
			ErrorDetail struct {
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		err := decoder.Decode(&message)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the Engine's progress: %w", err)
		case message.ErrorDetail.Message != "":
			return errors.New(message.ErrorDetail.Message)
		case message.Error != "":
			return errors.New(message.Error)
		case status != nil:
			status(message.Status)
		}
	}
}

// userOf is whom the connector runs as, if that is known by number.
func (r *Runner) userOf(inspected image.InspectResponse) *user {
	switch {
	case r.options.User != "":
		return parseUser(r.options.User)
	case inspected.Config == nil:
		return nil
	}
	return parseUser(inspected.Config.User)
}

// notePlatform warns of an image for another processor: it runs only where the Engine's machine emulates that.
func notePlatform(engine system.Info, inspected image.InspectResponse, note func(runner.Event)) {
	if machine := goArchitecture(engine.Architecture); inspected.Architecture != "" && inspected.Architecture != machine {
		note(runner.Note("WARN", fmt.Sprintf("the image is for %s, the Engine's machine is %s: it needs emulation, or another image (--platform)",
			inspected.Architecture, machine)))
	}
}

// goArchitecture is what images call an architecture that the Engine names as uname does.
func goArchitecture(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// entrypointOf is the argv that takes the commands of the protocol in this image. The image's own ENTRYPOINT works for every image that docker run
// can use; AIRBYTE_ENTRYPOINT, which the platform uses, serves where there is none or where it is in shell form, which takes no arguments.
func entrypointOf(reference string, inspected image.InspectResponse, note func(runner.Event)) ([]string, error) {
	if inspected.Config == nil {
		return nil, fmt.Errorf("image %s has no configuration", reference)
	}
	var announced string
	for _, variable := range inspected.Config.Env {
		if value, found := strings.CutPrefix(variable, "AIRBYTE_ENTRYPOINT="); found {
			announced = value
		}
	}
	own := inspected.Config.Entrypoint
	words, err := shlex.Split(announced)
	if err != nil {
		return nil, fmt.Errorf("image %s: AIRBYTE_ENTRYPOINT %q: %w", reference, announced, err)
	}
	shellForm := len(own) == 3 && strings.HasSuffix(own[0], "sh") && own[1] == "-c"
	switch {
	case (len(own) == 0 || shellForm) && len(words) > 0:
		return words, nil
	case len(own) == 0:
		return nil, fmt.Errorf("image %s has neither ENTRYPOINT nor AIRBYTE_ENTRYPOINT: is it an Airbyte connector? name its program with --entrypoint",
			reference)
	case shellForm:
		return nil, fmt.Errorf("image %s has its ENTRYPOINT in shell form (%s), which takes no arguments: give it one in exec form, "+
			"set AIRBYTE_ENTRYPOINT, or use --entrypoint", reference, own[2])
	case len(words) > 0 && !slices.Equal(words, own):
		note(runner.Note("WARN", fmt.Sprintf("image %s: ENTRYPOINT %q is used, Airbyte's platform would use AIRBYTE_ENTRYPOINT %q",
			reference, own, announced)))
	}
	return own, nil
}
