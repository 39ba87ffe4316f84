package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// wholeTasks are the tasks of a read by shards, without what differs from run to run.
const wholeTasks = `select regexp_replace(task_id, '^(lost-[0-9a-f-]{36}|[0-9t.]+-[0-9]+)', 'task'), status, coalesce(error, '-')
	from sync_sidecar.source_task order by 1`

// twoShards are the configuration of a read of which the first shard (customers, products) soon ends, or the second (orders) does.
func twoShards(first, second int) string {
	return fmt.Sprintf(`{"counts":{"customers":%d,"products":%[1]d,"orders":%d},"rate":100,"records_per_state":20}`, first, second)
}

// A shard whose sidecar is killed, and that gets no other attempt, is recorded as failed by the one that ends after it, and so is the whole.
func TestLostShardsOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	text, err := render(t, append(k.tables(s, "sync-1", twoShards(600, 100000), "--name", "lost", "--shards", "2", "--plain", "--backoff-limit", "0"), k.demo))
	if err != nil {
		t.Fatal(err)
	}
	k.apply(t, text)
	k.awaitOn(t, "a state of shard 1", func() bool { return committedBy(t, s, 1) })
	newKiller(t, k).kill(&kubePod{t: t, k: k, name: k.podOf("lost-1-")}, "sidecar")
	if k.jobEnded(t, "lost") {
		t.Error("the Job is good")
	}
	wantLines(t, "tasks", postgrestest.Query(t, s.database, wholeTasks), "task|PARTIAL|shard 1 FAILED: "+sidecar.LostShardText,
		"task-0|SUCCESS|-", "task-1|FAILED|"+sidecar.LostShardText)
	wantLines(t, "streams that failed", postgrestest.Query(t, s.database, `select key from sync_sidecar.source_task, json_each(description::json)
		where task_id ~ '^lost-[0-9a-f-]{36}$' and value->>'status' = 'FAILED'`), "orders")
}

