// Package console is what `run` prints: while a task runs, its progress and log lines (View), and at its end the result (Result) and, when it failed,
// what the connector said last (View.LastWords). It decides nothing: exit codes and causes come from package runner.
//
// What a connector chose, such as a name or a message, goes through visible on its way to the screen, wherever it is printed.
package console

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// drawInterval is how often the block is drawn for nothing but a line that the connector logged.
const drawInterval = 200 * time.Millisecond

// plainInterval is how often a line of progress is printed where nothing can be drawn over.
const plainInterval = 10 * time.Second

// View shows a running task on stderr: a block that is drawn over on a terminal, a line now and then elsewhere, and log lines above it.
type View struct {
	live    bool
	quiet   bool
	verbose bool
	out     *logs.Console // of the block

	mu sync.Mutex // events and signals come from different goroutines
	// +checklocks:mu
	silent bool // of progress
	// +checklocks:mu
	block block
	// +checklocks:mu
	seen scene
	// +checklocks:mu
	lastLine time.Time
	// +checklocks:mu
	lastDraw time.Time
}

// NewView shows on out. Close it at the end. A terminal that is stopped (Ctrl-S) makes nobody wait: neither the task nor a signal.
func NewView(out io.Writer, options Options) *View {
	block := newBlock(out, options.Term)
	return &View{live: block.live, quiet: options.Quiet, verbose: options.Verbose, silent: options.NoProgress, out: block.out, block: block,
		lastLine: time.Now()}
}

// Live says that progress is drawn over, and what the connector uses is shown with it.
func (v *View) Live() bool { return v.live && !v.quiet }

// IsTerminal says that a reader or a writer is a terminal.
func IsTerminal(stream any) bool {
	file, is := stream.(*os.File)
	return is && isatty.IsTerminal(file.Fd())
}

// Close waits, for as long as patience, until the terminal has taken the last lines.
func (v *View) Close(patience time.Duration) { v.out.Close(patience) }

// Event shows one event.
func (v *View) Event(event runner.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.quiet:
	case event.Report != nil:
		v.progress(*event.Report)
	case event.Usage != nil:
		v.seen.usage = event.Usage
		v.redraw()
	default:
		if event.Log.Logger != "run" {
			v.seen.last = event.Log
		}
		if v.wanted(event.Log) {
			v.above(logLine(event.Log, v.verbose))
		} else if time.Since(v.lastDraw) >= drawInterval {
			v.redraw()
		}
	}
}

// Say shows a line that is shown even to the quiet.
func (v *View) Say(line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.above(line)
}

// Warnings shows those of a report.
func (v *View) Warnings(result Result) {
	for _, line := range result.Warnings() {
		if !v.quiet {
			v.Say(line)
		}
	}
}

// LastWords shows what a connector that failed said last, unless all of its lines have been shown, or none is wanted.
func (v *View) LastWords(outcome runner.Outcome) {
	if v.quiet || v.verbose || len(outcome.LastWords) == 0 || !outcome.ConnectorFailed() {
		return
	}
	v.Say("the last that the connector said:")
	for _, line := range outcome.LastWords {
		v.Say("    " + visible(line))
	}
}

// above prints a line above the block.
//
// +checklocks:v.mu
func (v *View) above(line string) {
	v.block.clear()
	v.block.print(line)
	v.redraw()
}

// wanted says whether a log line is shown: warnings and errors, and what run itself has to say.
func (v *View) wanted(line runner.Line) bool {
	if v.verbose || line.Logger == "run" && line.Level != "DEBUG" {
		return true
	}
	switch line.Level {
	case "FATAL", "PANIC", "ERROR", "WARN", "WARNING":
		return true
	}
	return false
}

// logLine is a log line as a person reads it. Of a message of many lines, which is a stack trace more often than not, the first one is enough unless
// whole is asked for; log.txt or the journal has them all.
func logLine(line runner.Line, whole bool) string {
	when := line.Time
	if when.IsZero() {
		when = time.Now()
	}
	lines := strings.Split(strings.TrimRight(line.Message, "\n"), "\n")
	message := visible(lines[0])
	if more := lines[1:]; !whole && len(more) > 0 {
		message += fmt.Sprintf(" (and %d more lines: --verbose)", len(more))
	} else {
		for _, next := range more {
			message += "\n    " + visible(next)
		}
	}
	return fmt.Sprintf("%s %-5s %s: %s", when.Local().Format(time.TimeOnly), visible(line.Level), visible(line.Logger), message)
}

// progress redraws the block, or prints a line when the last one is old enough.
//
// +checklocks:v.mu
func (v *View) progress(report sidecar.Report) {
	if v.silent || report.Command != sidecar.CommandRead || report.Status != sidecar.StatusRunning {
		return
	}
	if v.live {
		v.seen.report = &report
		v.redraw()
		return
	}
	if time.Since(v.lastLine) >= plainInterval {
		v.lastLine = time.Now()
		v.block.print(progressLine(report) + streamsLine(report))
	}
}

// redraw draws the block anew.
//
// +checklocks:v.mu
func (v *View) redraw() {
	if v.seen.report == nil {
		return
	}
	v.block.draw(v.seen.block())
	v.lastDraw = time.Now()
}

// End takes the block off the screen, and waits for that as long as patience: the result comes in its place, by another way.
func (v *View) End(patience time.Duration) {
	v.mu.Lock()
	v.block.clear()
	v.seen = scene{}
	v.mu.Unlock()
	v.out.Flush(patience)
}
