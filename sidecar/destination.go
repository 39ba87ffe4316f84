package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// Table is what the rows of one stream become, in the words of the sync. A destination makes names, columns and types of its own from it.
type Table struct {
	Stream airbyte.StreamDescriptor
	// Namespace is where the table lives, with NAMESPACE applied; empty is the destination's own default.
	Namespace string
	// Name has TABLE_NAME_PREFIX and TO_SAME_CASE applied. It may be of any length and contain any character.
	Name string
	// PrimaryKey are the paths to the fields that identify a row (airbyte.ConfiguredStream); none without a key.
	PrimaryKey [][]string
	// Cursor is the path to the field whose value grows with each version of a row; empty when none is known.
	Cursor []string
	// Schema is the stream's JSON schema as the connector declared it; it may be empty or nonsense.
	Schema json.RawMessage
}

// Mode is what loads do to the rows that a table already holds.
type Mode int

// The modes, of a stream and of each of its loads.
const (
	// Append adds the rows. Destinations that merge by key keep one row per key, the last one.
	Append Mode = iota
	// ReplaceFirst makes the first load of a run the content of the table; the run's later loads Append. It is for streams that start over: meanwhile
	// the table holds a part of the rows.
	ReplaceFirst
	// ReplaceWhole makes the one load of a run the content of the table, atomically when it ends: nobody ever sees a part of the rows. Until then, and
	// when it fails, the table is as it was (I6).
	ReplaceWhole
)

// StreamConfig is how one stream is delivered.
type StreamConfig struct {
	Table     Table
	Mode      Mode
	Placement Placement // as the destination chose it
	// Incremental says that the connector reads the stream incrementally: the next run goes on from its state.
	Incremental bool
}

// Load is one delivery of rows into a table.
type Load struct {
	Table Table
	Mode  Mode // of this load: a stream that is ReplaceFirst is loaded with Append after its first load
	Rows  Rows
	// States are those that may be saved once this load is acknowledged: a Committer commits them together with the rows, others need not ask. What it
	// returns is known once a reader of Rows saw io.EOF. Nil where there can be none.
	States func() []SavedState
}

// Rows are the rows of a load: NDJSON, one compact object and a line feed each. They can be read again until the load is acknowledged.
type Rows interface {
	// Open reads from the first byte. While rows are still being added (a live load), Read blocks until more come. An error other than io.EOF means
	// that the rows are not complete and the load must not be committed. Cancelling ctx unblocks Read.
	Open(ctx context.Context) (io.ReadCloser, error)
	// Count is the number of rows, and final once a reader saw io.EOF.
	Count() int64
	// Size is the number of bytes, and final once a reader saw io.EOF.
	Size() int64
	// Complete says that no more rows will be added.
	Complete() bool
}

// Capabilities are what a destination can do and take.
type Capabilities struct {
	RowBytes int           // longest row without its line feed; 0 is no limit
	LiveFor  time.Duration // how long a load may stay open while rows are added; 0 is no limit
	// LastWins says that loads merge rows by their primary key, and that the last row of a key in a load wins, whatever its cursor says.
	LastWins bool
	// ReservedKeys are names of members of a row that the destination would take as instructions instead of data.
	ReservedKeys []ReservedKey
	// ReplaceEmpty says that a replacing load without rows empties the table.
	ReplaceEmpty bool
	// KeepsDuplicates says that loads add every row, also to tables that have a primary key.
	KeepsDuplicates bool
}

// ReservedKey is a name, or the beginning of one.
type ReservedKey struct {
	Name     string
	Prefix   bool // longer names that begin so are reserved, too
	TopLevel bool // only members of the row itself are
}

// Placement is where a destination keeps the rows of a table.
type Placement struct {
	Name string // for people to read
	Err  error  // why the rows cannot be kept there as they are: their stream fails before its first load
}

