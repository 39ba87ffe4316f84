package main

import (
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// Streams whose rows the warehouse refuses for good: each fails at once, or within the seconds in which a race would have passed, and says why and
// what to do. RETRY_FOR, 10 minutes, is for what may pass.
func TestRefusalsOfTheWarehouse(t *testing.T) {
	t.Parallel()
	answers, err := bulkertest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{"key null": "customers", "type changed, wide": "products", "cause hidden": "orders", "columns too many": "orders_4"}
	var faults []bulkertest.Fault
	for _, answer := range answers {
		if table := tables[answer.Name]; table != "" {
			faults = append(faults, answer.Fault(table, -1))
		}
	}
	p := newPod(t, "read", `{"streams":4,"count":100}`)
	p.configure(overwrittenStreams("customers", "products", "orders", "orders_4")...)
	server := p.useBulker(bulkertest.Options{Faults: faults})
	began := time.Now()
	got := p.run()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	got.want(t, exitFailed, "read FAILED", "DEDUPLICATE=false", "drop the table and run a full refresh", "leave fields of the stream out",
		"in the warehouse's log only")
	if strings.Contains(got.stderr, "gave up after") || strings.Contains(got.stderr, "INSERT INTO") {
		t.Error("it waits, or shows SQL: " + got.stderr)
	}
	wantCounts(t, tableCounts(t, server), map[string]int64{})
	task := p.task()
	for name, stream := range task.Streams {
		if stream.Status != "FAILED" || !strings.Contains(stream.Error, "SQLSTATE") {
			t.Errorf("%s: %+v", name, stream)
		}
	}
	if len(task.Streams) != len(tables) {
		t.Errorf("task %+v", task)
	}
}
