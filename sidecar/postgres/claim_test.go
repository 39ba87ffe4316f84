package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// Of two tasks of one sync whose shards begin in the same moment, one reads it, and the other is refused.
func TestOneOfTwoTasksBegins(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	const shards = 3
	for round := range 10 {
		journals, errs := map[string][shards]*Journal{}, map[string]*[shards]error{}
		for _, task := range []string{"a", "b"} {
			var of [shards]*Journal
			for i := range of {
				of[i] = openShard(t, url, fmt.Sprint(task, round), i, shards)
			}
			journals[task], errs[task] = of, new([shards]error)
		}
		var group sync.WaitGroup
		for task, of := range journals {
			for i, j := range of {
				group.Go(func() { errs[task][i] = j.Lock(within(t)) })
			}
		}
		group.Wait()
		began := map[string]int{}
		for task, of := range errs {
			for _, err := range of {
				switch refusal := locked(err); {
				case err == nil:
					began[task]++
				case refusal == nil || !strings.Contains(refusal.Holder, "task "):
					t.Errorf("task %s: %v", task, err)
				}
			}
		}
		if began["a"]+began["b"] != shards || began["a"]*began["b"] != 0 {
			t.Errorf("round %d: shards that began: %v", round, began)
		}
		for _, of := range journals {
			for _, j := range of {
				closeNow(t, j)
			}
		}
	}
}
