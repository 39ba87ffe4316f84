package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// kubePod is one Pod that a manifest makes.
type kubePod struct {
	t    *testing.T
	k    *kubeLine
	name string
}

// startPod renders a read as a Pod, lets change alter it, and creates it.
func (k *kubeLine) startPod(t *testing.T, name string, s *kubeServers, change func(*corev1.Pod), args ...string) *kubePod {
	t.Helper()
	args = slices.Concat([]string{"--kind", "Pod", "--name", name, "--sync-id", "sync-1", "--sidecar-image", k.image, "--pull", "never",
		"--requests", "cpu=10m", "--sidecar-requests", "cpu=10m", "--startup-timeout", "3s"}, s.flags(), args)
	text, err := render(t, append(args, k.demo))
	if err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(text, "---\n")
	var pod corev1.Pod
	last := len(documents) - 1
	if err := yaml.Unmarshal([]byte(documents[last]), &pod); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&pod)
	}
	body, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	documents[last] = string(body) // JSON is YAML
	k.apply(t, strings.Join(documents, "---\n"))
	return &kubePod{t: t, k: k, name: name}
}

// containerOf is a container of the Pod, of either kind.
func containerOf(pod *corev1.Pod, name string) *corev1.Container {
	for _, all := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range all {
			if all[i].Name == name {
				return &all[i]
			}
		}
	}
	return &corev1.Container{}
}

// setEnv sets a variable of the sidecar.
func setEnv(name, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		c := containerOf(pod, "sidecar")
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
}

// awaitOn polls for longer than the line does: images start slowly on a busy node.
func (k *kubeLine) awaitOn(t *testing.T, what string, is func() bool) {
	t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(4 * time.Minute); !is(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

func (p *kubePod) status() corev1.PodStatus {
	p.t.Helper()
	var pod corev1.Pod
	if err := p.k.call(http.MethodGet, p.k.path("pods/"+p.name), "", &pod); err != nil {
		p.t.Fatal(err)
	}
	return pod.Status
}

// ended waits for the Pod's end and returns the connector's container: how it ended.
func (p *kubePod) ended() (corev1.PodPhase, corev1.ContainerStateTerminated) {
	p.t.Helper()
	var status corev1.PodStatus
	p.k.awaitOn(p.t, "the end of Pod "+p.name, func() bool {
		status = p.status()
		return status.Phase == corev1.PodSucceeded || status.Phase == corev1.PodFailed
	})
	for _, one := range status.ContainerStatuses {
		if one.Name == "source" && one.State.Terminated != nil {
			return status.Phase, *one.State.Terminated
		}
	}
	return status.Phase, corev1.ContainerStateTerminated{}
}

// want checks how a Pod ended: its phase, the connector's container, its last words.
// oomKilled is the reason that the kubelet gives when the kernel has killed the first process of a container for want of memory.
const oomKilled = "OOMKilled"

func (p *kubePod) want(phase corev1.PodPhase, code int32, words ...string) {
	p.t.Helper()
	got, source := p.ended()
	if got != phase || source.ExitCode != code && code >= 0 {
		p.t.Errorf("%s: phase %s, exit code %d (%s), want %s and %d", p.name, got, source.ExitCode, source.Message, phase, code)
	}
	if len(source.Message) > maxTerminationBytes {
		p.t.Errorf("%s: %d bytes of last words", p.name, len(source.Message))
	}
	if source.Reason != oomKilled { // otherwise exec was killed, too, and the kubelet says why
		mustContain(p.t, "the last words of "+p.name, source.Message, words...)
	}
	for _, one := range p.status().InitContainerStatuses {
		if one.Name == "sidecar" && one.RestartCount > 1 {
			p.t.Errorf("%s: the sidecar was started %d times", p.name, one.RestartCount+1)
		}
	}
}

func (s *kubeServers) wantTask(t *testing.T, task, want string) {
	t.Helper()
	wantLines(t, "task "+task, postgrestest.Query(t, s.database, `select status from source_task where task_id = $1`, task), want)
}

// kinds are a native sidecar and a plain one.
func kinds() map[string][]string { return map[string][]string{"native": nil, "plain": {"--plain"}} }

// The Pod's phase, the exit code and the last words tell what became of the sync; so does its row.
func TestPodEndsAsTheSyncOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	ordersOnly := []string{"--streams", "orders"}
	for kind, plain := range kinds() {
		for name, test := range map[string]struct {
			config string
			change func(*corev1.Pod)
			spoil  func(s *kubeServers)
			phase  corev1.PodPhase
			code   int32
			words  []string
			task   string
		}{
			"success": {`{"count":100}`, nil, nil, corev1.PodSucceeded, exitOK, []string{"read SUCCESS", "60 of 60 rows"}, "SUCCESS"},
			"refused": {refusedRow, setEnv("NON_FINITE_NUMBERS", "fail"), nil, corev1.PodFailed, exitPartial, []string{"read PARTIAL"}, "PARTIAL"},
			"failed": {`{"count":100,"faults":{"exit_code":{"code":7}}}`, nil, nil, corev1.PodFailed, 7, []string{"exited with code 7", "read FAILED"},
				"FAILED"},
			"setting":   {`{}`, setEnv("BATCH_ROWS", "0"), nil, corev1.PodFailed, exitUsage, []string{"BATCH_ROWS"}, "FAILED"},
			"no-bulker": {`{}`, nil, func(s *kubeServers) { s.toBulker.set(true) }, corev1.PodFailed, exitEnvironment, []string{"STARTUP_TIMEOUT"}, "FAILED"},
			"huge": {`{"count":100,"faults":{"huge_row":{"stream":"orders","after_row":10,"bytes":400000000}}}`, func(pod *corev1.Pod) {
				containerOf(pod, "source").Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("64Mi")}
			}, nil, corev1.PodFailed, -1, []string{"memory"}, "FAILED"},
		} {
			t.Run(name+"-"+kind, func(t *testing.T) {
				t.Parallel()
				s := k.serve(t)
				if test.spoil != nil {
					test.spoil(s)
				}
				p := k.startPod(t, name+"-"+kind, s, test.change, append(append([]string{"--config", test.config}, plain...), ordersOnly...)...)
				p.want(test.phase, test.code, test.words...)
				s.wantTask(t, p.name, test.task)
			})
		}
	}
}

