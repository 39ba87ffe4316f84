package runner

import (
	"time"

	"sync-sidecar/sidecar"
)

// lastLines is how many lines of the sidecar are kept for the case that it ends without a verdict.
const lastLines = 5

// Collector passes the lines of a sidecar's stderr on to a Watch and keeps what the outcome needs. Its Line is for one goroutine; what it collected
// may be read when the last line is in.
type Collector struct {
	Report    sidecar.Report // the last one with a final status; empty without one
	LastLines []string

	watch Watch
	spoke chan struct{}
}

// NewCollector is a collector that passes lines on to watch.
func NewCollector(watch Watch) *Collector {
	return &Collector{watch: watch, spoke: make(chan struct{}, 1)}
}

// Line takes one line of the sidecar.
func (c *Collector) Line(line []byte) {
	event, ok := ParseLine(line)
	if !ok {
		return
	}
	switch {
	case event.Report == nil:
		c.LastLines = append(c.LastLines, event.Log.Message)
		if len(c.LastLines) > lastLines {
			c.LastLines = c.LastLines[1:]
		}
		if event.Log.Logger == sidecarLogger {
			select {
			case c.spoke <- struct{}{}:
			default: // nobody has listened since the last line
			}
		}
	case event.Report.Status != sidecar.StatusRunning && event.Report.Status != sidecar.StatusPending:
		c.Report = *event.Report
	}
	c.watch.Event(event)
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

// PlainLines are the messages of lines that a mode of ours wrote, whatever its log format.
func PlainLines(lines []string) []string {
	var messages []string
	for _, line := range lines {
		if event, ok := ParseLine([]byte(line)); ok && event.Report == nil {
			messages = append(messages, event.Log.Message)
		}
	}
	return messages
}
