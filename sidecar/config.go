package sidecar

import (
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// Config is what a session needs to know. DefaultConfig fills it, Validate-d by the caller that reads it from flags.
type Config struct {
	Command  Command
	Identity Identity

	StdoutPipe     string // FIFO of the source's messages
	StderrPipe     string // FIFO of the source's stderr
	ExitStatusFile string // written by the shim; absent in pods without it
	// ConfigUpdateFile is where a changed connector configuration (CONTROL) is kept.
	ConfigUpdateFile string

	// NewSecrets is told of a changed configuration before anything else happens, so that its secrets are masked; may be nil.
	NewSecrets func(config []byte)
	// ProgressEvery is the time between two progress events; 0 is none.
	ProgressEvery time.Duration

	// Streams are the configured streams in the order of the catalog, for read.
	Streams []StreamConfig

	Batch     BatchConfig
	Spool     SpoolConfig
	Deadlines Deadlines
	Retry     RetryConfig

	// LoadConcurrency is how many tables load at once; live full refreshes have as many places of their own.
	LoadConcurrency int
	AddMeta         bool // a _jitsu_timestamp in each row, as upstream's ADD_META
	MaxLineBytes    int
	RejectNonFinite bool // a row with NaN or Infinity is lost instead of repaired
	DropLargeFields bool // a row over the destination's limit loses its largest fields instead of failing its stream
	SourceLogLevel  airbyte.Level
}

// StreamConfig is how one stream is delivered.
type StreamConfig struct {
	Table Table
	// Whole says that the stream is delivered as one load that replaces the table (full refresh with overwrite).
	Whole bool
	// ReplaceFirst says that the first load of the run replaces the table and later ones append (a first incremental sync).
	ReplaceFirst bool
}

// BatchConfig is when a batch is closed. A batch also closes earlier when its stream's previous load is done and it is an eighth full.
type BatchConfig struct {
	Rows  int64
	Bytes int64
	Age   time.Duration // since its first row
	// StateAge is how old a batch must be before a STATE alone closes it: a source that sends a state per row must not cause a request per row.
	StateAge time.Duration
}

// SpoolConfig is where rows wait for their acknowledgement.
type SpoolConfig struct {
	Dir     string
	Memory  int64 // bytes kept in memory before the disk is used
	Limit   int64 // bytes on disk; 0 is no limit
	MinFree int64 // bytes of the disk to leave free
}

// Deadlines bound every wait of a session (I4).
type Deadlines struct {
	PipeOpen     time.Duration // until the source opens its ends
	FirstMessage time.Duration // from then to its first message
	Silence      time.Duration // between two signs of life
	Task         time.Duration // the whole session
	Shutdown     time.Duration // from a signal to the end of the process
	Journal      time.Duration // at the end, for a journal that is away
	Drain        time.Duration // after stdout's end: stderr's end, the exit status
	// AliveOn is what counts as a sign of life: AliveAny, AliveMessages or AliveRecords.
	AliveOn AliveOn
}

// AliveOn is what counts as a sign of life of a source.
type AliveOn string

// What can count as a sign of life.
const (
	AliveAny      AliveOn = "any"      // any output
	AliveMessages AliveOn = "messages" // any Airbyte message
	AliveRecords  AliveOn = "records"  // RECORD and STATE only, as Airbyte's platform does
)

// RetryConfig is how a load is repeated whose error may pass.
type RetryConfig struct {
	First time.Duration // before the first repetition
	Max   time.Duration // between two repetitions
	For   time.Duration // after the first error of a load; then its stream fails
}

// DefaultConfig is a session that needs only its pipes and its streams.
func DefaultConfig() Config {
	return Config{
		StdoutPipe: "/pipes/stdout",
		StderrPipe: "/pipes/stderr",
		Batch:      BatchConfig{Rows: 200_000, Bytes: 64 << 20, Age: 30 * time.Second, StateAge: 5 * time.Second},
		Spool:      SpoolConfig{Memory: 24 << 20, MinFree: 256 << 20},
		Deadlines: Deadlines{PipeOpen: 10 * time.Minute, FirstMessage: time.Hour, Silence: 3 * time.Hour, Task: 48 * time.Hour,
			Shutdown: 25 * time.Second, Journal: 5 * time.Minute, Drain: 10 * time.Second, AliveOn: AliveAny},
		Retry:           RetryConfig{First: 500 * time.Millisecond, Max: 30 * time.Second, For: 10 * time.Minute},
		LoadConcurrency: 4,
		MaxLineBytes:    64 << 20,
		SourceLogLevel:  airbyte.LevelInfo,
	}
}
