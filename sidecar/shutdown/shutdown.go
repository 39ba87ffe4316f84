// Package shutdown is the one table of how a sync shares out the time between a signal and its end (SHUTDOWN_GRACE), so that the verdict always gets
// some.
package shutdown

import "time"

// DefaultGrace is the time from a signal to the end of the process, unless configured otherwise: Kubernetes gives 30 seconds.
const DefaultGrace = 25 * time.Second

// Phase is a part of a sync's end. Phases follow each other; each may end early, but none goes on after its share of the time.
type Phase int

// The phases, in their order.
const (
	Reading Phase = iota // read what the connector still says
	Loads                // deliver the rows that were read
	Rows                 // let the destination finish the streams whose rows are all there
	Verdict              // record the last states and the verdict in the journal
	Logs                 // write the last lines to the sinks and to stderr
	Close                // close the connections to the servers
)

// twentieths of the grace period after which each phase is over.
func (p Phase) twentieths() int {
	return [...]int{Reading: 10, Loads: 16, Rows: 17, Verdict: 18, Logs: 19, Close: 20}[p]
}

// Ends is when a phase is over after a signal, at the latest.
func (p Phase) Ends(signalled time.Time, grace time.Duration) time.Time {
	return signalled.Add(p.After(grace))
}

// After is how long after a signal a phase is over, at the latest.
func (p Phase) After(grace time.Duration) time.Duration {
	return grace * time.Duration(p.twentieths()) / 20
}

// Lasts is how long a phase may take when the one before it took all of its time.
func (p Phase) Lasts(grace time.Duration) time.Duration {
	if p == Reading {
		return p.After(grace)
	}
	return p.After(grace) - (p - 1).After(grace)
}
