// Package airbyte reads the Airbyte protocol as real connectors speak it: one JSON message a line on stdout, between prose, broken lines and
// messages that share a line. It knows the protocol (v0.18) and no policy: what a message means for a sync is decided in package sidecar.
//
// Names of types and fields follow airbyte_protocol.yaml. Payloads are tolerant where real connectors are: numbers may be floats where the
// protocol declares integers, enums match case-insensitively, any payload may be absent.
package airbyte

import "encoding/json"

// Type is the `type` of an Airbyte message. The last two are the reader's own.
type Type string

// The message types of the protocol that a source sends, and what the reader makes of everything else.
const (
	TypeRecord           Type = "RECORD"
	TypeState            Type = "STATE"
	TypeLog              Type = "LOG"
	TypeSpec             Type = "SPEC"
	TypeConnectionStatus Type = "CONNECTION_STATUS"
	TypeCatalog          Type = "CATALOG"
	TypeTrace            Type = "TRACE"
	TypeControl          Type = "CONTROL"

	// TypeText is output that is not an Airbyte message: prose, foreign JSON, a stack trace. Message.Log holds it with a guessed level.
	TypeText Type = "TEXT"
	// TypeDefect reports output that was lost or changed beyond repair: Message.Defect says what. It carries no row content.
	TypeDefect Type = "DEFECT"
)

// Message is one message of a source. Only the member that its Type names is set. Everything in it is valid until the next call of Reader.Next.
type Message struct {
	Type             Type
	Record           Record
	State            *State
	Log              *Log
	Spec             json.RawMessage // the whole `spec` object as sent
	ConnectionStatus *ConnectionStatus
	Catalog          json.RawMessage // the whole `catalog` object as sent
	Trace            *Trace
	Control          *Control
	Defect           *Defect
}

// StreamDescriptor names a stream. A null namespace and an empty one are the same.
type StreamDescriptor struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// String is "<namespace>.<name>", or "<name>" without a namespace: the form that the console's source_state.stream and source_task.description use.
func (d StreamDescriptor) String() string {
	if d.Namespace == "" {
		return d.Name
	}
	return d.Namespace + "." + d.Name
}

// Record is a row. Its slices alias the reader's buffer: copy what must outlive the next call of Reader.Next.
type Record struct {
	Stream    []byte // unescaped
	Namespace []byte // unescaped; empty when null or absent
	Data      []byte // the raw bytes of the `data` object: valid JSON, valid UTF-8, no line feed
	EmittedAt int64  // epoch milliseconds; 0 when absent
	Changes   []Change
}

// Change is a note about a value that the reader (or the source, in record.meta.changes) altered.
type Change struct {
	Field  string `json:"field"`  // path of the field, dot-separated
	Change string `json:"change"` // NULLED or TRUNCATED
	Reason string `json:"reason"` // e.g. PLATFORM_SERIALIZATION_ERROR
}

// StateType is the scope of a STATE message.
type StateType string

// The scopes of the protocol. A state without a type is LEGACY.
const (
	StateStream StateType = "STREAM"
	StateGlobal StateType = "GLOBAL"
	StateLegacy StateType = "LEGACY"
)

// State is a checkpoint of the source. Its raw members are as sent: a state is a black box and is never re-encoded.
type State struct {
	Type        StateType
	Stream      StreamDescriptor // of a STREAM state
	StreamState json.RawMessage  // of a STREAM state; nil or `null` resets the stream
	Global      json.RawMessage  // of a GLOBAL state: the whole `global` object
	Data        json.RawMessage  // of a LEGACY state
	// RecordCount is sourceStats.recordCount: the records of the stream since its previous state; negative when the source gave none.
	RecordCount float64
}

// Log is a line for people. Message holds the stack trace too, when there is one.
type Log struct {
	Level   Level
	Message string
}

// Level is the severity of a LOG message.
type Level string

// The levels of the protocol.
const (
	LevelFatal Level = "FATAL"
	LevelError Level = "ERROR"
	LevelWarn  Level = "WARN"
	LevelInfo  Level = "INFO"
	LevelDebug Level = "DEBUG"
	LevelTrace Level = "TRACE"
)

