package runner

import "sync-sidecar/sidecar"

// lastLines is how many lines of the sidecar are kept for the case that it ends without a verdict.
const lastLines = 5

// Collector passes the lines of a sidecar's stderr on to a Watch and keeps what the outcome needs. It is not for several goroutines.
type Collector struct {
	Watch     Watch
	Report    sidecar.Report // the last one with a final status; empty without one
	LastLines []string
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
	case event.Report.Status != sidecar.StatusRunning && event.Report.Status != sidecar.StatusPending:
		c.Report = *event.Report
	}
	c.Watch.Event(event)
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
