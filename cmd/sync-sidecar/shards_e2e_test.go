package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// twelveStreams are those of the demo connector with "streams": 12.
func twelveStreams() []string {
	names := []string{"customers", "products", "orders"}
	for i := 4; i <= 12; i++ {
		names = append(names, fmt.Sprintf("orders_%d", i))
	}
	return names
}

// shardPod is a pod that is one shard of a task, with a database that takes the rows and all else. Every pod has the whole catalog at first.
func shardPod(t *testing.T, database, task string, index, count int, config string) *pod {
	t.Helper()
	p := newPod(t, "read", config)
	p.configure(incrementalStreams(twelveStreams()...)...)
	return p.set("DESTINATION_URL", database, "TASK_ID", task, "SHARD", strconv.Itoa(index), "SHARDS", strconv.Itoa(count), "LOG_LEVEL", "INFO")
}

// started runs init, the sidecar and the connector.
func (p *pod) started(t *testing.T) *podProcess {
	t.Helper()
	p.initialise(t, "--take-share", "--load-state")
	sidecar := p.startSidecar()
	p.startSource()
	return sidecar
}

// allRows counts the rows of every stream's table, and how many different ones they are.
func allRows(t *testing.T, database string) []string {
	t.Helper()
	var counts []string
	for _, stream := range twelveStreams() {
		counts = append(counts, fmt.Sprintf("select id from %s", stream))
	}
	distinct := strings.ReplaceAll(strings.Join(counts, " union all "), "select id from ", "select count(distinct id) as id from ")
	return postgrestest.Query(t, database, fmt.Sprintf("select (select count(*) from (%s) as a), (select sum(id) from (%s) as b)",
		strings.Join(counts, " union all "), distinct))
}

const shardTasks = `select task_id, status from sync_sidecar.source_task order by task_id`

// Three shards read twelve streams; one is killed in the middle, which the last of the others records, and its next attempt brings the rest, once.
// Two shards then go on from there.
func TestShardsShareARead(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	const config = `{"count":6000,"streams":12,"rate":1000,"records_per_state":50}`
	pods := make([]*pod, 3)
	running := make([]*podProcess, 3)
	for i := range pods {
		pods[i] = shardPod(t, database, "first", i, len(pods), config)
		running[i] = pods[i].started(t)
	}
	eventually(t, func() bool {
		return postgrestest.Query(t, database, `select count(*) > 0 from sync_sidecar.destination_state s
			join sync_sidecar.destination_shard h on h.run = s.run where h.shard = 1`)[0] == "t"
	}, func() string { return "shard 1 has committed nothing" })
	wantLines(t, "tasks", postgrestest.Query(t, database, shardTasks), "first|RUNNING", "first-0|RUNNING", "first-1|RUNNING", "first-2|RUNNING")
	running[1].kill()
	for _, i := range []int{0, 2} {
		outcome{running[i].wait(), running[i].stderr.String()}.want(t, exitOK, "read SUCCESS")
	}
	wantLines(t, "tasks", postgrestest.Query(t, database, shardTasks), "first|PARTIAL", "first-0|SUCCESS", "first-1|FAILED", "first-2|SUCCESS")
	again := shardPod(t, database, "first", 1, len(pods), config).started(t)
	eventually(t, func() bool { return postgrestest.Query(t, database, shardTasks)[0] == "first|RUNNING" },
		func() string { return "the whole is not RUNNING again" })
	outcome{again.wait(), again.stderr.String()}.want(t, exitOK, "read SUCCESS")
	wantLines(t, "rows", allRows(t, database), "6000|6000")
	wantLines(t, "tasks", postgrestest.Query(t, database, shardTasks), "first|SUCCESS", "first-0|SUCCESS", "first-1|SUCCESS", "first-2|SUCCESS")

	var delivered int
	for i := range 2 {
		p := shardPod(t, database, "second", i, 2, strings.Replace(config, "6000", "6600", 1)).started(t)
		got := outcome{p.wait(), p.stderr.String()}
		got.want(t, exitOK, "read SUCCESS")
		_, said, _ := strings.Cut(got.lastLine(), "read SUCCESS; ")
		rows, _, _ := strings.Cut(said, " of ")
		n, err := strconv.Atoi(rows)
		if err != nil {
			t.Errorf("%v in %q", err, got.lastLine())
		}
		delivered += n
	}
	if delivered != 600 {
		t.Errorf("two shards delivered %d rows more, want 600", delivered)
	}
	wantLines(t, "rows", allRows(t, database), "6600|6600")
	wantLines(t, "whole", postgrestest.Query(t, database, `select status, (select count(*) from json_object_keys(description::json))
		from sync_sidecar.source_task where task_id in ('first', 'second') order by task_id`), "SUCCESS|12", "SUCCESS|12")
}

