// Package airbyte reads the Airbyte protocol as real sources speak it. In comes the stdout of a source: one JSON message a line, between prose,
// broken lines and messages that share a line. Out come messages, text for people, and a report on everything that was lost or changed (I7).
// LogReader does the same for stderr. The package knows the protocol (v0.18) and no policy: what a message means for a sync is decided elsewhere.
//
// Types and fields are named as in airbyte_protocol.yaml. Payloads are read tolerantly: numbers may be floats where the protocol declares integers,
// enums match in any case, and any payload may be absent.
package airbyte

import "encoding/json"

// Type is the `type` of an Airbyte message. TypeText and TypeDefect are the reader's own.
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

	// TypeText is output that is not an Airbyte message: prose, a stack trace, a JSON log line of another kind. Message.Log holds it, with a guessed
	// level when it gives none.
	TypeText Type = "TEXT"
	// TypeDefect reports output that was lost, or that was repaired or taken in another way than the protocol has it. Message.Defect says which. It
	// carries no content of a row.
	TypeDefect Type = "DEFECT"
)

// payloadType is the type of the messages whose payload has this key; empty when there is no such type for sources.
func payloadType(key []byte) Type {
	switch string(key) {
	case "record":
		return TypeRecord
	case "state":
		return TypeState
	case "log":
		return TypeLog
	case "spec":
		return TypeSpec
	case "connectionStatus":
		return TypeConnectionStatus
	case "catalog":
		return TypeCatalog
	case "trace":
		return TypeTrace
	case "control":
		return TypeControl
	default:
		return ""
	}
}

// knownType says whether the protocol has this message type for sources.
func knownType(t Type) bool {
	switch t {
	case TypeRecord, TypeState, TypeLog, TypeSpec, TypeConnectionStatus, TypeCatalog, TypeTrace, TypeControl:
		return true
	default:
		return false
	}
}

// Message is one message of a source. Only the member that belongs to its Type is set. Everything in it is valid until the next call of Reader.Next.
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

// StreamDescriptor names a stream. A null namespace is the same as an empty one.
type StreamDescriptor struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// String is "<namespace>.<name>", or "<name>" without a namespace. Jitsu's console has this form in source_state.stream and source_task.description.
func (d StreamDescriptor) String() string {
	if d.Namespace == "" {
		return d.Name
	}
	return d.Namespace + "." + d.Name
}

// Record is a row. Its slices are parts of the reader's buffer: copy what must outlive the next call of Reader.Next.
type Record struct {
	Stream    []byte // unescaped
	Namespace []byte // unescaped; empty when null or absent
	Data      []byte // the `data` object, as sent unless it was repaired: valid JSON, valid UTF-8, no line feed
	EmittedAt int64  // epoch milliseconds; 0 when absent
	Changes   []Change
	// File says that the record stands for a file, which the source left on its disk: it has a `file_reference` object, or the `file` object that the
	// Python CDK sent before the protocol knew files. Data is at most the file's metadata, and {} when the source sent none.
	File bool
}

// Change is a note about a value that was altered by the reader, or by the source, which says so in record.meta.changes.
type Change struct {
	Field  string `json:"field"`  // path of the field, dot-separated
	Change string `json:"change"` // NULLED or TRUNCATED
	Reason string `json:"reason"` // e.g. PLATFORM_SERIALIZATION_ERROR
}

// StateType is the scope of a STATE message.
type StateType string

// The scopes of the protocol. By the protocol a state without a type is LEGACY.
const (
	StateStream StateType = "STREAM"
	StateGlobal StateType = "GLOBAL"
	StateLegacy StateType = "LEGACY"
)

// State is a checkpoint of the source. Its raw members are as sent: a state is a black box, and re-encoding could change it.
type State struct {
	Type        StateType
	Stream      StreamDescriptor // of a STREAM state
	StreamState json.RawMessage  // of a STREAM state; nil and `null` reset the stream
	Global      json.RawMessage  // of a GLOBAL state: the whole `global` object
	Data        json.RawMessage  // of a LEGACY state
	// RecordCount is sourceStats.recordCount: how many records the source sent since the previous state, of the stream or of all. Negative when the
	// source gave no count.
	RecordCount float64
}

// Log is text for people. Message includes the stack trace, when there is one, and so may have several lines.
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

// Trace is a message about the sync itself. Only the member that belongs to its Type is set.
type Trace struct {
	Type         TraceType
	EmittedAt    float64 // epoch milliseconds
	Error        *TraceErrorDetails
	Estimate     *Estimate
	StreamStatus *StreamStatusDetails
	Analytics    *Analytics
}

// TraceErrorDetails is an error in the source's own words. Message is the internal message when the source gave no other.
type TraceErrorDetails struct {
	Message         string            `json:"message"`
	InternalMessage string            `json:"internal_message"`
	StackTrace      string            `json:"stack_trace"`
	FailureType     string            `json:"failure_type"` // system_error, config_error or transient_error
	Stream          *StreamDescriptor `json:"stream_descriptor"`
}

// Estimate is how much the source expects to send. A later estimate of the same stream replaces an earlier one.
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

// StreamStatusDetails is the status of one stream.
type StreamStatusDetails struct {
	Stream StreamDescriptor
	Status StreamStatus
	// RateLimited says that the source waits because its API limits it. QuotaReset is when the wait ends: epoch milliseconds, 0 when the source does not
	// say.
	RateLimited bool
	QuotaReset  float64
}

// Analytics is a figure that the source reports about itself.
type Analytics struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Control carries the changed configuration of the source (CONNECTOR_CONFIG). Config holds secrets: never log it (I5).
type Control struct {
	Type      string
	EmittedAt float64         // epoch milliseconds
	Config    json.RawMessage // the whole new config
}

// DefectKind is a reason why output could not be taken as it was sent.
type DefectKind string

// The kinds of defects. A defect that is marked as repaired loses no message, and no value but those that it names.
const (
	DefectOversizeLine DefectKind = "oversize_line" // a line longer than Options.MaxLineBytes: lost
	DefectCutLine      DefectKind = "cut_line"      // the last line, which no line feed ends, did not parse: lost
	DefectBrokenLine   DefectKind = "broken_line"   // a line looked like a message and did not parse: lost
	DefectJoinedLine   DefectKind = "joined_line"   // several messages shared a line: all taken (repaired)
	DefectNumber       DefectKind = "non_finite"    // NaN or Infinity became null (repaired); a state, and by RejectNonFinite a row, is lost
	DefectUTF8         DefectKind = "invalid_utf8"  // bytes that are not UTF-8 became U+FFFD (repaired); a state is lost
	DefectControl      DefectKind = "control_char"  // raw control characters in a string became \u escapes (repaired: the value is the same)
	DefectPayload      DefectKind = "bad_payload"   // a message lacked the payload that its type needs: ignored, and lost when it may be a row
	DefectUnknownType  DefectKind = "unknown_type"  // the protocol has no such message type for sources: ignored
)

// Defect reports one damage to the output.
type Defect struct {
	Kind DefectKind
	// Type is the type of the damaged message: one of the protocol's, or empty when it could not be told.
	Type Type
	// Stream is the stream that the damaged message was about. Known says whether it could be told.
	Stream StreamDescriptor
	Known  bool
	Lost   bool   // something did not arrive that was, or may have been, a row
	State  bool   // something did not arrive that was, or may have been, a STATE
	Both   bool   // a row and a STATE may both be missing; without it, Lost and State together mean one or the other
	Line   int64  // line number on stdout, from 1
	Bytes  int64  // length of the line in bytes
	Detail string // what is wrong, for people; never content of a row
}
