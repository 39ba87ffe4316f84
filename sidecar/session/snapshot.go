package session

import (
	"cmp"
	"maps"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/tally"
	"sync-sidecar/sidecar/verdict"
)

// stream is what the connector has said of one stream. The reader's.
type stream struct {
	index      int
	config     sidecar.StreamConfig
	descriptor airbyte.StreamDescriptor
	key        string  // of its states
	next       *stream // whose row came after the last row of this one: streams often take turns
	tally      tally.Stream
	defects    map[string]int64
	told       map[string]bool // warnings that were given
	over       int64           // rows that were too many
	said
}

// said is the part of a stream that a snapshot copies.
type said struct {
	status   airbyte.StreamStatus
	err      string // its first TRACE ERROR
	note     string // what a person should know of a stream that is a success
	read     int64  // rows
	estimate int64
	whole    bool // it was read to its end and nothing was lost
	aborted  bool // a full refresh that is not committed
	cut      bool // it has more rows than are wanted (StreamLimit)
	stated   bool // a state that covers it was let go
	// unreached says that the read ended before the connector came to it.
	unreached bool
	began     time.Time
	ended     time.Time
	limited   limit
}

// limit is what a stream waits for since it had so many rows.
type limit struct {
	on    bool
	until time.Time // zero when that is not known
	rows  int64
}

// snapshot is what the reader had seen at some moment. It is never changed.
type snapshot struct {
	streams        []streamSnapshot
	messages       int64
	statuses       bool
	moved          bool
	enough         bool
	lostLines      int64
	connectorError string
	defects        map[string]int64
	end            ending
}

// bare says that no row, no state and no status came.
func (s *snapshot) bare() bool { return !s.moved && !s.statuses }

// streamSnapshot is one stream of a snapshot.
type streamSnapshot struct {
	said
	lost, doubt string
	counted     bool
	defects     map[string]int64
}

// snapshot is what has been seen. The reader's.
func (r *read) snapshot() *snapshot {
	seen := &snapshot{streams: make([]streamSnapshot, len(r.streams)), messages: r.messages, statuses: r.statuses, moved: r.moved,
		enough: r.enough, lostLines: r.lostLines,
		connectorError: r.ownError(), defects: maps.Clone(r.defects), end: r.end}
	if seen.bare() { // then an error is all that it says of the read
		seen.connectorError = cmp.Or(seen.connectorError, r.errorLog)
	}
	for i, s := range r.streams {
		seen.streams[i] = streamSnapshot{said: s.said, lost: s.tally.Lost(), doubt: s.tally.Doubt(), counted: s.tally.Counted(),
			defects: maps.Clone(s.defects)}
	}
	return seen
}

// publish makes a snapshot for the others: always, or when something came since the last one. The reader's.
func (r *read) publish(always bool) {
	var defects int64
	for _, n := range r.defects {
		defects += n
	}
	if counted := r.messages + defects; always || counted != r.published {
		r.seen.Store(r.snapshot())
		r.published = counted
	}
}

// evidence is what a verdict needs to know.
func (r *read) evidence(seen *snapshot) verdict.Evidence {
	evidence := verdict.Evidence{Exit: seen.end.exit, StdoutEOF: seen.end.stdoutEOF, StderrEOF: seen.end.stderrEOF, Messages: seen.messages,
		Statuses: seen.statuses, Stopped: r.stopping.reason(), ConnectorError: seen.connectorError, Said: seen.end.said, Fault: seen.end.fault,
		LostLines: seen.lostLines,
		Bare:      seen.bare(), Enough: seen.enough}
	progress := r.loader.Progress()
	for i, s := range seen.streams {
		aborted := s.aborted && progress[i].Err == nil
		lost := s.lost
		if lost == "" && aborted {
			lost = s.doubt
		}
		config := r.config.Streams[i]
		evidence.Streams = append(evidence.Streams, verdict.StreamEvidence{Stream: config.Table.Stream, Mode: config.Mode, Last: s.status, Error: s.err,
			Read: s.read, Acked: progress[i].Acked.Rows, LoadError: progress[i].Err, Lost: lost, CountsSeen: s.counted, Aborted: aborted,
			Cut: s.cut, Unreached: s.unreached})
	}
	return evidence
}

// verdict decides the outcome.
func (r *read) verdict(unsaved, gone error) sidecar.Report {
	seen := r.seen.Load()
	evidence := r.evidence(seen)
	evidence.Unsaved = unsaved
	switch {
	case r.lockLost != nil:
		evidence.Fault = r.lockLost
	case gone != nil:
		evidence.Fault = gone
	}
	decided := verdict.Decide(evidence)
	report := r.report(seen.defects)
	report.OutOfMemory = seen.end.exit.OutOfMemory && seen.end.exit.Code != 0
	report.Enough = seen.enough
	report.Status, report.Cause = decided.Status, r.logs.Masked(decided.Cause)
	report.Warnings = append(report.Warnings, decided.Notes...)
	report.Streams = r.streamReports(seen, decided.Streams)
	report.ExitCode = sidecar.ExitCodeOf(decided.Status, decided.Environment, r.stopping.signalNumber())
	report.StatesSaved, report.StatesUnsaved = r.recorder.Saved(), r.recorder.Unsaved()
	report.Destination = r.destination.String()
	return report
}
