package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

const (
	oneRow  = `echo '{"type":"RECORD","record":{"stream":"orders","emitted_at":1,"data":{"id":1}}}'` + "\n"
	chatter = `echo '{"type":"LOG","log":{"level":"INFO","message":"working"}}'; sleep 0.1` + "\n"
	forever = "while :; do " + chatter + "done\n"
)

// Every deadline ends the session with its own words, exit code 6, and TIME_EXCEEDED in the journal; what was read before is delivered.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source string // a script; "-" is none
		env    []string
		words  []string
		rows   int64
	}{
		"pipes that nobody opens": {"-", []string{"PIPE_OPEN_TIMEOUT", "700ms"}, []string{"PIPE_OPEN_TIMEOUT", "did its container start?"}, 0},
		"a task without a source": {"-", []string{"STARTED_AT", "", "TASK_TIMEOUT_HOURS", "0.0002"}, []string{"TASK_TIMEOUT_HOURS"}, 0},
		"no first message": {"while :; do echo starting; sleep 0.1; done", []string{"FIRST_MESSAGE_TIMEOUT", "1s"},
			[]string{"FIRST_MESSAGE_TIMEOUT"}, 0},
		"silence":              {oneRow + "sleep 60", []string{"SILENCE_TIMEOUT", "1s"}, []string{"SILENCE_TIMEOUT"}, 1},
		"chatter is no record": {oneRow + forever, []string{"SILENCE_TIMEOUT", "1s", "ALIVE_ON", "records"}, []string{"SILENCE_TIMEOUT", "working"}, 1},
		"prose is no message": {oneRow + "while :; do echo working; sleep 0.1; done", []string{"SILENCE_TIMEOUT", "1s", "ALIVE_ON", "messages"},
			[]string{"SILENCE_TIMEOUT", "working"}, 1},
		"the task": {oneRow + forever, []string{"STARTED_AT", "", "TASK_TIMEOUT_HOURS", "0.0004"}, []string{"TASK_TIMEOUT_HOURS"}, 1},
		"a task that began long ago": {oneRow + forever, []string{"STARTED_AT", "2026-05-04T03:02:01Z", "TASK_TIMEOUT_HOURS", "0.5"},
			[]string{"TASK_TIMEOUT_HOURS"}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`).set(test.env...)
			p.configure(incrementalStreams("orders")...)
			p.script(test.source)
			began := time.Now()
			sidecar := p.startSidecar()
			if test.source != "-" {
				p.startSource()
			}
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, exitTimeout, append(test.words, "read TIME_EXCEEDED")...)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			task := p.task()
			if task.Status != "TIME_EXCEEDED" || !strings.Contains(task.Error, test.words[0]) {
				t.Errorf("task %+v", task)
			}
			if events := task.Streams["orders"].Events; test.rows >= 0 && (events != test.rows || int64(len(p.rows("orders"))) != test.rows) {
				t.Errorf("%d rows, in the file %q", events, p.rows("orders"))
			}
			p.tidy()
		})
	}
}

// A person, or an alert on log lines, hears of a deadline while there is still time.
func TestDeadlinesWarnBefore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source string
		env    []string
	}{
		"PIPE_OPEN_TIMEOUT":     {"-", []string{"PIPE_OPEN_TIMEOUT", "3s"}},
		"FIRST_MESSAGE_TIMEOUT": {"sleep 60", []string{"FIRST_MESSAGE_TIMEOUT", "3s"}},
		"SILENCE_TIMEOUT":       {oneRow + "sleep 60", []string{"SILENCE_TIMEOUT", "3s"}},
		"TASK_TIMEOUT_HOURS":    {oneRow + forever, []string{"STARTED_AT", "", "TASK_TIMEOUT_HOURS", "0.001"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`).set(test.env...)
			p.configure(incrementalStreams("orders")...)
			p.script(test.source)
			sidecar := p.startSidecar()
			if test.source != "-" {
				p.startSource()
			}
			outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, exitTimeout)
			warned := strings.Index(sidecar.stderr.String(), "it will be stopped ("+name+")")
			struck := strings.LastIndex(sidecar.stderr.String(), "TIME_EXCEEDED")
			if warned < 0 || warned > struck {
				t.Errorf("no warning: %s", sidecar.stderr)
			}
		})
	}
}

// Chatter is a sign of life unless the user says otherwise.
func TestChatterKeepsASourceAlive(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{}`).set("SILENCE_TIMEOUT", "1s")
	p.configure(incrementalStreams("orders")...)
	p.script(oneRow + strings.Repeat(chatter, 20))
	p.run().want(t, exitOK, "read SUCCESS")
}

// An answer is waited for no longer than rows are.
func TestAnswerDeadlines(t *testing.T) {
	t.Parallel()
	p := newPod(t, "discover", `{}`).set("FIRST_MESSAGE_TIMEOUT", "1s")
	database := p.usePostgres()
	p.script("sleep 60")
	sidecar := p.startSidecar()
	p.startSource()
	outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, exitTimeout, "discover TIME_EXCEEDED", "FIRST_MESSAGE_TIMEOUT")
	wantLines(t, "catalog", postgrestest.Query(t, database, `select status, description like '%FIRST_MESSAGE_TIMEOUT%' from source_catalog`), "FAILED|t")
}

// A Bulker that takes the rows and never answers is given up, in its own time.
func TestBulkerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{`+demoCounts+`}`).set("LOAD_TIMEOUT", "500ms", "RETRY_FOR", "500ms")
	p.configure(incrementalStreams("orders")...)
	p.useBulker(bulkertest.Options{Faults: []bulkertest.Fault{{Moment: bulkertest.AtEnd, Delay: time.Hour, Times: -1}}})
	p.run().want(t, exitEnvironment, "read FAILED", `stream "orders"`, "LOAD_TIMEOUT")
	if task := p.task(); task.Status != "FAILED" || task.Streams["orders"].Events != 0 {
		t.Errorf("task %+v", task)
	}
	if got := p.file("state.json"); strings.Contains(got, "updated_at\": \"20") && strings.Contains(got, `"orders"`) {
		t.Errorf("a state ahead of its rows: %s", got)
	}
}