// Servers that go away in the middle come back; what was delivered is what there is.
func TestServersComeBackOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	p := k.startPod(t, "outage", s, setEnv("STATE_AGE", "10ms"), "--streams", "orders", "--config",
		`{"counts":{"orders":3000},"rate":300,"records_per_state":50}`)
	k.awaitOn(t, "rows", func() bool { return len(s.bulker.Commits()) > 1 })
	for _, door := range []*door{s.toBulker, s.toDatabase} {
		door.set(true)
		before := len(s.bulker.Commits())
		k.awaitOn(t, "nothing goes through", func() bool { return len(s.bulker.Commits()) <= before+1 })
		door.set(false)
	}
	p.want(corev1.PodSucceeded, exitOK, "read SUCCESS")
	if rows, err := s.bulker.Count("orders"); err != nil || rows != 3000 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// Whatever ends a run in the middle, the next one delivers every row.
func TestNextRunGoesOnOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	for kind, plain := range kinds() {
		for name, test := range map[string]struct {
			fault  string // of the connector
			change func(*corev1.Pod)
			end    func(p *kubePod) // ends it; nil when the fault does
			task   string
		}{
			"deleted": {``, nil, func(p *kubePod) {
				if err := p.k.call(http.MethodDelete, p.k.path("pods/"+p.name), "", nil); err != nil {
					p.t.Fatal(err)
				}
				p.k.awaitOn(p.t, "the Pod is gone", func() bool { return p.k.call(http.MethodGet, p.k.path("pods/"+p.name), "", nil) != nil })
			}, "CANCELLED"},
			"memory": {`,"faults":{"huge_row":{"stream":"orders","after_row":1000,"bytes":60000000}}`, func(pod *corev1.Pod) {
				c := containerOf(pod, "sidecar")
				c.Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("40Mi")}
				c.Env = append(c.Env, corev1.EnvVar{Name: "GOMEMLIMIT", Value: "off"})
			}, nil, "FAILED"},
		} {
			t.Run(name+"-"+kind, func(t *testing.T) {
				t.Parallel()
				s := k.serve(t)
				change := func(pod *corev1.Pod) {
					setEnv("STATE_AGE", "10ms")(pod)
					if test.change != nil {
						test.change(pod)
					}
				}
				config := `{"counts":{"orders":2000},"rate":400,"records_per_state":50` + test.fault + `}`
				first := append([]string{"--streams", "orders", "--config", config}, plain...)
				p := k.startPod(t, name+"-"+kind, s, change, first...)
				k.awaitOn(t, "rows", func() bool { return len(s.bulker.Commits()) > 1 })
				if test.end != nil {
					test.end(p)
				} else if phase, source := p.ended(); phase != corev1.PodFailed || source.ExitCode == 0 {
					t.Errorf("phase %s, %+v", phase, source)
				}
				if kind == "native" || test.end != nil {
					s.wantTask(t, p.name, test.task)
				}
				next := append([]string{"--streams", "orders", "--config", `{"counts":{"orders":2000},"records_per_state":50}`}, plain...)
				k.startPod(t, p.name+"-2", s, nil, next...).want(corev1.PodSucceeded, exitOK, "read SUCCESS")
				s.wantTask(t, p.name, test.task) // by then also of a sidecar that could not say so itself
				if rows, err := s.bulker.Count("orders"); err != nil || rows != 2000 {
					t.Errorf("%d rows, %v", rows, err)
				}
			})
		}
	}
}

// An image that is not there keeps the Pod from starting: the sidecar says so in the task, and does not loop.
func TestImageIsMissingOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	p := k.startPod(t, "no-image", s, func(pod *corev1.Pod) {
		setEnv("PIPE_OPEN_TIMEOUT", "3s")(pod)
		containerOf(pod, "source").Image = "sync-sidecar.invalid/none:1"
	}, "--config", `{"count":100}`, "--streams", "orders")
	k.awaitOn(t, "the task", func() bool {
		return postgrestest.Query(t, s.database, `select to_regclass('source_task') is not null`)[0] == "t" && len(postgrestest.Query(t, s.database,
			`select 1 from source_task where status = 'TIME_EXCEEDED' and error like '%PIPE_OPEN_TIMEOUT%'`)) == 1
	})
	if phase := p.status().Phase; phase != corev1.PodPending {
		t.Errorf("phase %s", phase)
	}
}