// More shards than streams: those without any are done at once. Rows may as well go to a Bulker server.
func TestShardsWithoutStreams(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	for i := range 3 {
		p := shardPod(t, "", "task", i, 3, `{"count":100}`).set("DATABASE_URL", database)
		server := p.useBulker(bulkertest.Options{})
		p.configure(incrementalStreams("customers", "orders")...)
		p.initialise(t, "--take-share", "--load-state")
		sidecar := p.startSidecar()
		if i < 2 {
			p.startSource()
		}
		outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, exitOK, []string{"rows delivered", "rows delivered", "none is left for shard 2 of 3"}[i])
		for at, stream := range []string{"customers", "orders"} {
			rows, err := server.Rows(stream)
			if err != nil || (len(rows) > 0) != (at == i) {
				t.Errorf("shard %d: %d rows of %s, %v", i, len(rows), stream, err)
			}
		}
	}
	wantLines(t, "tasks", postgrestest.Query(t, database, `select task_id, status from source_task order by task_id`),
		"task|SUCCESS", "task-0|SUCCESS", "task-1|SUCCESS", "task-2|SUCCESS")
}

// A state of all streams cannot be shared out, whether it is saved, given, or comes.
func TestShardsRefuseStatesOfAllStreams(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	const words = "so that they cannot be shared out: run without --shards"
	came := shardPod(t, database, "came", 0, 2, `{"count":100,"streams":12,"state_type":"GLOBAL"}`)
	sidecar := came.started(t)
	if code := sidecar.wait(); code != exitFailed && code != exitPartial || !strings.Contains(sidecar.stderr.String(), words) {
		t.Errorf("it came: exit code %d\n%s", code, sidecar.stderr)
	}
	wantLines(t, "states", postgrestest.Query(t, database, `select count(*) from sync_sidecar.source_state`), "0")

	given := shardPod(t, database, "given", 0, 2, `{}`)
	put(t, given.path("config/state.json"), `[{"type":"LEGACY","data":{"a":1}}]`)
	saved := shardPod(t, database, "saved", 0, 2, `{}`)
	for name, p := range map[string]*pod{"given": given, "saved": saved} {
		if name == "saved" {
			postgrestest.Exec(t, database, `insert into sync_sidecar.source_state (sync_id, stream, state) values ('sync-1', '_GLOBAL_STATE', '{}')`)
		}
		init := p.spawn(p.environ(), p.sidecar, "init", "--take-share", "--load-state")
		if code := init.wait(); code != exitUsage || !strings.Contains(init.stderr.String(), words) {
			t.Errorf("%s: exit code %d: %s", name, code, init.stderr)
		}
		postgrestest.Exec(t, database, `delete from sync_sidecar.source_state`)
	}
}

// What shards cannot do without is said, all at once.
func TestShardsNeedPostgresAndNames(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set  []string
		want string
	}{
		"no Postgres":      {[]string{"DESTINATION_URL", "", "BULKER_URL", "http://127.0.0.1:1"}, "set DATABASE_URL, or DESTINATION_URL"},
		"rows in a folder": {[]string{"DESTINATION_URL", "", "DATABASE_URL", "postgres://127.0.0.1:1/x"}, "rows would go to the local folder"},
		"no such shard":    {[]string{"SHARD", "3"}, "SHARD: 3 is not one of the 3"},
		"no task":          {[]string{"TASK_ID", ""}, "TASK_ID: is needed with SHARDS"},
		"too many":         {[]string{"SHARDS", "1001"}, "SHARDS: 1001 is not between"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := shardPod(t, "postgres://127.0.0.1:1/x", "task", 0, 3, `{}`).set(test.set...)
			for _, args := range [][]string{{"init", "--take-share"}, {"sidecar"}} {
				process := p.spawn(p.environ(), p.sidecar, args...)
				if code := process.wait(); code != exitUsage || !strings.Contains(process.stderr.String(), test.want) {
					t.Errorf("%s: exit code %d, want %q: %s", args[0], code, test.want, process.stderr)
				}
			}
		})
	}
}

// A state file that the user gave is cut down to the streams that are the shard's.
func TestShardsTakeTheirPartOfAGivenState(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	both := map[bool]int{}
	for i := range 2 {
		p := shardPod(t, database, "task", i, 2, `{}`)
		p.configure(incrementalStreams("customers", "orders")...)
		state := `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":{"n":1}}}]`
		put(t, p.path("config/state.json"), state)
		p.initialise(t, "--take-share")
		catalog, err := os.ReadFile(p.path("config/catalog.json"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(p.path("config/state.json"))
		reads := strings.Contains(string(catalog), "orders")
		if kept := err == nil; kept != reads {
			t.Errorf("shard %d reads orders: %v, and has its state: %v", i, reads, kept)
		}
		both[reads]++
	}
	if len(both) != 2 {
		t.Errorf("%v", both)
	}
}
