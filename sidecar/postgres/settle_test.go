package postgres

import (
	"fmt"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// beginShard begins with a shard of a task with the streams a, b, c, as its Pod does.
func beginShard(t *testing.T, url string, index int) *Journal {
	t.Helper()
	j := openShard(t, url, "task", index, 3)
	_, err := j.Share(within(t), []string{"a", "b", "c"})
	must(t, err)
	must(t, j.Lock(within(t)))
	stream := string(rune('a' + index))
	must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: sidecar.StatusRunning,
		Description: fmt.Sprintf(`{%q:{"events":%d,"status":"RUNNING"}}`, stream, index+1)}))
	return j
}

// endShard ends it.
func endShard(t *testing.T, j *Journal, status sidecar.Status) {
	t.Helper()
	stream := string(rune('a' + j.identity.Shard.Index))
	must(t, j.SaveTask(within(t), sidecar.TaskRecord{Status: status, Description: fmt.Sprintf(`{%q:{"events":9,"status":%q}}`, stream, status)}))
	closeNow(t, j)
}

func checkTasks(t *testing.T, what, url string, want ...string) {
	t.Helper()
	equalLines(t, what, postgrestest.Query(t, url, tasksSQL), want...)
}

const descriptionSQL = `select description from source_task where task_id = 'task'`

// The shard that ends last sees which ones are lost, and what becomes of the whole; while another one is at work that one will.
func TestLastShardEndsThoseThatAreLost(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	first, lost, third := beginShard(t, url, 0), beginShard(t, url, 1), beginShard(t, url, 2)
	closeNow(t, lost) // killed
	endShard(t, third, sidecar.StatusSuccess)
	checkTasks(t, "one is at work", url, "task|RUNNING|-", "task-0|RUNNING|-", "task-1|RUNNING|-", "task-2|SUCCESS|-")
	endShard(t, first, sidecar.StatusSuccess)
	checkTasks(t, "none is at work", url, "task|PARTIAL|shard 1 FAILED: "+sidecar.LostShardText, "task-0|SUCCESS|-",
		"task-1|FAILED|"+sidecar.LostShardText, "task-2|SUCCESS|-")
	equalLines(t, "description", postgrestest.Query(t, url, descriptionSQL),
		`{"a":{"events":9,"status":"SUCCESS","shard":0},"b":{"events":2,"status":"FAILED","shard":1},"c":{"events":9,"status":"SUCCESS","shard":2}}`)
	again := beginShard(t, url, 1)
	checkTasks(t, "another Pod", url, "task|RUNNING|-", "task-0|SUCCESS|-", "task-1|RUNNING|-", "task-2|SUCCESS|-")
	endShard(t, again, sidecar.StatusSuccess)
	checkTasks(t, "it was good", url, "task|SUCCESS|-", "task-0|SUCCESS|-", "task-1|SUCCESS|-", "task-2|SUCCESS|-")
}

// A shard that only lost the connection which holds its lock is taken for lost until it saves its task again.
func TestShardReturnsFromLoss(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	first, second, third := beginShard(t, url, 0), beginShard(t, url, 1), beginShard(t, url, 2)
	must(t, second.held().release(within(t)))
	endShard(t, first, sidecar.StatusSuccess)
	endShard(t, third, sidecar.StatusSuccess)
	checkTasks(t, "taken for lost", url, "task|PARTIAL|shard 1 FAILED: "+sidecar.LostShardText, "task-0|SUCCESS|-",
		"task-1|FAILED|"+sidecar.LostShardText, "task-2|SUCCESS|-")
	saveStatus(t, second, sidecar.StatusRunning)
	checkTasks(t, "it is back", url, "task|RUNNING|-", "task-0|SUCCESS|-", "task-1|RUNNING|-", "task-2|SUCCESS|-")
	postgrestest.Exec(t, url, "update source_task set status = 'CANCELLED', error = 'by Ada' where task_id in ('task', 'task-1')")
	saveStatus(t, second, sidecar.StatusRunning)
	checkTasks(t, "cancelled by somebody", url, "task|CANCELLED|by Ada", "task-0|SUCCESS|-", "task-1|CANCELLED|by Ada", "task-2|SUCCESS|-")
}