// Destination takes rows. Loads of different tables may run at once; loads of one table never do.
type Destination interface {
	// Place says where the rows of each table go; it is called once, before the first Load. It is an error when two tables would share a place, or when
	// one cannot have a name there; the error says what to change.
	Place(tables []Table) ([]Placement, error)
	// Load delivers one batch. A nil error means that the destination holds every row durably (I1). After an error the caller may give the same load
	// again, unless the error is a *LoadError that is Permanent (errors.As).
	Load(ctx context.Context, load Load) error
	// Capabilities of this destination.
	Capabilities() Capabilities
	// String names the destination in messages, without secrets.
	String() string
}

// Finisher is a Destination that has something to do at the end of a read, for the streams whose rows it has all got.
type Finisher interface {
	// Finish is called before the verdict, for all such streams at once. When that fails it is called for each alone, and an error then fails the
	// stream.
	Finish(ctx context.Context, streams []airbyte.StreamDescriptor) error
}

// LoadError is why a load failed, in the words of the destination.
type LoadError struct {
	Permanent   bool // sending the same rows again cannot help
	Environment bool // the server was not reached, or did not let us in: exit code 3
	Unknown     bool // the answer was lost, or does not say whether the rows were committed
	Message     string
	Cause       error // may be nil
}

// Error is the message and the cause.
func (e *LoadError) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Cause)
}

// Unwrap is the cause.
func (e *LoadError) Unwrap() error { return e.Cause }

// CanPass says that an error of a destination may be gone a little later: it is worth waiting at the start.
func CanPass(err error) bool {
	refusal := AsLoadError(err)
	return refusal != nil && !refusal.Permanent
}

// ErrLoadAborted is in the error of a reader of Rows (errors.Is) when the stream failed or was cancelled: the destination must drop what it got.
var ErrLoadAborted = errors.New("load aborted")

// AsLoadError is the *LoadError in an error; nil when there is none.
func AsLoadError(err error) *LoadError {
	refusal := (*LoadError)(nil)
	if errors.As(err, &refusal) {
		return refusal
	}
	return nil
}

// Resumer is a Destination that can take back rows which came after a state, so that a read that goes on from the state does not bring them twice.
type Resumer interface {
	// Resume is called before the first Load of a read, with the states that the connector was given (none: it starts over): the destination removes the
	// rows that came after them. It holds the sync's lock afterwards. The warnings are for a person to read.
	Resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, given []SavedState) (warnings []string, err error)
}

// Mirrorer is a Destination that must know which states another Journal holds, to be able to resume from them.
type Mirrorer interface {
	// Mirror wraps the journal: the destination notes the states before each of its saves, and confirms them afterwards.
	Mirror(journal Journal) Journal
}

// Committer is a Destination that keeps the states of a sync itself, and commits them together with the rows that they cover: each row is there once,
// whatever is killed when, with a primary key or without. Rows of a table without a key come to it only in loads that bring the state which covers
// them too, at the good end of their stream, or in a load that replaces the table. It is a Mirrorer as well: states that come without rows reach it
// by the journal that Mirror returns.
type Committer interface {
	Destination
	// LoadTogether is Load for several tables whose rows one state covers (GLOBAL, LEGACY): it commits all of them and the states, or nothing. Rows of
	// these loads are complete; their Load.States is nil.
	LoadTogether(ctx context.Context, loads []Load, states []SavedState) error
	// Committed are the states that this sync has committed, as StateKinds leaves them, in no particular order; none before its first commit. It may be
	// asked before Resume.
	Committed(ctx context.Context) ([]SavedState, error)
}

// Noter is a Destination that changes values which its tables cannot take as they are.
type Noter interface {
	// Notes say of each stream what was changed since the session began, in the order in which it was first needed. They may be asked for at any time.
	Notes() []Note
}

// Note is one kind of change to the values of a stream, for people to read.
type Note struct {
	Stream airbyte.StreamDescriptor
	Text   string // names the column and the reason, and holds no value: `column "x": 3 values that are no bigint went to _unmapped_data`
}
