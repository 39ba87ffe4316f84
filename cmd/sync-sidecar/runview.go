package main

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
)

// plainInterval is how often a line of progress is printed where nothing can be drawn over.
const plainInterval = 10 * time.Second

// maxLive is how many streams the live block shows: it has to fit on a screen.
const maxLive = 12

// view shows a running task on stderr: a block that is drawn over on a terminal, a line now and then elsewhere, and log lines above it.
type view struct {
	mutex    sync.Mutex // events and signals come from different goroutines
	out      io.Writer
	live     bool // a terminal that understands cursor movements
	quiet    bool
	verbose  bool
	drawn    int // lines of the block on the screen
	block    []string
	lastLine time.Time
}

func newView(out io.Writer, quiet, verbose bool) *view {
	return &view{out: out, live: isTerminal(out), quiet: quiet, verbose: verbose, lastLine: time.Now()}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// event shows one event.
func (v *view) event(event runner.Event) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if event.Report != nil {
		v.progress(*event.Report)
		return
	}
	if v.quiet || !v.wanted(event.Log) {
		return
	}
	v.above(logLine(event.Log, v.verbose))
}

// say shows a line that is shown even to the quiet.
func (v *view) say(line string) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.above(line)
}

// above prints a line above the block.
func (v *view) above(line string) {
	v.clear()
	v.print(line)
	v.draw()
}

// wanted says whether a log line is shown: warnings and errors, and what run itself has to say.
func (v *view) wanted(line runner.Line) bool {
	if v.verbose || line.Logger == "run" {
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
	message, more, _ := strings.Cut(strings.TrimRight(line.Message, "\n"), "\n")
	if whole && more != "" {
		message += "\n    " + strings.ReplaceAll(more, "\n", "\n    ")
	} else if more != "" {
		message += fmt.Sprintf(" (and %d more lines: --verbose)", 1+strings.Count(more, "\n"))
	}
	return fmt.Sprintf("%s %-5s %s: %s", when.Local().Format(time.TimeOnly), line.Level, line.Logger, message)
}

// progress redraws the block, or prints a line when the last one is old enough.
func (v *view) progress(report sidecar.Report) {
	if v.quiet || report.Command != sidecar.CommandRead || report.Status != sidecar.StatusRunning {
		return
	}
	if v.live {
		v.clear()
		v.block = progressBlock(report)
		v.draw()
		return
	}
	if time.Since(v.lastLine) >= plainInterval {
		v.lastLine = time.Now()
		v.print(progressLine(report))
	}
}

// end takes the block off the screen; the result comes in its place.
func (v *view) end() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.clear()
	v.block = nil
}

func (v *view) clear() {
	if v.drawn > 0 {
		// Up to the first line of the block, then erase from there to the end of the screen (ECMA-48 CPL and ED).
		fmt.Fprintf(v.out, "\x1b[%dF\x1b[J", v.drawn)
		v.drawn = 0
	}
}

func (v *view) draw() {
	for _, line := range v.block {
		v.print(line)
	}
	v.drawn = len(v.block)
}

// print writes a line. Progress that cannot be written, as to a closed terminal, must not end a sync.
func (v *view) print(line string) {
	fmt.Fprintln(v.out, line)
}

// totals are the sums over the streams of a report; known says whether every stream has an estimate.
func totals(report sidecar.Report) (read, estimated, bytes int64, known bool) {
	known = len(report.Streams) > 0
	for _, stream := range report.Streams {
		read += stream.Read
		bytes += stream.Bytes
		estimated += max(stream.EstimatedRows, stream.Read)
		known = known && stream.EstimatedRows > 0
	}
	return read, estimated, bytes, known
}

// progressLine is the whole sync in one line.
func progressLine(report sidecar.Report) string {
	read, estimated, bytes, known := totals(report)
	line := fmt.Sprintf("%s read %s rows, delivered %s, %s rows/s", clock(report.Seconds), thousands(read), size(bytes), rate(read, report.Seconds))
	if known && read > 0 {
		left := report.Seconds / float64(read) * float64(estimated-read)
		line += fmt.Sprintf(", %d%%, about %s left", percent(read, estimated), clock(left))
	}
	return line
}

// progressBlock is a line per stream that has begun or ended, and the sum.
func progressBlock(report sidecar.Report) []string {
	var lines []string
	hidden := 0
	for _, stream := range report.Streams {
		if stream.Read == 0 && stream.Status == sidecar.StatusPending {
			continue
		}
		if len(lines) == maxLive {
			hidden++
			continue
		}
		line := fmt.Sprintf("  %-30s %12s rows  %10s", shorten(stream.Stream, 30), thousands(stream.Read), strings.ToLower(string(stream.Status)))
		if stream.EstimatedRows > 0 {
			line += fmt.Sprintf("  %3d%%", percent(stream.Read, stream.EstimatedRows))
		}
		lines = append(lines, line)
	}
	if hidden > 0 {
		lines = append(lines, fmt.Sprintf("  … and %d more streams", hidden))
	}
	return append(lines, progressLine(report))
}
