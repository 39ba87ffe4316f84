// Package shutdown is the one table of how a sync shares out the time that a signal leaves it (SHUTDOWN_GRACE), so that the verdict always has some.
package shutdown

import "time"

// DefaultGrace is the time from a signal to the end of the process where nobody says otherwise: Kubernetes gives 30 seconds.
const DefaultGrace = 25 * time.Second

// Phase is a part of a sync's end. Each has from the end of the one before it to its own, and may be over at once.
type Phase int

// The phases, in their order.
const (
	Reading Phase = iota // what the connector still says
	Loads                // rows that were read reach the destination
	Rows                 // the destination finishes the streams whose rows are all there
	Verdict              // the last states and the verdict reach the journal
	Logs                 // the last lines reach the sinks and stderr
	Close                // goodbye to the servers
)

// twentieths of the grace period after which each phase is over.
func (p Phase) twentieths() time.Duration {
	return [...]time.Duration{Reading: 10, Loads: 16, Rows: 17, Verdict: 18, Logs: 19, Close: 20}[p]
}

// Ends is when a phase is over after a signal.
func (p Phase) Ends(signalled time.Time, grace time.Duration) time.Time {
	return signalled.Add(p.After(grace))
}

// After is how long after a signal a phase is over.
func (p Phase) After(grace time.Duration) time.Duration { return grace * p.twentieths() / 20 }

// Lasts is how long a phase may take when the one before it took all of its time.
func (p Phase) Lasts(grace time.Duration) time.Duration {
	if p == Reading {
		return p.After(grace)
	}
	return p.After(grace) - (p - 1).After(grace)
}
