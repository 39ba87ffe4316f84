package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// killer kills processes of containers with SIGKILL, as the kernel does when memory is short: a Pod that sees all processes of its node.
type killer struct {
	k         *kubeLine
	namespace string
}

// newKiller makes a namespace that allows such Pods.
func newKiller(t *testing.T, k *kubeLine) *killer {
	t.Helper()
	killer := &killer{k: k, namespace: k.namespace + "-kill"}
	k.mustCreate("/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`,
		killer.namespace))
	t.Cleanup(func() {
		if err := k.call(http.MethodDelete, "/api/v1/namespaces/"+killer.namespace, "", nil); err != nil {
			t.Error(err)
		}
	})
	k.eventually(t, "the ServiceAccount default", func() bool {
		return k.call(http.MethodGet, "/api/v1/namespaces/"+killer.namespace+"/serviceaccounts/default", "", nil) == nil
	})
	return killer
}

// killProgram kills all processes whose cgroup is that of a container.
const killProgram = `import os, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if sys.argv[1] in open(f"/proc/{pid}/cgroup").read():
            os.kill(int(pid), 9)
    except (FileNotFoundError, ProcessLookupError):
        pass
`

// kill kills a container of a Pod.
func (a *killer) kill(p *kubePod, container string) {
	p.t.Helper()
	id := ""
	var pod corev1.Pod
	a.k.awaitOn(p.t, "the start of container "+container, func() bool {
		if err := a.k.call(http.MethodGet, a.k.path("pods/"+p.name), "", &pod); err != nil {
			p.t.Fatal(err)
		}
		for _, status := range append(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses...) {
			if status.Name == container {
				_, id, _ = strings.Cut(status.ContainerID, "://")
			}
		}
		return id != ""
	})
	pods := "/api/v1/namespaces/" + a.namespace + "/pods"
	body := fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"hostPID":true,"restartPolicy":"Never","nodeName":%q,"containers":[{"name":"kill",
		"image":"airbyte/source-faker:dev","imagePullPolicy":"Never","command":["python3","-c",%q,%q],
		"securityContext":{"runAsUser":0}}]}}`,
		p.name, pod.Spec.NodeName, killProgram, id)
	if err := a.k.call(http.MethodPost, pods, body, nil); err != nil {
		p.t.Fatal(err)
	}
	a.k.awaitOn(p.t, "the end of the killer", func() bool {
		var pod corev1.Pod
		if err := a.k.call(http.MethodGet, pods+"/"+p.name, "", &pod); err != nil {
			p.t.Fatal(err)
		}
		if pod.Status.Phase == corev1.PodFailed {
			p.t.Fatalf("the killer failed: %+v", pod.Status.ContainerStatuses)
		}
		return pod.Status.Phase == corev1.PodSucceeded
	})
}

// Rows without a key that go into Postgres are there once, whatever ended their run in the middle.
func TestRowsInTablesOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	killer := newKiller(t, k)
	for name, test := range map[string]struct {
		args  []string
		spoil func(s *kubeServers, p *kubePod)
		phase corev1.PodPhase
		task  string
	}{
		"the sidecar is killed": {nil, func(_ *kubeServers, p *kubePod) { killer.kill(p, "sidecar") }, corev1.PodFailed, "FAILED"},
		"the source is killed":  {[]string{"--plain"}, func(_ *kubeServers, p *kubePod) { killer.kill(p, "source") }, corev1.PodFailed, "PARTIAL"},
		"the server goes away": {[]string{"--plain"}, func(s *kubeServers, _ *kubePod) {
			s.toDatabase.set(true)
			s.toDatabase.set(false)
		}, corev1.PodSucceeded, "SUCCESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := k.serve(t)
			s.tables = true
			change := func(pod *corev1.Pod) {
				setEnv("STATE_AGE", "10ms")(pod)
				setEnv("DEDUPLICATE", "false")(pod)
			}
			first := append([]string{"--streams", "orders", "--config", `{"counts":{"orders":3000},"rate":200,"records_per_state":50}`}, test.args...)
			p := k.startPod(t, "tables-"+strings.ReplaceAll(name, " ", "-"), s, change, first...)
			k.awaitOn(t, "rows", func() bool {
				return postgrestest.Query(t, s.database, `select to_regclass('orders') is not null`)[0] == "t" &&
					postgrestest.Query(t, s.database, `select count(*) > 100 from orders`)[0] == "t"
			})
			test.spoil(s, p)
			if phase, source := p.ended(); phase != test.phase {
				t.Errorf("phase %s, want %s: %+v", phase, test.phase, source)
			}
			next := append([]string{"--streams", "orders", "--config", `{"counts":{"orders":3000},"records_per_state":50}`}, test.args...)
			k.startPod(t, p.name+"-2", s, change, next...).want(corev1.PodSucceeded, exitOK, "read SUCCESS")
			wantLines(t, "task", postgrestest.Query(t, s.database, `select status from sync_sidecar.source_task where task_id = $1`, p.name), test.task)
			wantLines(t, "rows", postgrestest.Query(t, s.database, `select count(*), count(distinct id) from orders`), "3000|3000")
		})
	}
}

// A Pod whose database is away from the start ends in time, and its step says why: no other container is started.
func TestNoDatabaseOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	s.tables = true
	s.toDatabase.set(true)
	p := k.startPod(t, "no-database", s, nil, "--streams", "orders", "--config", `{}`)
	if phase, _ := p.ended(); phase != corev1.PodFailed {
		t.Errorf("phase %s", phase)
	}
	for _, step := range p.status().InitContainerStatuses {
		if ended := step.State.Terminated; ended != nil && ended.ExitCode != 0 {
			mustContain(t, step.Name, ended.Message, "STARTUP_TIMEOUT")
			return
		}
	}
	t.Errorf("no step failed: %+v", p.status().InitContainerStatuses)
}

// A connector that cannot name its streams fails the task, although no sidecar is started.
func TestFailedDiscoverOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	p := k.startPod(t, "no-streams", s, nil, "--config", `{"faults":{"exit_code":{"command":"discover","code":7}}}`)
	if phase, _ := p.ended(); phase != corev1.PodFailed {
		t.Errorf("phase %s", phase)
	}
	wantLines(t, "task", postgrestest.Query(t, s.database, `select task_id, status, error like '%exited with code 7%' from source_task`),
		"no-streams|FAILED|t")
}
