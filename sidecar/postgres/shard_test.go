package postgres

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// shardIdentity is that of one shard of a task.
func shardIdentity(task string, index, count int) sidecar.Identity {
	id := testIdentity()
	id.Shard = sidecar.Shard{Task: task, Index: index, Count: count}
	id.TaskID = id.Shard.TaskID()
	return id
}

func openShard(t *testing.T, url, task string, index, count int) *Journal {
	t.Helper()
	return openAs(t, url, shardIdentity(task, index, count))
}

func closeNow(t *testing.T, j *Journal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(t, j.Close(ctx))
}

const tasksSQL = `select task_id, status, coalesce(error, '-') from source_task order by task_id`

// All shards go by what the first that asked had decided, although they begin at once, and their connectors name other streams.
func TestShardsAgree(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	const shards = 8
	answers := make([]map[string]int, shards)
	var group sync.WaitGroup
	for i := range shards {
		j := openShard(t, url, "task", i, shards)
		group.Go(func() {
			streams := []string{fmt.Sprint("only-", i)}
			for n := range 20 {
				streams = append(streams, fmt.Sprintf("s%02d", (n*7+i)%20))
			}
			var err error
			if answers[i], err = j.Share(within(t), streams); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	read := map[int]int{}
	for _, shard := range answers[0] {
		read[shard]++
	}
	if len(answers[0]) != 21 || len(read) != shards {
		t.Errorf("%d streams, by shard: %v", len(answers[0]), read)
	}
	for i, answer := range answers {
		if !maps.Equal(answer, answers[0]) {
			t.Errorf("shard %d was told %v, shard 0 %v", i, answer, answers[0])
		}
	}
	equalLines(t, "tasks", postgrestest.Query(t, url, tasksSQL), "task|RUNNING|-")
}

// The next task goes by what the one before brought.
func TestSharesGoByWhatEarlierTasksBrought(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	must(t, open(t, url).SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusSuccess,
		Description: `{"a":{"bytes":10},"b":{"bytes":10},"c":{"bytes":1000},"d":{"bytes":10}}`}))
	got, err := openShard(t, url, "next", 1, 2).Share(within(t), []string{"a", "b", "c", "d"})
	want := map[string]int{"a": 1, "b": 1, "c": 0, "d": 1}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// A task that was not shared out tells nobody who reads what.
func TestShareRefusesAnotherTask(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	must(t, open(t, url).SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: `{"a":{"events":1}}`}))
	_, err := openShard(t, url, "task-1", 0, 2).Share(within(t), []string{"a"})
	if err == nil || !strings.Contains(err.Error(), "another TASK_ID") {
		t.Errorf("%v", err)
	}
}

// Shards of one task run side by side, no shard twice, and nobody else runs beside them.
func TestShardsLock(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	whole := openTask(t, url, "whole")
	first, second := openShard(t, url, "a", 0, 2), openShard(t, url, "a", 1, 2)
	must(t, first.Lock(within(t)))
	must(t, second.Lock(within(t)))
	for name, other := range map[string]*Journal{"a run of the whole sync": whole, "the same shard": openShard(t, url, "a", 1, 2),
		"a shard of another task": openShard(t, url, "b", 0, 3)} {
		refusal := locked(other.Lock(within(t)))
		if refusal == nil || !strings.Contains(refusal.Holder, "task a-") {
			t.Errorf("%s: %v", name, refusal)
		}
	}
	other := openAs(t, url, sidecar.Identity{SyncID: "sync-2", TaskID: "x"})
	must(t, other.Lock(within(t)))
	closeNow(t, first)
	if locked(whole.Lock(within(t))) == nil {
		t.Error("the sync is free while a shard runs")
	}
	closeNow(t, second)
	must(t, whole.Lock(within(t)))
	if refusal := locked(openShard(t, url, "b", 0, 3).Lock(within(t))); refusal == nil || !strings.Contains(refusal.Holder, "task whole") {
		t.Errorf("a shard beside a run of the whole sync: %v", refusal)
	}
}