// Once one is cancelled and nobody is at work, shards that have not begun are not waited for.
func TestCancelledBeforeAllHaveBegun(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	first, second := beginShard(t, url, 0), beginShard(t, url, 1)
	endShard(t, first, sidecar.StatusCancelled)
	checkTasks(t, "one is at work", url, "task|RUNNING|-", "task-0|CANCELLED|-", "task-1|RUNNING|-")
	endShard(t, second, sidecar.StatusCancelled)
	checkTasks(t, "none is", url, "task|CANCELLED|shard 0 CANCELLED; shard 1 CANCELLED", "task-0|CANCELLED|-", "task-1|CANCELLED|-")
	beginShard(t, url, 2)
	checkTasks(t, "the third came late", url, "task|RUNNING|-", "task-0|CANCELLED|-", "task-1|CANCELLED|-", "task-2|RUNNING|-")
}

// Settle ends what nobody is at work on any more, and nothing else.
func TestSettleShards(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	settler := openShard(t, url, "task", 0, 3)
	must(t, settler.Settle(within(t), sidecar.StatusFailed))
	checkTasks(t, "none began", url)
	lost, alive := beginShard(t, url, 0), beginShard(t, url, 1)
	must(t, settler.Settle(within(t), sidecar.StatusFailed))
	checkTasks(t, "two are at work", url, "task|RUNNING|-", "task-0|RUNNING|-", "task-1|RUNNING|-", "task-2|FAILED|"+sidecar.AbsentShardText)
	closeNow(t, lost)
	endShard(t, alive, sidecar.StatusSuccess)
	before := postgrestest.Query(t, url, tasksSQL)
	if !strings.HasPrefix(before[0], "task|PARTIAL|") {
		t.Errorf("%q", before)
	}
	must(t, settler.Settle(within(t), sidecar.StatusFailed))
	checkTasks(t, "all have ended", url, before...)
}

// The last one of all is killed: nobody comes after it, but who ran them knows.
func TestSettleTheLastShard(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	for i := range 3 {
		j := beginShard(t, url, i)
		if i < 2 {
			endShard(t, j, sidecar.StatusSuccess)
		} else {
			closeNow(t, j)
		}
	}
	checkTasks(t, "the last was killed", url, "task|RUNNING|-", "task-0|SUCCESS|-", "task-1|SUCCESS|-", "task-2|RUNNING|-")
	must(t, openShard(t, url, "task", 0, 3).Settle(within(t), sidecar.StatusFailed))
	checkTasks(t, "settled", url, "task|PARTIAL|shard 2 FAILED: "+sidecar.LostShardText, "task-0|SUCCESS|-", "task-1|SUCCESS|-",
		"task-2|FAILED|"+sidecar.LostShardText)
}

// A task that is not shared out is settled in the same way.
func TestSettleATask(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	j := openTask(t, url, "task")
	must(t, j.Lock(within(t)))
	saveStatus(t, j, sidecar.StatusRunning)
	settler := openTask(t, url, "task")
	must(t, settler.Settle(within(t), sidecar.StatusFailed))
	checkTasks(t, "at work", url, "task|RUNNING|-")
	closeNow(t, j)
	must(t, settler.Settle(within(t), sidecar.StatusFailed))
	checkTasks(t, "killed", url, "task|FAILED|"+sidecar.InterruptedText)
	saveStatus(t, settler, sidecar.StatusSuccess)
	must(t, settler.Settle(within(t), sidecar.StatusFailed))
	checkTasks(t, "ended", url, "task|SUCCESS|-")
}
