package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/sidecar/atomicfile"
	"sync-sidecar/sidecar/logs"
)

// outcomeFlag says that a run is one of several, and what it writes to outcomeFile, a pipe: its report, or before that its events, too. It ends when
// its stdin does.
const (
	outcomeFlag   = "outcome"
	outcomeReport = "report"
	outcomeEvents = "events"
	outcomeFile   = 3 // the first one behind stderr (exec.Cmd.ExtraFiles)
)

// sayingInterval is how often whoever runs several is told what the connector said last: it shows no more.
const sayingInterval = 200 * time.Millisecond

// telling is how a run that is one of several tells the one that started it how far it is.
type telling struct {
	file   *os.File
	out    *logs.Console // makes nobody wait for a reader that is stopped; nil where no events are wanted
	events *console.Events
	said   time.Time
}

// newTelling is nil where a run is none of several.
func (m *runMode) newTelling() *telling {
	if m.cli.String(outcomeFlag) == "" {
		return nil
	}
	t := &telling{file: os.NewFile(outcomeFile, "outcome")}
	if m.cli.String(outcomeFlag) == outcomeEvents {
		t.out = logs.NewConsole(t.file)
		t.events = console.NewEvents(t.out)
	}
	return t
}

// event tells of an event.
func (t *telling) event(event runner.Event) {
	if t.out == nil {
		return
	}
	if event.Report == nil && event.Usage == nil {
		if time.Since(t.said) < sayingInterval {
			return
		}
		t.said = time.Now()
	}
	t.events.Event(event)
}

// report tells of the end.
func (t *telling) report(result console.Result) error {
	if t.out != nil {
		t.out.Close(closeTimeout)
	}
	return console.NewEvents(t.file).Report(result)
}

// endWithParent has a run that is one of several end, as at SIGTERM, when whoever started it is gone: killed, it can pass no signal on.
func (m *runMode) endWithParent() {
	if m.cli.String(outcomeFlag) == "" {
		return
	}
	syscall.CloseOnExec(outcomeFile) // or whatever this run leaves behind would keep it open
	go func() {                      // until the process ends
		_, _ = io.Copy(io.Discard, m.env.stdin) //nolint:errcheck // an error is an end, too
		select {
		case m.env.signals <- syscall.SIGTERM:
		default: // enough signals wait
		}
	}()
}

// writeReport writes the file of --report, and tells whoever runs several.
func (m *runMode) writeReport(result console.Result) error {
	if m.telling != nil {
		if err := m.telling.report(result); err != nil {
			return withCode(exitEnvironment, fmt.Errorf("tell how it ended: %w", err))
		}
	}
	path := m.cli.String("report")
	if path == "" {
		return nil
	}
	var text bytes.Buffer
	err := result.WriteReport(&text)
	if err == nil {
		err = atomicfile.Write(path, &text, atomicfile.Options{Mode: 0o644, Umask: true})
	}
	if err != nil {
		return withCode(exitEnvironment, fmt.Errorf("--report: %w", err))
	}
	return nil
}

// shown says how much of a run is shown, and on what. Whoever runs several shows the progress of each.
func (m *runMode) shown() console.Options {
	return console.Options{Quiet: m.cli.Bool("quiet"), Verbose: m.cli.Bool("verbose"), Term: m.env.getenv("TERM"),
		NoProgress: m.cli.String(outcomeFlag) == outcomeEvents}
}
