package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// tables are the arguments of a read of twelve streams into tables, in small Pods.
func (k *kubeLine) tables(s *kubeServers, sync, config string, more ...string) []string {
	return append([]string{"--sync-id", sync, "--sidecar-image", k.image, "--pull", "never", "--requests", "cpu=10m", "--sidecar-requests", "cpu=10m",
		"--destination-url", s.databaseURL, "--config", config}, more...)
}

// deletePod removes a Pod, which gets a second. Without any, the kubelet of 1.33 panics in doPodResizeAction where it keeps no cgroup for each Pod.
func (k *kubeLine) deletePod(t *testing.T, name string) {
	t.Helper()
	if err := k.call(http.MethodDelete, k.path("pods/"+name), `{"gracePeriodSeconds":1}`, nil); err != nil {
		t.Error(err)
	}
}

// podOf is the running Pod of which the name has a part.
func (k *kubeLine) podOf(part string) string {
	for _, pod := range k.pods() {
		if strings.Contains(pod.Name, part) && pod.DeletionTimestamp == nil {
			return pod.Name
		}
	}
	return ""
}

// committedBy says whether the Pod of a shard has committed a state.
func committedBy(t *testing.T, s *kubeServers, shard int) bool {
	t.Helper()
	there := postgrestest.Query(t, s.database, `select to_regclass('sync_sidecar.destination_shard') is not null`)
	return there[0] == "t" && postgrestest.Query(t, s.database, `select count(*) > 0 from sync_sidecar.destination_state s
		join sync_sidecar.destination_shard h on h.run = s.run where h.shard = $1`, shard)[0] == "t"
}

// jobEnded waits for the end of a Job, and says whether it was good.
func (k *kubeLine) jobEnded(t *testing.T, name string) bool {
	t.Helper()
	var job batchv1.Job
	k.awaitOn(t, "the end of Job "+name, func() bool {
		job = batchv1.Job{} // what is zero is not in an answer
		if err := k.call(http.MethodGet, "/apis/batch/v1/namespaces/"+k.namespace+"/jobs/"+name, "", &job); err != nil {
			t.Error(err)
		}
		return endOf(job) != ""
	})
	return endOf(job) == batchv1.JobComplete
}

func endOf(job batchv1.Job) batchv1.JobConditionType {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed {
			return condition.Type
		}
	}
	return ""
}

// An Indexed Job reads twelve streams by three Pods, one of which is killed in the middle: all rows are there, once. Two Pods then go on from there.
func TestShardsOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	job := func(name, config string, shards int) {
		text, err := render(t, append(k.tables(s, "sync-1", config, "--name", name, "--shards", fmt.Sprint(shards)), k.demo))
		if err != nil {
			t.Fatal(err)
		}
		k.apply(t, text)
	}
	job("three", `{"count":6000,"streams":12,"rate":400,"records_per_state":50}`, 3)
	k.awaitOn(t, "a state of shard 1", func() bool { return committedBy(t, s, 1) })
	k.deletePod(t, k.podOf("three-1-"))
	if !k.jobEnded(t, "three") {
		t.Error("the Job failed")
	}
	wantLines(t, "rows", allRows(t, s.database), "6000|6000")
	const statuses = `select regexp_replace(task_id, '-[0-9a-f-]{36}', ''), status from sync_sidecar.source_task order by 1`
	wantLines(t, "tasks", postgrestest.Query(t, s.database, statuses), "three|SUCCESS", "three-0|SUCCESS", "three-1|SUCCESS", "three-2|SUCCESS")
	job("two", `{"count":6600,"streams":12}`, 2)
	if !k.jobEnded(t, "two") {
		t.Error("the second Job failed")
	}
	wantLines(t, "rows", allRows(t, s.database), "6600|6600")
	wantLines(t, "rows of the second", postgrestest.Query(t, s.database,
		`select status, (select sum((value->>'events')::int) from json_each(description::json))
			from sync_sidecar.source_task where task_id ~ '^two-[0-9a-f-]{36}$'`), "SUCCESS|600")
}

