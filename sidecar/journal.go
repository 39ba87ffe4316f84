package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// Keys of the states that are not of one stream, as the console knows them (source_state.stream).
const (
	GlobalStateKey = "_GLOBAL_STATE"
	LegacyStateKey = "_LEGACY_STATE"
)

// Position is how far a stream had come: counted from the start of this run, over what was handed to the destination.
type Position struct {
	Rows  int64
	Bytes int64 // including line feeds
}

// SavedState is a state whose rows are all acknowledged.
type SavedState struct {
	Key    string                   // see GlobalStateKey, LegacyStateKey; a stream's is its descriptor's String
	Stream airbyte.StreamDescriptor // of a STREAM state
	// State is what the source sent: stream_state, the whole `global` object, or the LEGACY data. `null` resets.
	State json.RawMessage
	// Covers says where each covered stream stood when the source sent this state. Rows after it may already be at the destination.
	Covers map[airbyte.StreamDescriptor]Position
	// Incremental, of a STREAM state, is how many streams this run reads incrementally, this one among them; 0 says that this one is read as a
	// full refresh, and that nobody goes on from its state. See StateKinds.
	Incremental int
}

// Status of a task or of a stream, as the console shows it.
type Status string

// The statuses.
const (
	StatusPending      Status = "PENDING"
	StatusRunning      Status = "RUNNING"
	StatusSuccess      Status = "SUCCESS"
	StatusPartial      Status = "PARTIAL"
	StatusFailed       Status = "FAILED"
	StatusCancelled    Status = "CANCELLED"
	StatusTimeExceeded Status = "TIME_EXCEEDED"
)

// TaskRecord is the row of source_task: what a person sees of a running or finished sync.
type TaskRecord struct {
	Status      Status
	Description string // per-stream JSON: {"<stream>":{"events":n,"bytes":n,"status":"…","error":"…"}}
	Error       string
}

// Command is what the connector was asked for.
type Command string

// The commands of a source.
const (
	CommandSpec     Command = "spec"
	CommandCheck    Command = "check"
	CommandDiscover Command = "discover"
	CommandRead     Command = "read"
)

// Result is the outcome of spec, check or discover.
type Result struct {
	Command Command
	// Status is SUCCESS or FAILED; for discover also RUNNING, before there is an outcome.
	Status Status
	// Payload is the spec or the catalog as the source sent it; nil when it failed. A failed discover keeps the earlier catalog.
	Payload json.RawMessage
	// Message is the source's word on a check, or the cause of a failure.
	Message string
}

// LogRecord is one line of the task's log.
type LogRecord struct {
	Time    time.Time
	Level   string // FATAL, ERROR, WARN, INFO, DEBUG or TRACE
	Logger  string // "sidecar" for our own lines, the connector's package for the source's
	Message string
}

// Identity says whose sync this is: the key of everything a journal keeps.
type Identity struct {
	SyncID         string
	TaskID         string
	Package        string
	PackageVersion string
	StorageKey     string
	StartedBy      string // JSON; may be empty
	StartedAt      time.Time
}

// Journal keeps results, states, status and logs. Its methods may be called from several goroutines.
type Journal interface {
	// Lock makes this the only run of its SyncID until Unlock or the end of the process; the error names who holds it.
	Lock(ctx context.Context) error
	// LoadStates returns what was saved for this SyncID, in no particular order.
	LoadStates(ctx context.Context) ([]SavedState, error)
	// SaveStates saves all of them or none (I1 is the caller's). What becomes of saved states of other kinds StateKinds says. errors.Is
	// ErrStateRefused when one of them is what it cannot keep.
	SaveStates(ctx context.Context, states []SavedState) error
	// SaveResult records the outcome of spec, check or discover.
	SaveResult(ctx context.Context, result Result) error
	// SaveTask records the status of the task. A task that is CANCELLED stays so, and a RUNNING never replaces a final status.
	SaveTask(ctx context.Context, task TaskRecord) error
	// AppendLogs records log lines.
	AppendLogs(ctx context.Context, logs []LogRecord) error
	// Close unlocks and releases what the journal holds.
	Close(ctx context.Context) error
	// String names the journal in messages, without secrets.
	String() string
}

// ErrStateRefused is what the errors of SaveStates are (errors.Is) when the journal is there, but cannot keep one of the states for what is in it:
// the others could be saved without it.
var ErrStateRefused = errors.New("the state is refused")

// ErrLocked is what the errors of Lock and LockError are (errors.Is) when another run of the sync is under way.
var ErrLocked = errors.New("the sync is already running")

// LockKeeper is a Journal whose lock can be lost: its server restarted, and another run was faster.
type LockKeeper interface {
	// LockError is nil while the lock is held; errors.Is ErrLocked once another run holds it, for good.
	LockError() error
}

// LogSink takes log lines; a Journal is one, and so is Bulker's log destination.
type LogSink interface {
	AppendLogs(ctx context.Context, logs []LogRecord) error
}
