package session

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/sidecartest"
)

// rig is a whole session on real pipes. Its destination takes everything, its journal remembers everything, both in memory.
type rig struct {
	t              *testing.T
	config         Config
	destination    sidecar.Destination
	journal        *sidecartest.Journal
	wrapped        sidecar.Journal // in place of journal, unless it is nil
	stdout, stderr *os.File        // the connector's ends
	logs           *logs.Logger
	cancel         context.CancelCauseFunc
	report         chan sidecar.Report
}

// newRig prepares a read of full refreshes of the streams named.
func newRig(t *testing.T, streams ...string) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, config: DefaultConfig(), journal: sidecartest.NewJournal(), destination: &sidecartest.Destination{},
		report: make(chan sidecar.Report, 1)}
	r.config.Command = sidecar.CommandRead
	r.config.StdoutPipe, r.config.StderrPipe = filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")
	r.config.ExitStatusFile, r.config.Load.Spool.Dir = filepath.Join(dir, "exit"), dir
	r.config.Identity.StartedAt = time.Now()
	for _, name := range streams {
		r.config.Streams = append(r.config.Streams,
			sidecar.StreamConfig{Mode: sidecar.ReplaceWhole, Table: sidecar.Table{Name: name, Stream: airbyte.StreamDescriptor{Name: name}}})
	}
	r.logs = logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") }})
	return r
}

// start runs the session and opens the connector's ends.
func (r *rig) start() *rig {
	r.t.Helper()
	r.makePipes()
	ctx, cancel := context.WithCancelCause(r.t.Context())
	r.cancel = cancel
	parts := Parts{Destination: r.destination, Journal: r.journal, Logs: r.logs}
	if r.wrapped != nil {
		parts.Journal = r.wrapped
	}
	go func() { r.report <- Run(ctx, r.config, parts) }()
	r.stdout, r.stderr = r.open(r.config.StdoutPipe), r.open(r.config.StderrPipe)
	return r
}

func (r *rig) makePipes() {
	r.t.Helper()
	for _, path := range []string{r.config.StdoutPipe, r.config.StderrPipe} {
		if err := pipe.Make(path); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) open(path string) *os.File {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	file, err := pipe.OpenWriter(ctx, path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = file.Close() }) // most tests have closed it
	return file
}

// say writes messages to stdout.
func (r *rig) say(lines ...string) *rig {
	r.t.Helper()
	if _, err := io.WriteString(r.stdout, strings.Join(lines, "\n")+"\n"); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// exit is the end of the connector.
func (r *rig) exit(code int) *rig {
	r.t.Helper()
	if err := pipe.WriteExitStatus(r.config.ExitStatusFile, pipe.ExitStatus{Code: code}); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// hangUp closes the connector's ends.
func (r *rig) hangUp() *rig {
	r.t.Helper()
	for _, file := range []*os.File{r.stdout, r.stderr} {
		if err := file.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	return r
}

// end is the session's outcome.
func (r *rig) end() sidecar.Report {
	r.t.Helper()
	select {
	case report := <-r.report:
		return report
	case <-time.After(30 * time.Second):
		r.t.Fatal("the session does not end")
		return sidecar.Report{}
	}
}

// memory is the destination, unless the test has another one.
func (r *rig) memory() *sidecartest.Destination {
	r.t.Helper()
	memory, ok := r.destination.(*sidecartest.Destination)
	if !ok {
		r.t.Fatalf("%s is no destination in memory", r.destination)
	}
	return memory
}

// hold lets a table have rows of an earlier run, at a destination that can empty it.
func (r *rig) hold(name string, rows int) {
	r.t.Helper()
	r.memory().Can.ReplaceEmpty = true
	r.memory().Put(sidecar.Table{Name: name}, make([]string, rows)...)
}

// table is how many rows the destination holds; -1 when the table was never touched.
func (r *rig) table(name string) int64 {
	r.t.Helper()
	rows, found := r.memory().Rows(sidecar.Table{Name: name})
	if !found {
		return -1
	}
	return int64(len(rows))
}

func row(stream string) string {
	return `{"type":"RECORD","record":{"stream":"` + stream + `","data":{"id":1},"emitted_at":1}}`
}

func status(stream, status string) string {
	return `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":"` + stream +
		`"},"status":"` + status + `"}}}`
}

// TestExitCountsWhileStderrIsHeld is a connector without statuses that failed, and left a process behind that holds its stderr: its full refresh is
// not committed (I6).
func TestExitCountsWhileStderrIsHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.Deadlines.Drain = 100 * time.Millisecond
	r.start().say(row("users")).exit(1)
	if err := r.stdout.Close(); err != nil {
		t.Fatal(err)
	}
	report := r.end()
	if r.table("users") != -1 || report.Status == sidecar.StatusSuccess || !strings.Contains(report.Cause, "exited with code 1") {
		t.Fatalf("table %d, %s: %s", r.table("users"), report.Status, report.Cause)
	}
}

// TestLostLineDropsFullRefreshes loses a line that may have been a row of any stream: no full refresh that is still open is committed, unless its
// connector counts its rows and the counts agree (I6).
func TestLostLineDropsFullRefreshes(t *testing.T) {
	t.Parallel()
	r := newRig(t, "before", "open", "counted").start()
	r.say(row("before"), status("before", "COMPLETE"), row("open"), row("counted"), `{"type":"RECORD","record":{"stream":`)
	r.say(status("open", "COMPLETE"))
	r.say(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"counted"},"stream_state":{}},` +
		`"sourceStats":{"recordCount":1.0}}}`)
	r.say(status("counted", "COMPLETE")).exit(0).hangUp()
	report := r.end()
	if r.table("before") != 1 || r.table("open") != -1 || r.table("counted") != 1 {
		t.Errorf("tables: before %d, open %d, counted %d", r.table("before"), r.table("open"), r.table("counted"))
	}
	bad := report.Streams[1]
	if report.Status != sidecar.StatusPartial || bad.Status != sidecar.StatusFailed || !strings.Contains(bad.Error, "line 5") ||
		report.Streams[0].Status != sidecar.StatusSuccess {
		t.Fatalf("%s: %s; %+v", report.Status, report.Cause, report.Streams)
	}
}

// TestNothingButLogLines is a connector that was killed early, in a pod that tells nothing of it: no success, and no table is emptied.
func TestNothingButLogLines(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.destination = &sidecartest.Destination{Can: sidecar.Capabilities{ReplaceEmpty: true}}
	r.start().say(`{"type":"LOG","log":{"level":"INFO","message":"starting"}}`).hangUp()
	report := r.end()
	if r.table("users") != -1 || report.Status != sidecar.StatusFailed {
		t.Fatalf("table %d, %s: %s", r.table("users"), report.Status, report.Cause)
	}
}

// TestOutOfMemoryIsReported hands on what exec asked the kernel.
func TestOutOfMemoryIsReported(t *testing.T) {
	t.Parallel()
	for _, code := range []int{137, 0} { // a process beside the connector's own may die and the connector live
		r := newRig(t, "users").start().say(row("users"), status("users", "COMPLETE"))
		if err := pipe.WriteExitStatus(r.config.ExitStatusFile, pipe.ExitStatus{Code: code, OutOfMemory: true}); err != nil {
			t.Fatal(err)
		}
		r.hangUp()
		if report := r.end(); report.OutOfMemory != (code != 0) {
			t.Errorf("exit code %d: out of memory is %v: %s", code, report.OutOfMemory, report.Cause)
		}
	}
}