// When nobody comes after the shard that is lost, run records that it is.
func TestRunSettlesOnKubernetes(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	killer := newKiller(t, k)
	for name, test := range map[string]struct {
		args []string
		pod  string // how its name ends
		want []string
	}{
		"shards": {[]string{"--shards", "2"}, "-1", []string{"task|PARTIAL|shard 1 FAILED: " + sidecar.LostShardText, "task-0|SUCCESS|-",
			"task-1|FAILED|" + sidecar.LostShardText}},
		"one Pod": {nil, "", []string{"task|FAILED|" + sidecar.InterruptedText}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := k.serve(t)
			sync := strings.ReplaceAll(strings.ToLower(name), " ", "-")
			args := append([]string{"run", "read", "--kubernetes", "--kube-namespace", k.namespace}, k.tables(s, sync, twoShards(20, 100000), test.args...)...)
			command, stdout, stderr := k.command(append(args, k.demo)...)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			k.awaitOn(t, "rows", func() bool { return s.ordersThere(t) > 0 && (test.pod == "" || s.succeeded(t)) })
			for _, pod := range k.pods() {
				if strings.HasPrefix(pod.Name, sync) && strings.HasSuffix(pod.Name, test.pod) && !strings.Contains(pod.Name, "-discover") {
					killer.kill(&kubePod{t: t, k: k, name: pod.Name}, "sidecar")
				}
			}
			if code := codeOf(t, command.Wait()); code == exitOK {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if strings.Contains(stderr.String(), "may stay RUNNING") {
				t.Error(stderr)
			}
			wantLines(t, "tasks", postgrestest.Query(t, s.database, wholeTasks), test.want...)
		})
	}
	t.Cleanup(func() {
		if left := k.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// ordersThere are the rows of the table orders; none where there is no such table.
func (s *kubeServers) ordersThere(t *testing.T) int {
	t.Helper()
	if postgrestest.Query(t, s.database, `select to_regclass('orders') is null`)[0] == "t" {
		return 0
	}
	count, err := strconv.Atoi(postgrestest.Query(t, s.database, `select count(*) from orders`)[0])
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// succeeded says whether any task has.
func (s *kubeServers) succeeded(t *testing.T) bool {
	t.Helper()
	return postgrestest.Query(t, s.database, `select count(*) > 0 from sync_sidecar.source_task where status = 'SUCCESS'`)[0] == "t"
}

// A Pod that takes more of the node's disk than it may is evicted, with a second's notice: its lock is free, and the next run goes on from what it
// had saved.
func TestEvictedOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	s.tables = true
	orders := func(rate int) []string {
		return []string{"--streams", "orders", "--config", fmt.Sprintf(`{"counts":{"orders":9000},"rate":%d,"records_per_state":50}`, rate)}
	}
	tight := func(pod *corev1.Pod) { // its log alone is larger
		limits := corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse("1Ki")}
		maps.Copy(limits, containerOf(pod, "sidecar").Resources.Limits)
		containerOf(pod, "sidecar").Resources.Limits = limits
		containerOf(pod, "sidecar").Resources.Requests[corev1.ResourceEphemeralStorage] = resource.MustParse("1Ki")
	}
	p := k.startPod(t, "evicted", s, tight, orders(200)...)
	p.ended()
	if status := p.status(); status.Phase != corev1.PodFailed || status.Reason != "Evicted" {
		t.Errorf("%s, %s: %s", status.Phase, status.Reason, status.Message)
	}
	k.startPod(t, "evicted-2", s, nil, orders(9000)...).want(corev1.PodSucceeded, exitOK, "read SUCCESS")
	wantEnds(t, s, "evicted")
	wantLines(t, "rows", postgrestest.Query(t, s.database, `select count(*), count(distinct id) from orders`), "9000|9000")
}

// wantEnds checks that a task that was cut short says so: by itself, where it had the time for that, or by the next one, which was good.
func wantEnds(t *testing.T, s *kubeServers, task string) {
	t.Helper()
	tasks := postgrestest.Query(t, s.database, `select task_id = $1, status, coalesce(error, '-') from sync_sidecar.source_task
		order by started_at`, task)
	interrupted, cancelled := "t|FAILED|"+sidecar.InterruptedText, "t|CANCELLED|"
	if len(tasks) < 2 || tasks[0] != interrupted && !strings.HasPrefix(tasks[0], cancelled) || tasks[len(tasks)-1] != "f|SUCCESS|-" {
		t.Errorf("tasks: %q", tasks)
	}
	t.Logf("tasks: %q", tasks)
}

// A node that the cluster cannot reach: the cluster gives its Pod up, which goes on, and another run begins. No row is there twice, and the lock is
// that of one run at a time.
func TestNodeIsLostOnACluster(t *testing.T) {
	t.Parallel() // to the others the node is busy for some seconds
	k := newKubeLine(t)
	kubelet, err := strconv.Atoi(os.Getenv("TEST_KUBE_KUBELET"))
	if err != nil {
		t.Skip("needs the process of the kubelet: TEST_KUBE_KUBELET")
	}
	s := k.serve(t)
	s.tables = true
	orders := func(rate int) []string {
		return []string{"--deduplicate=false", "--streams", "orders", "--config",
			fmt.Sprintf(`{"counts":{"orders":9000},"rate":%d,"records_per_state":50}`, rate)}
	}
	signal := func(number syscall.Signal) {
		if err := syscall.Kill(kubelet, number); err != nil {
			t.Fatal(err)
		}
	}
	lost := k.startPod(t, "lost", s, nil, orders(200)...)
	k.awaitOn(t, "rows", func() bool { return s.ordersThere(t) > 0 })
	signal(syscall.SIGSTOP)
	defer signal(syscall.SIGCONT)
	if err := k.call(http.MethodDelete, k.path("pods/"+lost.name), `{"gracePeriodSeconds":0}`, nil); err != nil {
		t.Fatal(err)
	}
	k.awaitOn(t, "the Pod's end, as the cluster sees it", func() bool { return len(k.pods()) == 0 })
	had := s.ordersThere(t)
	k.awaitOn(t, "more rows of the Pod", func() bool { return s.ordersThere(t) > had })
	k.startPod(t, "next", s, nil, orders(9000)...)
	signal(syscall.SIGCONT)
	if phase, _ := (&kubePod{t: t, k: k, name: "next"}).ended(); phase != corev1.PodSucceeded { // the first one was still at work
		k.startPod(t, "last", s, nil, orders(9000)...).want(corev1.PodSucceeded, exitOK, "read SUCCESS")
	}
	wantEnds(t, s, "lost")
	wantLines(t, "rows", postgrestest.Query(t, s.database, `select count(*), count(distinct id) from orders`), "9000|9000")
}
