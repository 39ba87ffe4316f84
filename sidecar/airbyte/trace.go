package airbyte

import (
	"fmt"
	"strings"
)

func decodeTrace(v value) (*Trace, error) {
	if v.kind() != '{' {
		return nil, missing("trace")
	}
	t := &Trace{Type: TraceType(strings.ToUpper(v.member("type").text()))}
	t.EmittedAt, _ = v.member("emitted_at").number()
	var err error
	switch t.Type {
	case TraceError:
		t.Error, err = decodeTraceError(v.member("error"))
	case TraceEstimate:
		t.Estimate, err = decodeEstimate(v.member("estimate"))
	case TraceStreamStatus:
		t.StreamStatus, err = decodeStreamStatus(v.member("stream_status"))
	case TraceAnalytics:
		analytics := v.member("analytics")
		t.Analytics = &Analytics{Type: analytics.member("type").text(), Value: analytics.member("value").text()}
	case "":
		err = missing("trace.type")
	default:
		err = fmt.Errorf("trace.type %q is unknown", name(string(t.Type)))
	}
	return t, err
}

// decodeTraceError takes the internal message for the message when the source gave no other.
func decodeTraceError(v value) (*TraceErrorDetails, error) {
	if v.kind() != '{' {
		return nil, missing("trace.error")
	}
	e := &TraceErrorDetails{
		Message:         v.member("message").text(),
		InternalMessage: v.member("internal_message").text(),
		StackTrace:      v.member("stack_trace").text(),
		FailureType:     strings.ToLower(v.member("failure_type").text()),
	}
	if e.Message == "" {
		e.Message = e.InternalMessage
	}
	if stream, known := v.member("stream_descriptor").descriptor(); known {
		e.Stream = &stream
	}
	return e, nil
}

func decodeEstimate(v value) (*Estimate, error) {
	if v.kind() != '{' {
		return nil, missing("trace.estimate")
	}
	e := &Estimate{Type: strings.ToUpper(v.member("type").text())}
	e.Stream, _ = v.descriptor()
	e.Rows, _ = v.member("row_estimate").number()
	e.Bytes, _ = v.member("byte_estimate").number()
	return e, nil
}

func decodeStreamStatus(v value) (*StreamStatusDetails, error) {
	stream, known := v.member("stream_descriptor").descriptor()
	if !known {
		return nil, missing("trace.stream_status.stream_descriptor.name")
	}
	s := &StreamStatusDetails{Stream: stream, Status: StreamStatus(strings.ToUpper(v.member("status").text()))}
	if s.Status == "" {
		return nil, missing("trace.stream_status.status")
	}
	for reason := range v.member("reasons").elements() {
		if strings.EqualFold(reason.member("type").text(), "RATE_LIMITED") {
			s.RateLimited = true
			s.QuotaReset, _ = reason.member("rate_limited").member("quota_reset").number()
		}
	}
	return s, nil
}
