package sidecar

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar/airbyte"
)

// longName is what a broken source may send where a name or a sentence belongs.
func longName() string { return strings.Repeat("x", 1<<20) }

// TestLongTextsAreNotKept is a source whose names and errors are a megabyte each: neither memory nor the task's record grows with them (I7).
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
	task := r.journal.tasks[len(r.journal.tasks)-1]
	if size := max(len(encoded), len(task.Description)+len(task.Error)); size > 256<<10 {
		t.Fatalf("the report has %d bytes, the task %d and %d", len(encoded), len(task.Description), len(task.Error))
	}
}

// TestCheckResultIsMasked is a source that repeats its password in the answer to check (I5).
func TestCheckResultIsMasked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.config.Command = CommandCheck
	r.start().say(`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"cannot log in with hunter2"}}`)
	report := r.exit(0).hangUp().end()
	if shown := fmt.Sprintf("%s %s %q", report.Result, report.Cause, r.journal.results); strings.Contains(shown, "hunter2") {
		t.Fatalf("it shows %s", shown)
	}
}

// TestLogQueueIsBoundedInBytes is a source that logs long lines faster than they can be stored.
func TestLogQueueIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	logs := NewLogs(LogOptions{Local: zerolog.Nop(), Sinks: []LogSink{&notebook{}}, Mask: strings.Clone})
	line := strings.Repeat("x", logTextLimit)
	for range 2 * logQueueSize / logTextLimit {
		logs.Source(airbyte.LevelInfo, line)
	}
	held := 0
	for _, record := range logs.queue {
		held += len(record.Message)
	}
	if held > logQueueSize || logs.Lost() == 0 {
		t.Fatalf("%d bytes wait, %d lines are lost", held, logs.Lost())
	}
	for logs.flush(t.Context()) {
	}
	lost := logs.Lost()
	if logs.Source(airbyte.LevelInfo, line); logs.Lost() != lost || len(logs.queue) != 1 {
		t.Fatalf("a line is dropped although none waits")
	}
}

// TestCutLogLineShowsNoSecret has a secret where a long line is cut (I5).
func TestCutLogLineShowsNoSecret(t *testing.T) {
	t.Parallel()
	var shown strings.Builder
	logs := NewLogs(LogOptions{Local: zerolog.New(&shown), Mask: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") }})
	logs.Source(airbyte.LevelInfo, strings.Repeat("x", logTextLimit-4)+"hunter2")
	if strings.Contains(shown.String(), "hunt") {
		t.Fatal("the begin of the secret is shown")
	}
}

// TestDescriptionOfManyStreams makes the task's description of thousands of streams, which happens every few seconds with the session's lock held.
func TestDescriptionOfManyStreams(t *testing.T) { //nolint:paralleltest // it counts allocations
	var names []string
	for i := range 4000 {
		names = append(names, fmt.Sprint("stream", i))
	}
	rig := newRig(t, names...)
	r := newRead(newSession(rig.config, rig.journal, rig.logs), rig.destination)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	text := r.description(r.streamReports(nil))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
		t.Errorf("%d bytes were allocated for a text of %d", took, len(text))
	}
	if !json.Valid([]byte(text)) {
		t.Error("it is not JSON")
	}
}
