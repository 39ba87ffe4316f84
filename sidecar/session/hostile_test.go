package session

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/loader"
)

// longName is what a broken connector may send where a name or a sentence belongs.
func longName() string { return strings.Repeat("x", 1<<20) }

// TestLongTextsAreNotKept is a connector whose names and errors are a megabyte each: neither memory nor the task's record grows with them (I7).
func TestLongTextsAreNotKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users").start()
	for i := range 10 {
		r.say(row(fmt.Sprint(longName(), i)))
	}
	r.say(`{"type":"TRACE","trace":{"type":"ERROR","error":{"message":"` + longName() + `","failure_type":"system_error"}}}`)
	r.say(`{"type":"TRACE","trace":{"type":"ERROR","error":{"message":"` + longName() + `","stream_descriptor":{"name":"users"}}}}`)
	report := r.exit(1).hangUp().end()
	encoded, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	task := r.journal.Task()
	if size := max(len(encoded), len(task.Description)+len(task.Error)); size > 256<<10 {
		t.Fatalf("the report has %d bytes, the task %d and %d", len(encoded), len(task.Description), len(task.Error))
	}
}

// TestCheckResultIsMasked is a connector that repeats its password in the answer to check (I5).
func TestCheckResultIsMasked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.config.Command = sidecar.CommandCheck
	r.start().say(`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"cannot log in with hunter2"}}`)
	report := r.exit(0).hangUp().end()
	if shown := fmt.Sprintf("%s %s %q", report.Result, report.Cause, r.journal.Results()); strings.Contains(shown, "hunter2") {
		t.Fatalf("it shows %s", shown)
	}
}

// TestDescriptionOfManyStreams makes the task's description of thousands of streams, which happens every few seconds.
func TestDescriptionOfManyStreams(t *testing.T) { //nolint:paralleltest // it counts allocations
	var names []string
	for i := range 4000 {
		names = append(names, fmt.Sprint("stream", i))
	}
	rig := newRig(t, names...)
	r := newRead(newSession(rig.config, Parts{Journal: rig.journal, Logs: rig.logs}), rig.destination)
	r.loader = loader.New(t.Context(), r.config.Load, r.config.Streams, r.destination, r.logs, r.recorder.Save)
	r.publish(true)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	text := r.description(r.streamReports(r.seen.Load(), nil))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
		t.Errorf("%d bytes were allocated for a text of %d", took, len(text))
	}
	if !json.Valid([]byte(text)) {
		t.Error("it is not JSON")
	}
}
