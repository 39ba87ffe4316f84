package kubernetes

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"

	"sync-sidecar/runner"
	"sync-sidecar/runner/manifest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The reasons are the kubelet's own words (pkg/kubelet/images/types.go, kuberuntime_container.go, container/sync_result.go).
func waitingPod(reason, message string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "source", Image: "airbyte/source-x:1",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	return pod
}

func unscheduled(message string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message}}
	return pod
}

func TestPatience(t *testing.T) {
	t.Parallel()
	const limit = 5 * time.Minute
	for name, test := range map[string]struct {
		pod   *corev1.Pod
		lasts time.Duration // how long it may stand so
		says  string
	}{
		"starting":             {waitingPod("ContainerCreating", ""), limit, "nothing says why"},
		"init steps":           {waitingPod("PodInitializing", ""), limit, "nothing says why"},
		"no node":              {unscheduled("0/3 nodes are available:\n3 Insufficient memory."), limit, "no node for the Pod: 0/3 nodes are available: 3"},
		"a registry":           {waitingPod("ErrImagePull", "connection refused"), stuckFor, "(image airbyte/source-x:1): ErrImagePull: connection"},
		"again and again":      {waitingPod("ImagePullBackOff", "Back-off pulling image"), stuckFor, "ImagePullBackOff"},
		"no Secret yet":        {waitingPod("CreateContainerConfigError", `secret "x" not found`), stuckFor, `secret "x" not found`},
		"no image on the node": {waitingPod("ErrImageNeverPull", "is not present"), 0, "ErrImageNeverPull"},
		"no image at all":      {waitingPod("InvalidImageName", "bad reference"), 0, "InvalidImageName"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var told []string
			w := &patience{limit: limit, note: func(text string) { told = append(told, text) }}
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for at := time.Duration(0); at <= limit+time.Second; at += time.Second {
				err := w.look(test.pod, begin.Add(at))
				if (err != nil) != (at > test.lasts || test.lasts == 0) {
					t.Fatalf("after %s: %v", at, err)
				}
				if err != nil {
					if !strings.Contains(err.Error(), test.says) {
						t.Errorf("%v, want %q", err, test.says)
					}
					break
				}
			}
			if len(told) > 1 {
				t.Errorf("told more than once: %q", told)
			}
		})
	}
}

// A container that starts or ends is progress: a slow image of the next one has its own time.
func TestPatienceBeginsAnewWithProgress(t *testing.T) {
	t.Parallel()
	w := &patience{limit: time.Minute, note: func(string) {}}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pod := waitingPod("PodInitializing", "")
	if err := w.look(pod, begin); err != nil {
		t.Fatal(err)
	}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "init", State: ended}}
	for _, at := range []time.Duration{59 * time.Second, 118 * time.Second} {
		if err := w.look(pod, begin.Add(at)); err != nil {
			t.Errorf("after %s: %v", at, err)
		}
	}
	if err := w.look(pod, begin.Add(2*time.Minute)); err == nil {
		t.Error("waits for ever")
	}
}

func TestTakenByTheCluster(t *testing.T) {
	t.Parallel()
	evicted := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}}
	if err := taken(evicted); err == nil || !strings.Contains(err.Error(), "Evicted: The node was low") {
		t.Errorf("%v", err)
	}
	failed := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed}} // a container ended badly
	if err := taken(failed); err != nil {
		t.Error(err)
	}
}

func TestNamesOfRuns(t *testing.T) {
	t.Parallel()
	for sync, want := range map[string]string{
		"source-faker": "source-faker-20260102t030405-678-4242",
		"A_sync.of_mine-with-a-name-that-is-long": "",
		"-": "",
	} {
		for _, suffix := range []string{"", "-discover"} {
			name := nameOf(runner.Task{SyncID: sync, TaskID: "20260102t030405.678-4242" + suffix})
			if want != "" && name != want+suffix {
				t.Errorf("%s: %s, want %s", sync, name, want+suffix)
			}
			options := manifest.Options{Kind: manifest.KindPod, Name: name, Security: manifest.Security{ConnectorUser: 1}}
			if err := options.Validate(runner.Task{}); err != nil {
				t.Errorf("%s: %v", sync, err)
			}
		}
	}
}

func TestAddressesThatMeanThePodItself(t *testing.T) {
	t.Parallel()
	task := runner.Task{AddressSettings: []string{"BULKER_URL", "DATABASE_URL"}, Settings: map[string]string{}}
	for value, warned := range map[string]bool{
		"http://localhost:3042": true, "postgres://u:p@127.0.0.1/db": true, "http://bulker.localhost.example": false, "http://bulker:3042": false,
		"host=localhost dbname=x": true,
	} {
		task.Settings["BULKER_URL"] = value
		if notes := unreachable(task); (len(notes) > 0) != warned {
			t.Errorf("%s: %q", value, notes)
		}
	}
}