// SIGTERM is the end of a pod: what can be saved is, within the grace period, even while Bulker hangs; a second signal ends at once.
func TestSignals(t *testing.T) {
	t.Parallel()
	hangs := []bulkertest.Fault{{Moment: bulkertest.AtEnd, Delay: time.Hour, Times: -1}}
	for name, test := range map[string]struct {
		signals []syscall.Signal
		faults  []bulkertest.Fault
		grace   string
		code    int
		rows    bool // must be there
	}{
		"TERM":                 {[]syscall.Signal{syscall.SIGTERM}, nil, "25s", exitSignal + 15, true},
		"INT":                  {[]syscall.Signal{syscall.SIGINT}, nil, "25s", exitSignal + 2, true},
		"TERM, Bulker hangs":   {[]syscall.Signal{syscall.SIGTERM}, hangs, "2s", exitSignal + 15, false},
		"TERM twice, it hangs": {[]syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, hangs, "1h", exitSignal + 15, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"counts":{"orders":1000000},"rate":500,"records_per_state":10}`).set("SHUTDOWN_GRACE", test.grace)
			p.configure(incrementalStreams("orders")...)
			database := p.usePostgres()
			server := p.useBulker(bulkertest.Options{Faults: test.faults})
			sidecar := p.startSidecar()
			source := p.startSource()
			sidecar.stderr.await(t, "Marking stream orders as STARTED")
			eventually(t, func() bool { return len(postgrestest.Query(t, database, `select 1 from task_log limit 1`)) > 0 },
				func() string { return "no log lines came" })
			began := time.Now()
			for n, number := range test.signals {
				if n > 0 {
					sidecar.stderr.await(t, "cancelled by SIG")
				}
				sidecar.signal(number)
			}
			if test.faults == nil {
				source.signalAll(syscall.SIGTERM) // as the end of the pod does; the connector sends a last state
			}
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, test.code)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if len(test.signals) > 1 {
				return
			}
			mustContain(t, "the last line", got.lastLine(), "read CANCELLED")
			wantLines(t, "task", postgrestest.Query(t, database, `select status from source_task`), "CANCELLED")
			if counts := tableCounts(t, server); test.rows != (counts["orders"] > 0) {
				t.Errorf("rows %v", counts)
			}
			if states := postgrestest.Query(t, database, `select stream from source_state`); test.rows != (len(states) == 1) {
				t.Errorf("states %q", states)
			}
			p.tidy()
		})
	}
}

// A Postgres that goes away and stays away: rows go on, and the last line and the exit code say what could not be saved (I2).
func TestPostgresGoesAway(t *testing.T) {
	t.Parallel()
	postgres := postgrestest.Start(t)
	p := newPod(t, "read", `{"counts":{"orders":200},"rate":200,"records_per_state":10}`).set("DATABASE_URL", postgres.DSN(), "JOURNAL_TIMEOUT", "1s",
		"LOCAL_DIR", p0("nowhere"))
	p.configure(incrementalStreams("orders")...)
	server := p.useBulker(bulkertest.Options{})
	sidecar := p.startSidecar()
	p.startSource()
	sidecar.stderr.await(t, "Marking stream orders as STARTED")
	postgres.Kill(t)
	got := outcome{sidecar.wait(), sidecar.stderr.String()}
	got.want(t, exitEnvironment)
	mustContain(t, "the last line", got.lastLine(), "200 of 200 rows delivered", "not saved", "could not be")
	wantCounts(t, tableCounts(t, server), map[string]int64{"orders": 200})
	if password := passwordOf(t, postgres.DSN()); strings.Contains(got.stderr, password) {
		t.Error("the password is shown")
	}
}

// A Postgres that hangs when the pod ends: neither the verdict nor the last log lines nor the goodbye may outlast the grace period by more than the
// two seconds that Kubernetes leaves between ours and its own.
func TestPostgresHangsAtTheEnd(t *testing.T) {
	t.Parallel()
	postgres := postgrestest.Start(t)
	t.Cleanup(postgres.Resume)
	const grace = 4 * time.Second
	p := newPod(t, "read", `{"counts":{"orders":1000000},"rate":500,"records_per_state":10}`).set("DATABASE_URL", postgres.DSN(),
		"SHUTDOWN_GRACE", grace.String(), "LOCAL_DIR", p0("nowhere"))
	p.configure(incrementalStreams("orders")...)
	p.useBulker(bulkertest.Options{})
	sidecar := p.startSidecar()
	source := p.startSource()
	sidecar.stderr.await(t, "Marking stream orders as STARTED")
	postgres.Pause()
	began := time.Now()
	sidecar.signal(syscall.SIGTERM)
	source.signalAll(syscall.SIGTERM)
	got := outcome{sidecar.wait(), sidecar.stderr.String()}
	got.want(t, exitSignal+15)
	if took := time.Since(began); took > grace+3*time.Second {
		t.Errorf("it took %v with a grace of %v", took, grace)
	}
	mustContain(t, "the last line", got.lastLine(), "read CANCELLED", "not saved")
}