// run follows all shards as one, replaces a Pod that somebody deletes, and cancels all at once.
func TestRunShardsOnKubernetes(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	args := func(config string) []string {
		return append(append([]string{"run", "read", "--kubernetes", "--kube-namespace", k.namespace, "--shards", "3"},
			k.tables(s, "sync-1", config)...), k.demo)
	}
	const slow = `{"count":6000,"streams":12,"rate":200,"records_per_state":20}`
	command, stdout, stderr := k.command(args(slow)...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run said %s%s", stdout, stderr)
		}
	})
	k.awaitOn(t, "states of all shards", func() bool { return committedBy(t, s, 0) && committedBy(t, s, 1) && committedBy(t, s, 2) })
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if code := codeOf(t, command.Wait()); code != exitSignal+2 || !strings.Contains(stdout.String(), "CANCELLED") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	wantLines(t, "tasks", postgrestest.Query(t, s.database, `select status, count(*) from sync_sidecar.source_task group by 1`), "CANCELLED|4")

	command, stdout, stderr = k.command(args(strings.Replace(slow, `"rate":200`, `"rate":500`, 1))...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	k.awaitOn(t, "a Pod that delivers", func() bool {
		return postgrestest.Query(t, s.database, `select count(*) > 0 from sync_sidecar.source_task
			where task_id like '%-2' and status = 'RUNNING'`)[0] == "t"
	})
	for _, pod := range k.pods() {
		if strings.HasSuffix(pod.Name, "-2") {
			k.deletePod(t, pod.Name)
		}
	}
	if code := codeOf(t, command.Wait()); code != exitOK || !strings.Contains(stdout.String(), "total") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if !strings.Contains(stderr.String(), "another Pod goes on") {
		t.Errorf("no word of the Pod that was lost: %s", stderr)
	}
	wantLines(t, "rows", allRows(t, s.database), "6000|6000")
	if left := k.left(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Twenty CronJobs that begin in the same second, on one Postgres: none fails, and there are no more connections than were said.
func TestManyCronJobsOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	s := k.serve(t)
	const jobs = 20
	catalog := filepath.Join(k.dir, "catalog.json")
	put(t, catalog, `{"streams":[{"stream":{"name":"orders","json_schema":{},"supported_sync_modes":["incremental"]},"sync_mode":"incremental",
		"destination_sync_mode":"append_dedup","cursor_field":["updated_at"],"primary_key":[["id"]]}]}`)
	for i := range jobs {
		name := fmt.Sprintf("sync-%02d", i)
		text, err := render(t, append(k.tables(s, name, `{"count":100}`, "--name", name, "--kind", "CronJob", "--schedule", "0 0 1 1 *", "--catalog", catalog,
			"--table-name-prefix", fmt.Sprintf("t%02d_", i), "--startup-jitter", "5s", "--load-concurrency", "1"), k.demo))
		if err != nil {
			t.Fatal(err)
		}
		k.apply(t, text)
	}
	for i := range jobs {
		k.runNow(t, fmt.Sprintf("sync-%02d", i))
	}
	ended, most := map[string]batchv1.JobConditionType{}, 0
	k.awaitOn(t, "the end of all Jobs", func() bool {
		var list batchv1.JobList
		if err := k.call(http.MethodGet, "/apis/batch/v1/namespaces/"+k.namespace+"/jobs", "", &list); err != nil {
			t.Error(err)
		}
		for _, job := range list.Items {
			if end := endOf(job); end != "" {
				ended[job.Name] = end
			}
		}
		var now int
		open := postgrestest.Query(t, s.database, `select count(*) - 1 from pg_stat_activity where datname = current_database()`)
		if err := json.Unmarshal([]byte(open[0]), &now); err != nil {
			t.Error(err)
		}
		most = max(most, now)
		return len(ended) == jobs
	})
	for name, end := range ended {
		if end != batchv1.JobComplete {
			t.Errorf("Job %s: %s", name, end)
		}
	}
	wantLines(t, "tasks", postgrestest.Query(t, s.database, `select status, coalesce(error, ''), count(*), count(distinct sync_id)
		from sync_sidecar.source_task group by 1, 2`), fmt.Sprintf("SUCCESS||%d|%[1]d", jobs))
	if bound := jobs * 8; most > bound || most == 0 {
		t.Errorf("%d connections at once, want at most %d", most, bound)
	}
	t.Logf("at most %d connections at once", most)
}

// runNow starts a run of a CronJob, as `kubectl create job --from=cronjob/NAME` does.
func (k *kubeLine) runNow(t *testing.T, name string) {
	t.Helper()
	path := "/apis/batch/v1/namespaces/" + k.namespace
	var from batchv1.CronJob
	if err := k.call(http.MethodGet, path+"/cronjobs/"+name, "", &from); err != nil {
		t.Fatal(err)
	}
	job := batchv1.Job{Spec: from.Spec.JobTemplate.Spec}
	job.Name = name
	body, err := json.Marshal(job)
	if err == nil {
		err = k.call(http.MethodPost, path+"/jobs", string(body), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
