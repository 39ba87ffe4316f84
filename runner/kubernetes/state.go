package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"sync-sidecar/runner"
)

const (
	pollInterval = 300 * time.Millisecond
	// blindFor is how long the API may be away while a Pod runs.
	blindFor = 2 * time.Minute
	// stuckFor is how long a container may fail to start for a reason that may pass, such as a registry that is restarted.
	stuckFor = 20 * time.Second
)

// errGone says that somebody else removed the Pod.
var errGone = errors.New("the Pod is gone: it was deleted, or its node was")

// errTaken says that the cluster ended the Pod.
var errTaken = errors.New("the cluster ended the Pod")

// observe is the Pod as it is now. An API that is away for a while is waited for: the Pod does not need it.
func (p *pod) observe(ctx context.Context) (*corev1.Pod, error) {
	limit := time.Now().Add(blindFor)
	for {
		asking, cancel := context.WithTimeout(ctx, blindFor/4)
		found, err := p.pod(asking, p.object.Name)
		cancel()
		switch {
		case err == nil && found == nil:
			return nil, errGone
		case err == nil:
			return found, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), time.Now().After(limit):
			return nil, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// pause waits for the next look.
func pause(ctx context.Context) error {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stateOf is the state of a container; its zero value before there is one.
func stateOf(pod *corev1.Pod, name string) corev1.ContainerState {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.Name == name {
			return status.State
		}
	}
	return corev1.ContainerState{}
}

// started says that a container runs, or has ended.
func started(state corev1.ContainerState) bool {
	return state.Running != nil || state.Terminated != nil
}

// exitOf is how a container ended.
func (p *pod) exitOf(name string, ended *corev1.ContainerStateTerminated) runner.Exit {
	exit := runner.Exit{Started: !ended.StartedAt.IsZero(), Code: int(ended.ExitCode), OOMKilled: ended.Reason == "OOMKilled"}
	for _, c := range p.object.Spec.Containers {
		if c.Name == name {
			exit.MemoryLimit = c.Resources.Limits.Memory().Value()
		}
	}
	if ended.Reason == "StartError" || ended.Reason == "ContainerCannotRun" {
		exit.Started, exit.Message = false, oneLine(ended.Message)
	}
	return exit
}

// taken is why the cluster ended the Pod itself: eviction, a node that shuts down, a deadline.
func taken(pod *corev1.Pod) error {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.DisruptionTarget && condition.Status == corev1.ConditionTrue {
			return fmt.Errorf("%w: %s: %s", errTaken, condition.Reason, oneLine(condition.Message))
		}
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		return fmt.Errorf("%w: %s: %s", errTaken, pod.Status.Reason, oneLine(pod.Status.Message))
	}
	return nil
}

// obstacle is what keeps a container from starting. What nothing but a change of the Pod can mend is final.
type obstacle struct {
	text  string
	final bool
}

// obstacleOf is the first obstacle; its zero value when there is none.
func obstacleOf(pod *corev1.Pod) obstacle {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		waiting := status.State.Waiting
		if waiting == nil || waiting.Reason == "PodInitializing" || waiting.Reason == "ContainerCreating" || waiting.Reason == "" {
			continue
		}
		text := fmt.Sprintf("container %s (image %s): %s: %s", status.Name, status.Image, waiting.Reason, oneLine(waiting.Message))
		return obstacle{text, waiting.Reason == "ErrImageNeverPull" || waiting.Reason == "InvalidImageName"}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return obstacle{text: "no node for the Pod: " + oneLine(condition.Message)}
		}
	}
	return obstacle{}
}

// failing says that the kubelet has tried and failed, where an unscheduled Pod may wait for a node that is being made.
func (o obstacle) failing() bool { return strings.HasPrefix(o.text, "container ") }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
