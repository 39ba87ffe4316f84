package session

import (
	"cmp"
	"fmt"
	"time"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/cause"
)

// trace takes what the connector says of the sync itself.
func (r *read) trace(trace *airbyte.Trace) {
	switch trace.Type {
	case airbyte.TraceError:
		r.traceError(trace.Error)
	case airbyte.TraceStreamStatus:
		r.streamStatus(trace.StreamStatus)
	case airbyte.TraceEstimate:
		if trace.Estimate.Type != "SYNC" {
			if s := r.of(trace.Estimate.Stream, "an estimate"); s != nil {
				s.estimate = int64(trace.Estimate.Rows)
			}
		}
	case airbyte.TraceAnalytics:
		r.logs.Connector(airbyte.LevelDebug, fmt.Sprintf("analytics: %s = %s", trace.Analytics.Type, trace.Analytics.Value))
	}
}

// traceError keeps the first error of each stream, and the first of none.
func (r *read) traceError(e *airbyte.TraceErrorDetails) {
	text := r.logTraceError(e)
	if e.Stream != nil {
		if s := r.of(*e.Stream, "an error"); s != nil {
			if s.err == "" {
				s.err = text
			}
			return
		}
	}
	if r.connectorError == "" {
		r.connectorError = text
	}
}

// logTraceError logs an error of the connector in full, and returns its cause, short enough to be kept.
func (s *session) logTraceError(e *airbyte.TraceErrorDetails) string {
	line := cmp.Or(e.Message, e.InternalMessage)
	if e.FailureType != "" {
		line += " (" + e.FailureType + ")"
	}
	if e.InternalMessage != "" && e.InternalMessage != e.Message {
		line += "\n" + e.InternalMessage
	}
	if e.StackTrace != "" {
		line += "\n" + e.StackTrace
	}
	s.logs.Connector(airbyte.LevelError, line)
	return s.causeOf(e.Message, e.InternalMessage, e.StackTrace)
}

// causeOf is the cause in what the connector says about an error, short enough to be kept.
func (s *session) causeOf(message, internal, stack string) string {
	return cause.OfTrace(s.logs.Masked(message), s.logs.Masked(internal), s.logs.Masked(stack))
}

// streamStatus follows a stream through its statuses. After COMPLETE or INCOMPLETE no other one changes anything.
func (r *read) streamStatus(status *airbyte.StreamStatusDetails) {
	r.statuses = true
	s := r.of(status.Stream, "a status")
	if s == nil {
		return
	}
	if s.began.IsZero() {
		s.began = r.connector.Load().left
	}
	s.limited = limit{on: status.RateLimited, rows: s.read}
	if status.RateLimited {
		until := time.UnixMilli(int64(status.QuotaReset))
		if status.QuotaReset > 0 {
			s.limited.until = until
		}
		r.watchdog.restUntil(until)
		r.logs.Of(s.key).Info(fmt.Sprintf("stream %q: the connector is rate-limited%s", s.descriptor, untilText(status.QuotaReset, until)))
	}
	if s.status == airbyte.StreamComplete || s.status == airbyte.StreamIncomplete {
		return
	}
	s.status = status.Status
	switch {
	case s.cut: // its end comes with the session's: more may have come of it than is wanted
	case s.status == airbyte.StreamComplete:
		r.endStream(s, s.tally.Sound())
	case s.status == airbyte.StreamIncomplete:
		r.endStream(s, false)
	}
	if r.config.StreamLimit > 0 && s.saidEnd() {
		r.checkLimit()
	}
}

func untilText(reset float64, until time.Time) string {
	if reset <= 0 {
		return ""
	}
	return " until " + until.UTC().Format(time.RFC3339)
}
