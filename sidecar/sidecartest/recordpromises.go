package sidecartest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar"
)

// recordPromises are those of the task, the results and the log.
func recordPromises() []promise[*journalTest] {
	return []promise[*journalTest]{
		{"a task is what was saved last", (*journalTest).tasks},
		{"CANCELLED stays, and no end becomes RUNNING", (*journalTest).taskGuard},
		{"a cancel wins whatever the order", (*journalTest).taskRace},
		{"a catalog stays until there is another", (*journalTest).catalogs},
		{"a spec stays until there is another", (*journalTest).specs},
		{"a check is the last one", (*journalTest).checks},
		{"read has no result", (*journalTest).noResult},
		{"log lines are kept in their order", (*journalTest).logs},
		{"log lines of any kind are kept", (*journalTest).oddLogs},
	}
}

// cancelledContext is a context that has ended.
func cancelledContext(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

// taskIs checks what a person sees of a task.
func (j *journalTest) taskIs(identity sidecar.Identity, want sidecar.TaskRecord) {
	j.t.Helper()
	got := j.Task(identity)
	if got.Status != want.Status || shown(got.Error) != shown(want.Error) || !sameText(got.Description, want.Description) {
		j.t.Fatalf("task %s is %.300v, want %.300v", identity.TaskID, got, want)
	}
}

// sameText says whether two texts are the same JSON, or both empty.
func sameText(a, b string) bool { return a == b || SameJSON([]byte(a), []byte(b)) }

func (j *journalTest) tasks() {
	first, second := identity("sync", "first"), identity("sync", "second")
	journal := j.openAs(first)
	j.taskIs(first, sidecar.TaskRecord{})
	for _, task := range []sidecar.TaskRecord{
		{Status: sidecar.StatusPending},
		{Status: sidecar.StatusRunning, Description: `{"users":{"events":1,"bytes":2,"status":"RUNNING"}}`},
		{Status: sidecar.StatusRunning, Description: `{"users":{"events":5,"bytes":9,"status":"RUNNING"}}`},
		{Status: sidecar.StatusRunning},
		{Status: sidecar.StatusFailed, Description: `{"users":{"events":5,"status":"FAILED","error":"it's \"quoted\" ü 😀"}}`,
			Error: "it's \"quoted\" ü 😀\nNUL \x00, no UTF-8 \xff, %s $1"},
	} {
		j.must(journal.SaveTask(j.within(), task))
		j.taskIs(first, task)
	}
	large := sidecar.TaskRecord{Status: sidecar.StatusRunning, Error: strings.Repeat("error ", 1000),
		Description: `{"users":{"status":"RUNNING","error":"` + strings.Repeat("x", 1<<20) + `"}}`}
	next := j.openAs(second)
	j.must(next.SaveTask(j.within(), large))
	j.taskIs(second, large)
	j.must(next.SaveTask(j.within(), sidecar.TaskRecord{Status: sidecar.StatusSuccess}))
	j.taskIs(second, sidecar.TaskRecord{Status: sidecar.StatusSuccess})
}

func (j *journalTest) taskGuard() {
	under := []sidecar.Status{sidecar.StatusPending, sidecar.StatusRunning}
	ends := []sidecar.Status{sidecar.StatusSuccess, sidecar.StatusPartial, sidecar.StatusFailed, sidecar.StatusTimeExceeded, sidecar.StatusCancelled}
	for _, before := range slices.Concat(under, ends) {
		for _, after := range slices.Concat(under, ends) {
			if before != sidecar.StatusCancelled && slices.Contains(ends, before) && slices.Contains(ends, after) {
				continue // which of two ends counts is not said
			}
			id := identity("sync", fmt.Sprintf("%s-%s", before, after))
			journal := j.openAs(id)
			earlier := sidecar.TaskRecord{Status: before, Description: `{"users":{"events":1}}`}
			later := sidecar.TaskRecord{Status: after, Description: `{"users":{"events":2}}`}
			j.must(journal.SaveTask(j.within(), earlier))
			j.must(journal.SaveTask(j.within(), later)) // that it came late is no fault of its writer
			want := later
			switch {
			case before == after && before == sidecar.StatusCancelled: // the one or the other
				want = j.Task(id)
				want.Status = sidecar.StatusCancelled
			case slices.Contains(ends, before):
				want = earlier
			}
			j.taskIs(id, want)
			j.must(journal.Close(j.within()))
		}
	}
}

func (j *journalTest) taskRace() {
	id := identity("sync", "task")
	journal := j.openAs(id)
	statuses := append(slices.Repeat([]sidecar.Status{sidecar.StatusRunning}, 20), sidecar.StatusCancelled)
	statuses = append(statuses, slices.Repeat([]sidecar.Status{sidecar.StatusRunning}, 20)...)
	var saves sync.WaitGroup
	for _, status := range statuses {
		saves.Go(func() {
			if err := journal.SaveTask(j.t.Context(), sidecar.TaskRecord{Status: status}); err != nil {
				j.t.Error(err)
			}
		})
	}
	saves.Wait()
	j.must(journal.SaveTask(j.within(), sidecar.TaskRecord{Status: sidecar.StatusSuccess}))
	j.taskIs(id, sidecar.TaskRecord{Status: sidecar.StatusCancelled})
}

// resultsAre saves results one after the other; each is seen with the payload of the last success.
func (j *journalTest) resultsAre(command sidecar.Command, results ...sidecar.Result) {
	j.t.Helper()
	id := identity("sync", "task")
	journal := j.openAs(id)
	var payload []byte
	for _, result := range results {
		result.Command = command
		j.must(journal.SaveResult(j.within(), result))
		if result.Status == sidecar.StatusSuccess {
			payload = result.Payload
		}
		got := j.Result(id, command)
		if got.Status != "" && got.Status != result.Status || shown(got.Message) != shown(result.Message) {
			j.t.Fatalf("the %s is %s %q, want %s %q", command, got.Status, got.Message, result.Status, result.Message)
		}
		if !sameText(string(got.Payload), string(payload)) {
			j.t.Fatalf("the %s is %.300s, want %.300s", command, got.Payload, payload)
		}
	}
}

func (j *journalTest) catalogs() {
	large := `{"streams":[{"name":"ü 😀 <&>","json_schema":{"description":"` + strings.Repeat("x", 1<<20) + `"}}]}`
	j.resultsAre(sidecar.CommandDiscover,
		sidecar.Result{Status: sidecar.StatusRunning},
		sidecar.Result{Status: sidecar.StatusFailed, Message: "no network"},
		sidecar.Result{Status: sidecar.StatusRunning},
		sidecar.Result{Status: sidecar.StatusSuccess, Payload: []byte(`{"streams":[{"name":"a"}]}`)},
		sidecar.Result{Status: sidecar.StatusRunning},
		sidecar.Result{Status: sidecar.StatusFailed, Message: "it's \"gone\" \x00 \xff"},
		sidecar.Result{Status: sidecar.StatusSuccess, Payload: []byte(large)},
		sidecar.Result{Status: sidecar.StatusFailed, Message: "gone again"},
		sidecar.Result{Status: sidecar.StatusSuccess, Payload: []byte(`{"streams":[]}`)},
	)
}

func (j *journalTest) specs() {
	j.resultsAre(sidecar.CommandSpec,
		sidecar.Result{Status: sidecar.StatusFailed, Message: "no such image"},
		sidecar.Result{Status: sidecar.StatusSuccess, Payload: []byte(`{"connectionSpecification":{"title":"a"}}`)},
		sidecar.Result{Status: sidecar.StatusFailed, Message: "no network"},
		sidecar.Result{Status: sidecar.StatusSuccess, Payload: []byte(`{"connectionSpecification":{"title":"b"}}`)},
	)
}

func (j *journalTest) checks() {
	j.resultsAre(sidecar.CommandCheck,
		sidecar.Result{Status: sidecar.StatusSuccess},
		sidecar.Result{Status: sidecar.StatusFailed, Message: "wrong password: it's \"quoted\" ü \x00"},
		sidecar.Result{Status: sidecar.StatusFailed, Message: "no network"},
		sidecar.Result{Status: sidecar.StatusSuccess},
	)
}

func (j *journalTest) noResult() {
	journal := j.open("task")
	for _, command := range []sidecar.Command{sidecar.CommandRead, "sing"} {
		err := journal.SaveResult(j.within(), sidecar.Result{Command: command, Status: sidecar.StatusSuccess})
		if err == nil || !strings.Contains(err.Error(), string(command)) {
			j.t.Errorf("a result of %s was saved: %v", command, err)
		}
	}
}

// line is a log line, the n-th of them.
func line(n int, message string) sidecar.LogRecord {
	return sidecar.LogRecord{Time: time.Date(2026, 1, 2, 3, 4, 5, n*int(time.Millisecond), time.UTC), Level: "INFO", Logger: "sidecar", Message: message}
}

// logsAre checks all log lines.
func (j *journalTest) logsAre(want []sidecar.LogRecord) {
	j.t.Helper()
	got := j.Logs(identity("sync", "task"))
	if len(got) != len(want) {
		j.t.Fatalf("there are %d log lines, want %d", len(got), len(want))
	}
	for i, line := range got {
		w := want[i]
		if !line.Time.Equal(w.Time) || line.Level != w.Level || line.Logger != w.Logger || shown(line.Message) != shown(w.Message) {
			j.t.Fatalf("log line %d is %.300v, want %.300v", i, line, w)
		}
	}
}

func (j *journalTest) logs() {
	journal := j.open("task")
	j.must(journal.AppendLogs(j.within(), nil))
	var all []sidecar.LogRecord
	for batch := range 5 {
		var lines []sidecar.LogRecord
		for n := range 400 {
			lines = append(lines, line(400*batch+n, fmt.Sprint("line ", 400*batch+n)))
		}
		j.must(journal.AppendLogs(j.within(), lines))
		all = append(all, lines...)
	}
	all = append(all, line(3000, "of another run"))
	j.must(j.open("task").AppendLogs(j.within(), all[len(all)-1:]))
	j.logsAre(all)
}

func (j *journalTest) oddLogs() {
	journal := j.open("task")
	var lines []sidecar.LogRecord
	for n, message := range []string{
		"", " ", "50% done %s %d $1", `it's "quoted" \ and {"json":true}`, "ümläut 漢字 😀 \u2028", "NUL \x00, no UTF-8 \xff\xfe", "null",
		"Traceback:\n  line 1\n\tline 2\n\n  line 4", "\x1b[31mred\x1b[0m", strings.Repeat("long ", 200_000), string(bytes.Repeat([]byte{0}, 100)),
	} {
		lines = append(lines, line(n, message))
	}
	for n, level := range []string{"FATAL", "ERROR", "WARN", "DEBUG", "TRACE"} {
		odd := line(100+n, "level")
		odd.Level, odd.Logger = level, "airbyte/source-test"
		lines = append(lines, odd)
	}
	j.must(journal.AppendLogs(j.within(), lines))
	j.logsAre(lines)
}