// Two locks each are enough, however many streams there are.
func TestShardsHoldFewLocks(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	for i := range 3 {
		must(t, openShard(t, url, "a", i, 3).Lock(within(t)))
	}
	equalLines(t, "locks", postgrestest.Query(t, url, "select mode, count(*) from pg_locks where pid in ("+lockHolderSQL+") "+
		"and locktype = 'advisory' group by mode order by mode"), "ExclusiveLock|3", "ShareLock|6")
}

// The Pod after one that was deleted without grace comes before that one has ended.
func TestShardWaitsForThePodBefore(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	before, after := openShard(t, url, "a", 0, 2), openShard(t, url, "a", 0, 2)
	must(t, before.Lock(within(t)))
	taken := make(chan error, 1)
	go func() { taken <- after.Lock(within(t)) }()
	closeNow(t, before)
	must(t, <-taken)
}

// The whole task is the sum of its shards, whoever ends last; an attempt after another one mends what that one left.
func TestWholeTaskIsTheSumOfItsShards(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	start := func(index int) *Journal {
		j := openShard(t, url, "task", index, 3)
		_, err := j.Share(within(t), []string{"a", "b", "c"})
		must(t, err)
		must(t, j.Lock(within(t)))
		must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: "{}"}))
		return j
	}
	end := func(j *Journal, status sidecar.Status, why string) {
		stream := string(rune('a' + j.identity.Shard.Index))
		must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: status, Error: why, Description: fmt.Sprintf(`{%q:{"events":%d,"bytes":9,"status":%q}}`,
			stream, j.identity.Shard.Index+1, status)}))
		closeNow(t, j)
	}
	check := func(what string, want ...string) {
		t.Helper()
		equalLines(t, what, postgrestest.Query(t, url, tasksSQL), want...)
	}
	first, second, third := start(0), start(1), start(2)
	check("all run", "task|RUNNING|-", "task-0|RUNNING|-", "task-1|RUNNING|-", "task-2|RUNNING|-")
	end(first, sidecar.StatusSuccess, "")
	closeNow(t, second) // killed
	end(third, sidecar.StatusFailed, "no disk")
	lost := sidecar.LostShardText
	check("one was killed", "task|PARTIAL|shard 1 FAILED: "+lost+"; shard 2 FAILED: no disk", "task-0|SUCCESS|-", "task-1|FAILED|"+lost,
		"task-2|FAILED|no disk")
	end(start(1), sidecar.StatusCancelled, "SIGTERM")
	check("all have ended", "task|CANCELLED|shard 1 CANCELLED: SIGTERM; shard 2 FAILED: no disk", "task-0|SUCCESS|-", "task-1|CANCELLED|SIGTERM",
		"task-2|FAILED|no disk")
	again := start(1)
	check("a new attempt", "task|RUNNING|-", "task-0|SUCCESS|-", "task-1|RUNNING|-", "task-2|FAILED|no disk")
	end(again, sidecar.StatusSuccess, "")
	check("it was better", "task|PARTIAL|shard 2 FAILED: no disk", "task-0|SUCCESS|-", "task-1|SUCCESS|-", "task-2|FAILED|no disk")
	end(start(2), sidecar.StatusSuccess, "")
	check("all are good", "task|SUCCESS|-", "task-0|SUCCESS|-", "task-1|SUCCESS|-", "task-2|SUCCESS|-")
	equalLines(t, "description", postgrestest.Query(t, url, "select description from source_task where task_id = 'task'"),
		`{"a":{"events":1,"bytes":9,"status":"SUCCESS","shard":0},"b":{"events":2,"bytes":9,"status":"SUCCESS","shard":1},`+
			`"c":{"events":3,"bytes":9,"status":"SUCCESS","shard":2}}`)
}

