package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// loadState runs `init --load-state` in the pod: it writes the state file that the next run starts from.
func (p *pod) loadState() {
	p.t.Helper()
	command := exec.Command(p.sidecar, "init", "--load-state")
	for name, value := range p.env {
		command.Env = append(command.Env, name+"="+value)
	}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		p.t.Fatalf("%v: %s", err, output.String())
	}
}

// The second run goes on where the first one stopped, whatever kind of state the source keeps and wherever rows and states go.
func TestSecondRunGoesOn(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"STREAM", "GLOBAL", "LEGACY"} {
		for _, place := range []string{"local", "servers", "rows local", "states local"} {
			t.Run(kind+" "+place, func(t *testing.T) {
				t.Parallel()
				p := newPod(t, "read", `{`+demoCounts+`,"grow":5,"state_type":"`+kind+`"}`)
				var server *bulkertest.Server
				var database string
				if place == "servers" || place == "rows local" {
					database = p.usePostgres()
				}
				if place == "servers" || place == "states local" {
					server = p.useBulker(bulkertest.Options{})
				}
				for run, want := range []struct{ delivered, orders int64 }{{300, 250}, {15, 255}, {15, 260}} {
					p.set("TASK_ID", "task-"+string(rune('1'+run)))
					p.loadState()
					got := p.run()
					got.want(t, exitOK, "read SUCCESS")
					mustContain(t, "the last line", got.lastLine(), " of "+itoa(want.delivered)+" rows delivered")
					orders := int64(len(p.rows("orders")))
					if server != nil {
						orders = tableCounts(t, server)["orders"]
					}
					if orders != want.orders {
						t.Errorf("run %d: %d orders, want %d", run, orders, want.orders)
					}
				}
				if server != nil {
					for _, commit := range server.Commits() {
						if replaces := commit.Mode == "replace_table"; replaces != (commit.TaskID == "task-1") {
							t.Errorf("%s of %s in %s", commit.Mode, commit.Table, commit.TaskID)
						}
					}
				}
				if database != "" && kind != "STREAM" {
					wantLines(t, "states", postgrestest.Query(t, database, `select stream from source_state`), "_"+kind+"_STATE")
				}
			})
		}
	}
}

// A run that was killed half-way leaves no row behind or twice once the next one is done.
func TestRunAfterAKilledOneGoesOn(t *testing.T) {
	t.Parallel()
	for name, bulker := range map[string]bool{"local": false, "servers": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"counts":{"orders":3000},"records_per_state":10,"rate":2000}`).set("STATE_AGE", "10ms")
			p.configure(configured{name: "orders", mode: "incremental", destination: "append"})
			var server *bulkertest.Server
			if bulker {
				p.usePostgres()
				server = p.useBulker(bulkertest.Options{})
			}
			sidecar, source := p.startSidecar(), p.startSource()
			eventually(t, func() bool {
				return strings.Contains(sidecar.stderr.String(), "Marking stream orders") && (bulker && len(server.Commits()) > 1 || len(p.rows("orders")) > 100)
			}, func() string { return "no rows came: " + sidecar.stderr.String() })
			sidecar.kill()
			source.kill()
			p.loadState()
			p.run().want(t, exitOK)
			rows := p.rows("orders")
			distinct := map[string]bool{}
			if bulker {
				stored, err := server.Rows("orders")
				if err != nil {
					t.Fatal(err)
				}
				rows = nil
				for _, row := range stored {
					rows = append(rows, string(row))
				}
			}
			for _, row := range rows {
				distinct[row[:strings.IndexByte(row, ',')]] = true
			}
			// Bulker merges by key, the folder cuts what no state covers: both hold every row exactly once.
			if len(distinct) != 3000 || len(rows) != 3000 {
				t.Errorf("%d rows, %d of them different, want 3000", len(rows), len(distinct))
			}
		})
	}
}

// The state of a finished full refresh, fed back, would make the next one read nothing (airbyte issue 42888).
func TestFullRefreshBeginsAgain(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"plain": "", "resumable": `,"resumable":true`, "global": `,"resumable":true,"state_type":"GLOBAL"`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{`+demoCounts+config+`}`)
			p.configure(append(overwrittenStreams("orders"), incrementalStreams("customers")...)...)
			server := p.useBulker(bulkertest.Options{})
			for _, delivered := range []string{"280 of 280", "250 of 250"} {
				p.loadState()
				p.run().want(t, exitOK, delivered+" rows delivered")
			}
			wantCounts(t, tableCounts(t, server), map[string]int64{"orders": 250, "customers": 30})
		})
	}
}

// FULL_SYNC reads everything anew and replaces what was there, as one load for each table.
func TestFullSync(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`)
	server := p.useBulker(bulkertest.Options{})
	p.run().want(t, exitOK)
	p.set("FULL_SYNC", "true", "TASK_ID", "task-2")
	p.loadState()
	p.run().want(t, exitOK, "300 of 300 rows delivered")
	replaced := 0
	for _, commit := range server.Commits() {
		if commit.TaskID == "task-2" && commit.Mode == "replace_table" {
			replaced++
		}
	}
	if replaced != 3 {
		t.Errorf("%d tables replaced, want 3", replaced)
	}
	wantCounts(t, tableCounts(t, server), map[string]int64{"customers": 30, "products": 20, "orders": 250})
}

// I6: a full refresh that fails leaves what was there, in Bulker and in the folder.
func TestFailedFullRefreshLeavesTheOldTable(t *testing.T) {
	t.Parallel()
	for name, bulker := range map[string]bool{"local": false, "Bulker": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"counts":{"orders":250}}`)
			p.configure(overwrittenStreams("orders")...)
			orders := func() int { return len(p.rows("orders")) }
			if bulker {
				server := p.useBulker(bulkertest.Options{})
				orders = func() int { return int(tableCounts(t, server)["orders"]) }
			}
			p.run().want(t, exitOK)
			p.put("config/config.json", `{"counts":{"orders":400},"faults":{"error_trace":{"stream":"orders","after_row":390,"message":"the demo broke"}}}`)
			p.set("TASK_ID", "task-2")
			p.run().want(t, exitFailed, "read FAILED", "the demo broke")
			if n := orders(); n != 250 {
				t.Errorf("%d rows, want the 250 of the run before", n)
			}
			if entry := p.task().Streams["orders"]; entry.Status != "FAILED" || entry.Events != 0 {
				t.Errorf("orders %+v", entry)
			}
		})
	}
}
