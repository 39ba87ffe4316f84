package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/runner/manifest"
	"sync-sidecar/sidecar"
)

// Options are what a run on a cluster can choose.
type Options struct {
	Cluster Cluster
	// Pod is what a manifest can choose of a Pod. Its Kind, Name and Namespace are the run's own.
	Pod manifest.Options
	// StartTimeout is how long the Pod may stand still before its containers run: for want of a node, an image, a volume.
	StartTimeout time.Duration
	// Keep leaves the Pod and its Secret when the run is over.
	Keep bool
}

// Runner carries out tasks in one namespace of a cluster.
type Runner struct {
	client  *client
	options Options
	warned  func(string)
}

// cleanupTimeout bounds the removal of what a run made. It begins anew when a run is cancelled.
const cleanupTimeout = time.Minute

// New reads the kubeconfig. The cluster is not asked for anything yet.
func New(options Options) (*Runner, error) {
	r := &Runner{options: options, warned: func(string) {}}
	var err error
	r.client, err = dial(options.Cluster, func(text string) { r.warned(text) })
	return r, err
}

// Run carries out the task. The error is about the cluster or the caller's folder, and means that the outcome has no verdict; how the connector and
// the sidecar fared is in the outcome. When Run returns, everything that it made is gone, unless Keep was chosen.
func (r *Runner) Run(ctx context.Context, task runner.Task, watch runner.Watch) (runner.Outcome, error) {
	watch = watch.Serial()
	r.warned = func(text string) { watch.Event(runner.Note("WARN", "Kubernetes: "+text)) }
	setup, release := watch.UntilStop(ctx)
	for _, note := range unreachable(task) {
		watch.Event(runner.Note("WARN", note))
	}
	r.sweep(setup, watch.Event)
	release()
	if r.options.Pod.Shards > 1 && task.Command == sidecar.CommandRead {
		return r.runShards(ctx, task, watch)
	}
	outcome, err := r.runPod(ctx, task, watch)
	if (shardEnd{outcome: outcome, err: err}).unsettled() {
		r.settle(ctx, task, watch)
	}
	return outcome, err
}

// runPod carries out a task by one Pod. Several may be run at once.
func (r *Runner) runPod(ctx context.Context, task runner.Task, watch runner.Watch) (outcome runner.Outcome, err error) {
	watch = watch.Serial()
	setup, release := watch.UntilStop(ctx)
	defer release()
	p, err := r.newPod(setup, task, watch)
	if err != nil {
		return runner.Outcome{}, cause(setup, err)
	}
	defer func() {
		// What was made has to go even when the caller is gone: ctx ends here, but its cancellation does not matter.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		err = errors.Join(err, p.remove(cleanup), p.folder.close(cleanup))
	}()
	if outcome, err := p.start(setup); err != nil || outcome.Sidecar.Code != 0 {
		return outcome, cause(setup, err)
	}
	return p.finish(ctx)
}

// cause is what ended ctx, if that is what the error is about.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ownHost finds, in a URL or in libpq's key=value form, a host that is this machine.
var ownHost = regexp.MustCompile(`(?://|@|host\s*=\s*'?)(localhost|127\.[0-9.]+|\[?::1\]?|host\.docker\.internal)(?:[':/?,\s]|$)`)

// unreachable names the addresses that mean another machine in a Pod than they mean here.
func unreachable(task runner.Task) []string {
	var notes []string
	for _, name := range task.AddressSettings {
		if host := ownHost.FindStringSubmatch(task.Settings[name]); host != nil {
			notes = append(notes, fmt.Sprintf("%s names %s, which in a Pod is the Pod itself, or nothing: give an address that the cluster reaches",
				name, host[1]))
		}
	}
	return notes
}