// Whoever ends in the same moment, one of them sees all.
func TestShardsEndAtOnce(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	const shards = 6
	var journals []*Journal
	for i := range shards {
		j := openShard(t, url, "task", i, shards)
		_, err := j.Share(within(t), []string{"a", "b", "c", "d", "e", "f"})
		must(t, err)
		must(t, j.Lock(within(t)))
		journals = append(journals, j)
	}
	var group sync.WaitGroup
	for i, j := range journals {
		group.Go(func() {
			for _, status := range []sidecar.Status{sidecar.StatusRunning, sidecar.StatusRunning, sidecar.StatusSuccess} {
				err := j.SaveTask(within(t), sidecar.TaskRecord{Status: status, Description: fmt.Sprintf(`{"%c":{"status":%q}}`, 'a'+i, status)})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	equalLines(t, "whole", postgrestest.Query(t, url, "select status from source_task where task_id = 'task'"), "SUCCESS")
}

// What somebody else cancelled stays so.
func TestWholeTaskStaysCancelled(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := openShard(t, url, "task", 0, 2)
	_, err := j.Share(within(t), []string{"a", "b"})
	must(t, err)
	must(t, j.Lock(within(t)))
	saveStatus(t, j, sidecar.StatusRunning)
	postgrestest.Exec(t, url, "update source_task set status = 'CANCELLED', description = 'by Ada' where task_id = 'task'")
	saveStatus(t, j, sidecar.StatusSuccess)
	equalLines(t, "tasks", postgrestest.Query(t, url, "select task_id, status from source_task order by 1"), "task|CANCELLED", "task-0|SUCCESS")
}

// What fails before the streams are shared out is recorded as the whole's, too, until a shard gets further.
func TestShardsThatFailBeforeTheyShare(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	for i := range 2 {
		must(t, openShard(t, url, "task", i, 2).SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusFailed, Error: "bad token"}))
	}
	equalLines(t, "tasks", postgrestest.Query(t, url, tasksSQL), "task|FAILED|shard 0 FAILED: bad token",
		"task-0|FAILED|bad token", "task-1|FAILED|bad token")
	_, err := openShard(t, url, "task", 1, 2).Share(within(t), []string{"a", "b"})
	must(t, err)
	equalLines(t, "tasks", postgrestest.Query(t, url, tasksSQL), "task|RUNNING|-", "task-0|FAILED|bad token", "task-1|FAILED|bad token")
}

// A Pod that could not begin says so, unless the row is that of another Pod which is at work.
func TestShardThatCouldNotBegin(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	late := openShard(t, url, "task", 0, 2)
	_, err := late.Share(within(t), []string{"a", "b"})
	must(t, err)
	failed := sidecar.TaskRecord{Status: sidecar.StatusFailed, Error: "no disk"}
	must(t, late.SaveTask(within(t), failed))
	equalLines(t, "tasks", postgrestest.Query(t, url, tasksSQL), "task|RUNNING|-", "task-0|FAILED|no disk")
	atWork := openShard(t, url, "task", 0, 2)
	must(t, atWork.Lock(within(t)))
	saveStatus(t, atWork, sidecar.StatusRunning)
	if err := late.SaveTask(within(t), failed); locked(err) == nil {
		t.Errorf("it wrote the row of a Pod at work: %v", err)
	}
	equalLines(t, "tasks", postgrestest.Query(t, url, tasksSQL), "task|RUNNING|-", "task-0|RUNNING|-")
}

// Other shards of the read, and the whole of it, are not taken for interrupted; those of an earlier read are.
func TestShardsAreNotInterrupted(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := openShard(t, url, "new", 1, 2)
	for _, task := range []string{"old", "old-0", "new", "new-0", "new-1", "new-11"} {
		postgrestest.Exec(t, url, `insert into source_task (sync_id, task_id, package, version, status, started_at)
			values ('sync-1', $1, 'p', 'v', 'RUNNING', '2020-01-01')`, task)
	}
	found, err := j.Interrupted(within(t))
	must(t, err)
	if got := strings.Join(found, " "); got != "old old-0 new-11" {
		t.Errorf("%s", got)
	}
}
