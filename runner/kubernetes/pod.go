package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/runner/manifest"
	"sync-sidecar/sidecar/parcel"
)

// containerFiles is an init container beside those of a manifest: it waits for the saved states that the caller's folder holds.
const containerFiles = "files"

// receivedMark is what our program makes beside a folder that it has received (in-pod receive).
const receivedMark = ".received"

// Labels by which leftovers are found.
const (
	labelMachine = "sync-sidecar/machine" // see machine
	labelPID     = "sync-sidecar/pid"
)

// pod is what one run has in the cluster: a Pod, and a Secret of the same name that belongs to it.
type pod struct {
	*client
	options Options
	plan    runner.Plan
	watch   runner.Watch
	folder  *folder
	object  *corev1.Pod
	secret  *corev1.Secret
}

// render makes the objects of one Pod, whose names end with suffix.
func (r *Runner) render(task runner.Task, suffix string) (manifest.Objects, error) {
	o := r.options.Pod
	o.Kind, o.Plain, o.OneSecret, o.Attended = manifest.KindPod, true, true, true
	o.Name, o.Namespace, o.Shards = nameOf(task)+suffix, r.client.namespace, 0
	if o.ServiceAccount == "" {
		o.ServiceAccount = "default" // whose token is not mounted
	}
	if err := o.Validate(task); err != nil {
		return manifest.Objects{}, err
	}
	objects, err := manifest.Render(task, o)
	if err == nil {
		objects.Pod.Labels[labelMachine], objects.Pod.Labels[labelPID] = machine(), strconv.Itoa(os.Getpid())
	}
	return objects, err
}

// newPod makes nothing in the cluster yet.
func (r *Runner) newPod(ctx context.Context, task runner.Task, watch runner.Watch) (*pod, error) {
	objects, err := r.render(task, "")
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(ctx, task)
	if err != nil {
		return nil, err
	}
	p := &pod{client: r.client, options: r.options, plan: runner.NewPlan(task, manifest.Layout()), watch: watch, folder: folder,
		object: objects.Pod, secret: objects.Secret}
	return p, p.addFolder()
}

// nameOf is a name for the objects of one run.
func nameOf(task runner.Task) string {
	const longest = 22
	id := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(task.TaskID))
	return manifest.ObjectName(task.SyncID, longest) + "-" + id + nameOfShard(task)
}

// addFolder lets the sidecar reach the caller's folder, and adds a container through which the states go in that init looks at.
func (p *pod) addFolder() error {
	spec := &p.object.Spec
	at := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == manifest.ContainerSidecar })
	if at < 0 {
		return errors.New("the Pod has no sidecar")
	}
	worker := &spec.Containers[at]
	init := &spec.InitContainers[0]
	if p.folder.sendsStates() && slices.Contains(init.Args, "--load-state") {
		files := *worker.DeepCopy()
		files.Name = containerFiles
		files.Args = []string{"in-pod", "hold", "--timeout", p.options.StartTimeout.String(), p.inside() + receivedMark}
		files.Ports, files.ReadinessProbe, files.LivenessProbe, files.Env = nil, nil, nil, nil
		files.Resources.Requests = nil // it sleeps
		state := *init.DeepCopy()
		state.Name, state.Args = manifest.ContainerState, []string{"init", "--load-state"}
		prepare := *init
		prepare.Args = slices.DeleteFunc(slices.Clone(init.Args), func(arg string) bool { return arg == "--load-state" })
		spec.InitContainers = append([]corev1.Container{prepare, files, state}, spec.InitContainers[1:]...)
	}
	worker.Args = append(slices.Clone(worker.Args), "--folder-socket", p.folderSocket())
	return nil
}

// inside is the folder of the sync as the sidecar sees it.
func (p *pod) inside() string { return path.Join(p.plan.Layout.LocalDir, p.plan.Task.SyncID) }

// make creates the Pod, and then the Secret, which goes with it whoever deletes it: the Pod waits for its Secret.
func (p *pod) make(ctx context.Context) error {
	created, err := p.createPod(ctx, p.object)
	if err != nil {
		return err
	}
	p.watch.Event(runner.Note("INFO", fmt.Sprintf("Pod %s in namespace %s", created.Name, p.namespace)))
	if p.secret == nil {
		return nil
	}
	p.secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: created.Name, UID: created.UID}}
	return p.createSecret(ctx, p.secret)
}

// remove takes away what was made, and waits until it is gone: its volumes hold secrets.
func (p *pod) remove(ctx context.Context) error {
	if p.options.Keep {
		p.watch.Event(runner.Note("INFO", fmt.Sprintf("kept: Pod and Secret %s in namespace %s", p.object.Name, p.namespace)))
		return nil
	}
	const grace = 1 // second; 0 would not wait for the kubelet
	problems := []error{p.client.remove(ctx, "pods", p.object.Name, grace)}
	if p.secret != nil {
		problems = append(problems, p.client.remove(ctx, "secrets", p.secret.Name, 0))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if found, err := p.pod(ctx, p.object.Name); found == nil || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("pod %s in namespace %s is still being removed", p.object.Name, p.namespace)
		}
	}
}

// run runs a command of our binary in a container.
func (p *pod) run(ctx context.Context, container string, stdin io.Reader, stdout io.Writer, args ...string) error {
	return p.exec(ctx, p.object.Name, container, append([]string{p.plan.Layout.Binary(), "in-pod"}, args...), stdin, stdout)
}

// upload sends the saved states.
func (p *pod) upload(ctx context.Context) error {
	reader, writer := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := parcel.Write(writer, p.folder.dir, incoming.OfStates)
		writer.CloseWithError(err)
		sent <- err
	}()
	err := p.run(ctx, containerFiles, reader, nil, "receive", p.inside())
	err = errors.Join(err, reader.Close())
	if failed := <-sent; failed != nil && !errors.Is(failed, io.ErrClosedPipe) { // which is why the other side got no end
		err = failed
	}
	if err != nil {
		return fmt.Errorf("bring the saved states into the Pod: %w", err)
	}
	return nil
}
