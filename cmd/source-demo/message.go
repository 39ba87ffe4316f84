package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// message is an Airbyte message of the rare kinds. RECORD and STATE lines are appended byte by byte instead (see row.go and state.go).
// Field names follow airbyte_protocol.yaml v0.18, its mixture of camel and snake case included.
type message struct {
	Type             string            `json:"type"`
	Log              *logMessage       `json:"log,omitempty"`
	Spec             json.RawMessage   `json:"spec,omitempty"`
	ConnectionStatus *connectionStatus `json:"connectionStatus,omitempty"`
	Catalog          *catalog          `json:"catalog,omitempty"`
	Trace            *trace            `json:"trace,omitempty"`
	Control          *control          `json:"control,omitempty"`
	// Message and Data are of the CDK's {"type":"DEBUG"} lines, which are not of the protocol.
	Message string            `json:"message,omitempty"`
	Data    map[string]string `json:"data,omitempty"`
}

type logMessage struct {
	Level      string `json:"level"`
	Message    string `json:"message"`
	StackTrace string `json:"stack_trace,omitempty"`
}

type connectionStatus struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

type trace struct {
	Type         string        `json:"type"`
	EmittedAt    millis        `json:"emitted_at"`
	Error        *traceError   `json:"error,omitempty"`
	Estimate     *estimate     `json:"estimate,omitempty"`
	StreamStatus *streamStatus `json:"stream_status,omitempty"`
	Analytics    *analytics    `json:"analytics,omitempty"`
}

type traceError struct {
	Message         string      `json:"message"`
	InternalMessage string      `json:"internal_message,omitempty"`
	StackTrace      string      `json:"stack_trace,omitempty"`
	FailureType     string      `json:"failure_type"`
	Stream          *descriptor `json:"stream_descriptor,omitempty"`
}

type estimate struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Type      string `json:"type"`
	Rows      int64  `json:"row_estimate"`
	Bytes     int64  `json:"byte_estimate"`
}

type streamStatus struct {
	Stream  descriptor `json:"stream_descriptor"`
	Status  string     `json:"status"`
	Reasons []reason   `json:"reasons,omitempty"`
}

type reason struct {
	Type        string     `json:"type"`
	RateLimited quotaReset `json:"rate_limited"`
}

type quotaReset struct {
	QuotaReset int64 `json:"quota_reset"` // epoch milliseconds
}

type analytics struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type control struct {
	Type            string          `json:"type"`
	EmittedAt       millis          `json:"emitted_at"`
	ConnectorConfig connectorConfig `json:"connectorConfig"`
}

type connectorConfig struct {
	Config json.RawMessage `json:"config"`
}

// descriptor names a stream.
type descriptor struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// millis is epoch milliseconds as the CDK writes them in traces: a float, always with a decimal point, where the protocol asks for an integer.
type millis float64

func millisOf(t time.Time) millis { return millis(float64(t.UnixMicro()) / 1000) }

// MarshalJSON writes the decimal point.
func (m millis) MarshalJSON() ([]byte, error) { return appendFloat(nil, float64(m)), nil } //nolint:unparam // json.Marshaler

// appendFloat appends a number as Python prints a float: with a decimal point even when it is whole.
func appendFloat(b []byte, f float64) []byte {
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// appendMessage appends a message and its line feed.
func appendMessage(b []byte, m message) ([]byte, error) {
	line := bytes.NewBuffer(b)
	encoder := json.NewEncoder(line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		return b, err
	}
	return line.Bytes(), nil
}