// ConnectionStatus is the answer to check.
type ConnectionStatus struct {
	Status  string `json:"status"` // SUCCEEDED or FAILED
	Message string `json:"message"`
}

// TraceType is the kind of a TRACE message.
type TraceType string

// The kinds of the protocol.
const (
	TraceError        TraceType = "ERROR"
	TraceEstimate     TraceType = "ESTIMATE"
	TraceStreamStatus TraceType = "STREAM_STATUS"
	TraceAnalytics    TraceType = "ANALYTICS"
)

// Trace is a message about the sync itself. Only the member that its Type names is set.
type Trace struct {
	Type         TraceType
	EmittedAt    float64 // epoch milliseconds
	Error        *TraceErrorDetails
	Estimate     *Estimate
	StreamStatus *StreamStatusDetails
	Analytics    *Analytics
}

// TraceErrorDetails is an error in the source's own words.
type TraceErrorDetails struct {
	Message         string            `json:"message"`
	InternalMessage string            `json:"internal_message"`
	StackTrace      string            `json:"stack_trace"`
	FailureType     string            `json:"failure_type"` // system_error, config_error or transient_error
	Stream          *StreamDescriptor `json:"stream_descriptor"`
}

// Estimate is how much the source expects to send. A later one for the same stream replaces the earlier.
type Estimate struct {
	Type   string // STREAM or SYNC
	Stream StreamDescriptor
	Rows   float64
	Bytes  float64
}

// StreamStatus is how far the source is with a stream.
type StreamStatus string

// The statuses of the protocol.
const (
	StreamStarted    StreamStatus = "STARTED"
	StreamRunning    StreamStatus = "RUNNING"
	StreamComplete   StreamStatus = "COMPLETE"
	StreamIncomplete StreamStatus = "INCOMPLETE"
)

// StreamStatusDetails is a status of one stream.
type StreamStatusDetails struct {
	Stream StreamDescriptor
	Status StreamStatus
	// RateLimited says that the source waits for its API; QuotaReset is when it goes on (epoch milliseconds, 0 when not said).
	RateLimited bool
	QuotaReset  float64
}

// Analytics is a figure that the source reports about itself.
type Analytics struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Control carries a changed connector configuration (CONNECTOR_CONFIG). Config is secret: never log it.
type Control struct {
	Type      string
	EmittedAt float64         // epoch milliseconds
	Config    json.RawMessage // the whole new config
}

// DefectKind is a way in which output of a source could not be taken as it was sent.
type DefectKind string

// What can be wrong with output. The kinds marked "repaired" lose nothing but the value named.
const (
	DefectOversizeLine DefectKind = "oversize_line" // longer than Options.MaxLineBytes: drained, lost
	DefectCutLine      DefectKind = "cut_line"      // the last line, without a line feed, did not parse: lost
	DefectBrokenLine   DefectKind = "broken_line"   // looked like a message and did not parse: lost
	DefectJoinedLine   DefectKind = "joined_line"   // several messages on a line: all taken (repaired)
	DefectNumber       DefectKind = "non_finite"    // NaN or Infinity became null (repaired), or lost by configuration; a state is ignored
	DefectUTF8         DefectKind = "invalid_utf8"  // bytes became U+FFFD (repaired); a state is ignored
	DefectControl      DefectKind = "control_char"  // raw control characters in a string became \u escapes (repaired, the value is the same)
	DefectPayload      DefectKind = "bad_payload"   // a message without the payload that its type needs: ignored, and lost when it is a record
	DefectUnknownType  DefectKind = "unknown_type"  // a message of a type that the protocol does not have for sources: ignored
)

// Defect is one event of damaged output.
type Defect struct {
	Kind DefectKind
	// Stream is the stream when it could still be told; Known says so.
	Stream StreamDescriptor
	Known  bool
	Lost   bool   // a row did not arrive, or what did not may have been one
	State  bool   // a STATE did not arrive, or what did not may have been one
	Both   bool   // a row and a STATE may both be missing; else Lost and State mean one or the other
	Line   int64  // line number on stdout, from 1
	Bytes  int64  // length of the line in bytes
	Detail string // what the parser said; never content of the line
}
