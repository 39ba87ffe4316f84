package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// DataType is the type of a declared column, numbered as Bulker's X-Jitsu-Schema header numbers it (bulkerlib/types/datatype.go).
type DataType int

// The data types of Bulker.
const (
	Bool      DataType = 1
	Int64     DataType = 2
	Float64   DataType = 3
	String    DataType = 4
	Timestamp DataType = 5
	JSON      DataType = 6
)

// Field is a declared column of a table.
type Field struct {
	Name string
	Type DataType
}

// Table is what the rows of one stream become at the destination.
type Table struct {
	Stream     airbyte.StreamDescriptor
	Name       string   // with prefix and namespace folded in; at most 63 bytes
	PrimaryKey []string // flattened column names; empty without a key
	Fields     []Field  // declared columns; may be empty
}

// LoadMode is what a load does to the rows that the table already holds.
type LoadMode int

// The modes of a load.
const (
	// LoadAppend adds the rows; with a primary key it merges them, the last row of a key wins.
	LoadAppend LoadMode = iota
	// LoadReplace makes the rows the whole content of the table, atomically when the load ends; until then, and when it
	// fails, the table is as it was (I6).
	LoadReplace
)

// Load is one delivery of rows into a table.
type Load struct {
	Table Table
	Mode  LoadMode
	// Whole says that the rows are all that the read brings of the stream: nobody may see, or be left with, a part of them (I6).
	Whole bool
	Rows  Rows
}

// Rows are the rows of a load: NDJSON, one compact object and a line feed each. They can be read again until the load is acknowledged.
type Rows interface {
	// Open reads from the first byte. While rows are still being added (a live load) Read blocks for more. An error other than io.EOF means
	// that the rows are not complete and the load must not be committed. Cancelling ctx unblocks Read.
	Open(ctx context.Context) (io.ReadCloser, error)
	// Count is the number of rows; final once a reader saw io.EOF.
	Count() int64
	// Size is the number of bytes; final once a reader saw io.EOF.
	Size() int64
	// Complete says whether no more rows will be added.
	Complete() bool
}

// Limits are what a destination can take.
type Limits struct {
	RowBytes int           // longest row without its line feed; 0 is no limit
	LiveFor  time.Duration // how long one load may stay open; 0 is no limit
	// ReplaceEmpty says that a LoadReplace without rows empties the table. Bulker answers 200 to it and keeps the table.
	ReplaceEmpty bool
}

// Destination takes rows. Loads of different tables may run at once, loads of one table never do.
type Destination interface {
	// Load delivers one batch. A nil error means that the destination holds every row durably (I1). After an error the same load may be
	// given again, unless errors.As finds a *LoadError that is Permanent.
	Load(ctx context.Context, load Load) error
	// Limits of this destination.
	Limits() Limits
	// String names the destination in messages, without secrets.
	String() string
}

// Finisher is a Destination that has something to do at the end of a read, for the streams whose rows are all there.
type Finisher interface {
	// Finish is called before the verdict, for all streams at once, and when that fails for each alone: its error then fails the stream.
	Finish(ctx context.Context, streams []airbyte.StreamDescriptor) error
}

// LoadError is a refusal by a destination, in its own words.
type LoadError struct {
	Permanent   bool // sending the same rows again cannot help
	Environment bool // the server was not reached, or did not let us in: exit code 3
	Unknown     bool // the connection was lost after the last row: the rows may have been committed
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

// ErrLoadAborted is what a reader of Rows returns when the stream failed or was cancelled: the destination must drop what it got.
var ErrLoadAborted = errors.New("load aborted")

// asLoadError is the refusal inside an error; nil when there is none.
func asLoadError(err error) *LoadError {
	refusal := (*LoadError)(nil)
	if errors.As(err, &refusal) {
		return refusal
	}
	return nil
}
