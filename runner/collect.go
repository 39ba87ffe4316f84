package runner

import (
	"strings"
	"time"
	"unicode/utf8"

	"sync-sidecar/sidecar"
)

const (
	// lastLines is how many lines of the sidecar are kept for the case that it ends without a verdict.
	lastLines = 5
	// lastWords is how many lines of the connector are kept for the case that it fails: the last frames of a stack trace, and what they are about.
	lastWords = 30
	// longestWord bounds each of them, in bytes.
	longestWord = 2000
)

// errorPrefix is what the error that one of our modes ends with begins with, on its stderr: main writes it.
const errorPrefix = "sync-sidecar: "

// Collector passes the lines of a sidecar's stderr on to a Watch and keeps what the outcome needs. Its Line is for one goroutine; what it collected
// may be read when the last line is in.
type Collector struct {
	report    sidecar.Report // the last one with a final status; empty without one
	lastLines []string
	lastWords []string
	refusal   []string // the lines of the error that the mode ends with

	watch Watch
	names *strings.Replacer
	spoke chan struct{}
}

// NewCollector is a collector that passes the lines of what carries out the plan on to watch.
func NewCollector(plan Plan, watch Watch) *Collector {
	return &Collector{watch: watch, names: plan.callerNames(), spoke: make(chan struct{}, 1)}
}

// Line takes one line of the sidecar, or of init. In place of the paths of the plan's documents it speaks of what the caller gave.
func (c *Collector) Line(line []byte) {
	// The error that a mode ends with is the last it writes. It becomes the outcome's cause, and would be shown twice.
	if text := strings.TrimSpace(string(line)); len(c.refusal) > 0 || strings.HasPrefix(text, errorPrefix) {
		c.refusal = append(c.refusal, c.names.Replace(strings.TrimPrefix(text, errorPrefix)))
		return
	}
	event, ok := ParseLine(line)
	if !ok {
		return
	}
	if event.Report != nil {
		c.rename(event.Report)
		if event.Report.Status != sidecar.StatusRunning && event.Report.Status != sidecar.StatusPending {
			c.report = *event.Report
		}
		c.watch.Event(event)
		return
	}
	event.Log.Message = c.names.Replace(event.Log.Message)
	if event.Log.Logger != sidecarLogger {
		c.hear(event.Log.Message)
	}
	c.lastLines = last(append(c.lastLines, event.Log.Message), lastLines)
	if event.Log.Logger == sidecarLogger {
		select {
		case c.spoke <- struct{}{}:
		default: // nobody has listened since the last line
		}
	}
	c.watch.Event(event)
}

// rename puts the caller's names into a report.
func (c *Collector) rename(report *sidecar.Report) {
	report.Cause = c.names.Replace(report.Cause)
	for i := range report.Warnings {
		report.Warnings[i] = c.names.Replace(report.Warnings[i])
	}
	for i := range report.Streams {
		report.Streams[i].Error = c.names.Replace(report.Streams[i].Error)
	}
}

// hear keeps a message of the connector. Of a stack trace that is too long the first line stays too: there Java says what it is about, where Python
// says it in the last.
func (c *Collector) hear(message string) {
	lines := strings.Split(strings.TrimRight(message, "\n"), "\n")
	if left := len(lines) - lastWords; left > 0 {
		lines = append([]string{lines[0], "…"}, lines[left+2:]...)
	}
	for i, line := range lines {
		if cut := min(len(line), longestWord); cut < len(line) {
			for !utf8.RuneStart(line[cut]) {
				cut--
			}
			lines[i] = line[:cut] + "…"
		}
	}
	c.lastWords = last(append(c.lastWords, lines...), lastWords)
}

// last is at most n of the lines, the last ones.
func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// Concluded says that the last line was among what was collected: the report of a session, or the error that a mode ends with.
func (c *Collector) Concluded() bool { return c.report.Status != "" || len(c.refusal) > 0 }

// Tell adds what was collected to an outcome.
func (c *Collector) Tell(outcome *Outcome) {
	outcome.Report, outcome.LastLines, outcome.LastWords = c.report, c.lastLines, c.lastWords
	outcome.Refusal = strings.Join(c.refusal, "; ")
}

// answerTime is how long a sidecar may take to say something to a signal. It says so at once, unless the machine is very busy.
const answerTime = 2 * time.Second

// Forget drops what the sidecar has said so far, before Answer.
func (c *Collector) Forget() {
	select {
	case <-c.spoke:
	default:
	}
}

// Answer waits until the sidecar says something of its own, which after SIGTERM is that it stops, or until ended or some time has passed. A connector
// must not be stopped before: the sidecar would take its end for a failure.
func (c *Collector) Answer(ended <-chan struct{}) {
	patience := time.NewTimer(answerTime)
	defer patience.Stop()
	select {
	case <-c.spoke:
	case <-ended:
	case <-patience.C:
	}
}
