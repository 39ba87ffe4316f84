package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// sourceOfTwoKinds is a connector as Airbyte's bulk CDK makes them for a database's log: one GLOBAL state for the incremental stream orders, and a
// STREAM state for customers, which is read as a full refresh. Without a state it sends ten orders, and one more each time that it goes on.
const sourceOfTwoKinds = `
while [ $# -gt 0 ]; do [ "$1" = --state ] && state=$2; shift; done
lsn=$(sed -n 's/.*"lsn": *\([0-9]*\).*/\1/p' "$state" 2>/dev/null)
to=$((${lsn:-9} + 1))
status() {
  echo '{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":"'$1'"},"status":"'$2'"}}}'
}
row() { echo '{"type":"RECORD","record":{"stream":"'$1'","emitted_at":1,"data":{"id":'$2'}}}'; }
status orders STARTED
id=${lsn:-0}
while [ $id -lt $to ]; do id=$((id + 1)); row orders $id; done
streams='[{"stream_descriptor":{"name":"orders"},"stream_state":{}}]'
echo '{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":{"lsn":'$to'},"stream_states":'$streams'}}}'
status orders COMPLETE
status customers STARTED
row customers 1
row customers 2
echo '{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"customers"},"stream_state":{"done":true}}}}'
status customers COMPLETE
`

// The STREAM state of a full refresh, which nobody goes on from, does not cost the GLOBAL state that the next run needs.
func TestGlobalStateOutlivesAFullRefresh(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"local", "servers", "rows local"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`)
			p.configure(configured{name: "orders", mode: "incremental", destination: "append"},
				configured{name: "customers", mode: "full_refresh", destination: "overwrite"})
			p.script(sourceOfTwoKinds)
			var server *bulkertest.Server
			var database string
			if place != "local" {
				database = p.usePostgres()
			}
			if place == "servers" {
				server = p.useBulker(bulkertest.Options{})
			}
			for run, delivered := range []string{"12 of 12", "3 of 3", "3 of 3"} {
				p.set("TASK_ID", "task-"+string(rune('1'+run)))
				p.loadState()
				p.run().want(t, exitOK, delivered+" rows delivered")
				if database != "" {
					wantLines(t, "states", postgrestest.Query(t, database, `select stream from source_state`), "_GLOBAL_STATE")
				} else if got := p.savedKeys(); got != "_GLOBAL_STATE" {
					t.Errorf("states of %s are saved", got)
				}
			}
			if server != nil {
				wantCounts(t, tableCounts(t, server), map[string]int64{"orders": 12, "customers": 2})
			} else if orders, customers := len(p.rows("orders")), len(p.rows("customers")); orders != 12 || customers != 2 {
				t.Errorf("%d orders and %d customers, want 12 and 2", orders, customers)
			}
		})
	}
}

// savedKeys are the keys of the states in the folder.
func (p *pod) savedKeys() string {
	p.t.Helper()
	states, err := local.ReadStates(p.path("data/sync-1"))
	if err != nil {
		p.t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, state := range states {
		keys[state.Key] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(keys)), ",")
}

// A source that goes from one GLOBAL state to a state for each stream: the old one stays until each stream has one.
func TestStateThatChangesItsKind(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"counts":{"orders":20,"customers":10},"state_type":"GLOBAL"}`)
	p.configure(incrementalStreams("customers", "orders")...)
	p.run().want(t, exitOK)
	p.put("config/config.json", `{"counts":{"orders":20,"customers":10},"grow":5,"records_per_state":2,`+
		`"faults":{"exit_code":{"stream":"orders","after_row":1,"code":1}}}`)
	p.set("TASK_ID", "task-2")
	p.loadState()
	p.run()
	if got := p.savedKeys(); got != "_GLOBAL_STATE,customers" {
		t.Errorf("after half a run states of %s are saved", got)
	}
	p.put("config/config.json", `{"counts":{"orders":20,"customers":10},"grow":5}`)
	p.set("TASK_ID", "task-3")
	p.loadState()
	p.run().want(t, exitOK)
	if got := p.savedKeys(); got != "customers,orders" {
		t.Errorf("after a whole run states of %s are saved", got)
	}
}

// Rows that somebody took away from under a state fail the run before the connector is listened to, with the file's name and the ways out.
func TestRowsThatSomebodyTookAway(t *testing.T) {
	t.Parallel()
	for _, states := range []string{"local", "Postgres"} {
		t.Run(states, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{`+demoCounts+`,"grow":5}`)
			if states == "Postgres" {
				p.usePostgres()
			}
			p.run().want(t, exitOK)
			rows := filepath.Join("data", "sync-1", "rows", "orders.ndjson")
			content := p.file(strings.TrimPrefix(rows, "data/sync-1/"))
			if err := os.Remove(p.path(rows)); err != nil {
				t.Fatal(err)
			}
			p.set("TASK_ID", "task-2")
			p.loadState()
			got := p.run()
			got.want(t, exitEnvironment, "orders.ndjson does not exist", `the state "orders"`, "put the file back", "FULL_SYNC=true")
			if states == "local" && p.task().Status != "FAILED" {
				t.Errorf("the task is %s", p.task().Status)
			}
			p.put(rows, content)
			p.set("TASK_ID", "task-3")
			p.run().want(t, exitOK, "15 of 15 rows delivered")
			if err := os.Remove(p.path(rows)); err != nil {
				t.Fatal(err)
			}
			p.set("TASK_ID", "task-4", "FULL_SYNC", "true")
			p.loadState()
			p.run().want(t, exitOK)
			if n := len(p.rows("orders")); n < 250 {
				t.Errorf("%d orders after everything was read again", n)
			}
		})
	}
}
