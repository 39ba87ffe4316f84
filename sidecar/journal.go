package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// Keys of the states that are not of one stream, as Jitsu's console knows them (source_state.stream).
const (
	GlobalStateKey = "_GLOBAL_STATE"
	LegacyStateKey = "_LEGACY_STATE"
)

// Position is how much of a stream had been handed to the destination, counted from the start of the run.
type Position struct {
	Rows  int64
	Bytes int64 // with line feeds
}

// SavedState is a state whose rows are all acknowledged.
type SavedState struct {
	Key    string                   // GlobalStateKey, LegacyStateKey, or the String of the stream's descriptor
	Stream airbyte.StreamDescriptor // of a STREAM state
	// State is what the connector sent: stream_state, the whole `global` object, or the LEGACY data. `null` resets.
	State json.RawMessage
	// Covers says how far each covered stream was when the connector sent this state. Later rows may be at the destination, too.
	Covers map[airbyte.StreamDescriptor]Position
	// Incremental, of a STREAM state, is how many streams this run reads incrementally, this one among them; 0 says that this one is read as a
	// full refresh, and that nobody goes on from its state. See StateKinds.
	Incremental int
	// Sequence grows with each state that the connector sends in a run; 0 is that of a state from an earlier run.
	Sequence int64
	// SavedAt is when it was saved: of a state that was loaded; zero where that is not known.
	SavedAt time.Time
}

// Status of a task or of a stream, as Jitsu's console shows it.
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

// TaskRecord is what a person sees of a running or finished sync (the row of source_task).
type TaskRecord struct {
	Status      Status
	Description string // per-stream JSON: {"<stream>":{"events":n,"bytes":n,"status":"…","error":"…","unfinished":bool}}
	Error       string
}

// Command is what the connector was asked for.
type Command string

// The commands of the Airbyte protocol.
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
	// Payload is the spec or the catalog as the connector sent it; nil when it failed. A failed discover keeps the earlier catalog.
	Payload json.RawMessage
	// Message is what the connector said to a check, or the cause of a failure.
	Message string
}

// LogRecord is one line of the task's log.
type LogRecord struct {
	Time    time.Time
	Level   string // FATAL, ERROR, WARN, INFO, DEBUG or TRACE
	Logger  string // "sidecar" for the sidecar's own lines, the connector's package for its lines
	Message string
}

// Identity says whose sync this is. A journal keeps everything under it.
type Identity struct {
	SyncID         string
	TaskID         string
	Package        string
	PackageVersion string
	StorageKey     string
	StartedBy      string // JSON; may be empty
	StartedAt      time.Time
	Shard          Shard // of a read that is shared out; its TaskID is Shard.TaskID()
}

// Journal keeps results, states, status and logs. Its methods may be called from several goroutines.
type Journal interface {
	// Lock makes this the only run of its SyncID until Close or the end of the process. When another run holds the lock, the error names it, and is
	// ErrLocked (errors.Is).
	Lock(ctx context.Context) error
	// LoadStates returns what was saved for this SyncID, in no particular order.
	LoadStates(ctx context.Context) ([]SavedState, error)
	// SaveStates saves all of them or none; the caller sees to I1. What becomes of saved states of other kinds StateKinds says. The error is
	// ErrStateRefused (errors.Is) when the journal cannot keep one of them.
	SaveStates(ctx context.Context, states []SavedState) error
	// SaveResult records the outcome of spec, check or discover.
	SaveResult(ctx context.Context, result Result) error
	// SaveTask records the status of the task. A task that is CANCELLED stays so, and RUNNING never replaces a final status.
	SaveTask(ctx context.Context, task TaskRecord) error
	// AppendLogs records log lines.
	AppendLogs(ctx context.Context, logs []LogRecord) error
	// Close unlocks and releases what the journal holds.
	Close(ctx context.Context) error
	// String names the journal in messages, without secrets.
	String() string
}

// ErrStateRefused is in an error of SaveStates (errors.Is) when the journal works, but cannot keep the content of one of the states: the others can
// be saved without it.
var ErrStateRefused = errors.New("the state is refused")

// ErrLocked is in an error of Lock and of LockError (errors.Is) when another run of the sync is under way.
var ErrLocked = errors.New("the sync is already running")

// InterruptionFinder is a Journal that knows the tasks of earlier runs.
type InterruptionFinder interface {
	// Interrupted finds tasks of this SyncID that began before this one and are still RUNNING although this run holds the lock: whoever ran them was
	// killed, or its machine is gone. It records that they FAILED, where a journal keeps a task for each run, and returns their ids.
	Interrupted(ctx context.Context) ([]string, error)
}

// InterruptedText is what is recorded of a task that was interrupted.
const InterruptedText = "interrupted: it ended without a verdict (killed, out of memory, or its machine is gone); " +
	"the next run went on from its last saved state"

// LockKeeper is a Journal that can lose its lock: its server restarted, and another run took the lock first.
type LockKeeper interface {
	// LockError is nil while the lock is held. It is ErrLocked (errors.Is), and stays so, once another run has taken the lock.
	LockError() error
}

// StateReplacer is a Journal, or a Committer, whose saved states a person can change between two runs.
type StateReplacer interface {
	// ReplaceStates forgets the states of the keys gone and saves states, one for each key, all at once or not at all; what else is saved stays,
	// whatever StateKinds says. A key in gone that is not saved is no error. The sync's lock must be held: where a run of it lives on all the same, it
	// can commit nothing more.
	ReplaceStates(ctx context.Context, gone []string, states []SavedState) error
}

// LogSink takes log lines; a Journal is one, and so is Bulker's log destination.
type LogSink interface {
	AppendLogs(ctx context.Context, logs []LogRecord) error
}
