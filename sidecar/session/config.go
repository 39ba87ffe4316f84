package session

import (
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/loader"
	"sync-sidecar/sidecar/shutdown"
)

// Config is what a session needs to know. DefaultConfig fills it; whoever reads it from flags checks it.
type Config struct {
	Command  sidecar.Command
	Identity sidecar.Identity

	StdoutPipe     string // FIFO of the connector's messages
	StderrPipe     string // FIFO of the connector's stderr
	ExitStatusFile string // written by the shim; missing in pods without a shim
	// ConfigUpdateFile is where a changed connector configuration (CONTROL) is kept.
	ConfigUpdateFile string
	// KeepConfig keeps one elsewhere, and returns where; nil keeps it in ConfigUpdateFile.
	KeepConfig func(config []byte) (path string, err error)

	// NewSecrets gets a changed configuration before anything else does, so that its secrets are masked; it may be nil.
	NewSecrets func(config []byte)
	// Watched gets, when the session begins, a function that says how it stands, at any time and from any goroutine; it may be nil.
	Watched func(now func() sidecar.Live)
	// ProgressEvery is the time between two progress events; 0 is none.
	ProgressEvery time.Duration

	// Streams are the configured streams in the order of the catalog, for read.
	Streams []sidecar.StreamConfig
	// Earlier are the states of earlier runs, where this read replaces rows; Start fills it in.
	Earlier []sidecar.SavedState

	Load      loader.Config
	Deadlines Deadlines

	AddMeta           bool // a _jitsu_timestamp in each row, as upstream's ADD_META
	MaxLineBytes      int
	AllowReservedKeys bool // pass on members of rows that the destination takes as instructions (sidecar.ReservedKey)
	RejectNonFinite   bool // fail the stream of a row with NaN or Infinity, instead of repairing the row
	// StreamLimit is how many rows of each stream are wanted; 0 is all. StreamLimitRound is for whoever asks again for the streams that the connector
	// did not come to: a round, from 1, ends where one stream has far more. After the first one it is not known of how many rows a state of all
	// streams is ahead: none is saved.
	StreamLimit      int64
	StreamLimitRound int
	DropLargeFields  bool // null the largest fields of a row over the destination's limit, instead of failing its stream
}

// Deadlines bound every wait of a session (I4).
type Deadlines struct {
	PipeOpen     time.Duration // until the connector opens its ends
	FirstMessage time.Duration // from then to its first message
	Silence      time.Duration // between two signs of life
	Task         time.Duration // the whole session
	Shutdown     time.Duration // from a signal to the end of the process; package shutdown shares it out
	Journal      time.Duration // at the end, for a journal that is away
	Drain        time.Duration // after stdout's end: stderr's end, the exit status
	// AliveOn is what counts as a sign of life.
	AliveOn AliveOn
}

// AliveOn is what counts as a sign of life of a connector.
type AliveOn string

// What can count as a sign of life.
const (
	AliveAny      AliveOn = "any"      // any output
	AliveMessages AliveOn = "messages" // any Airbyte message
	AliveRecords  AliveOn = "records"  // RECORD and STATE only, as Airbyte's platform does
)

// DefaultConfig is a session that needs only its pipes and its streams.
func DefaultConfig() Config {
	return Config{
		StdoutPipe: "/pipes/stdout",
		StderrPipe: "/pipes/stderr",
		Load:       loader.DefaultConfig(),
		Deadlines: Deadlines{PipeOpen: 10 * time.Minute, FirstMessage: time.Hour, Silence: 3 * time.Hour, Task: 48 * time.Hour,
			Shutdown: shutdown.DefaultGrace, Journal: 5 * time.Minute, Drain: 10 * time.Second, AliveOn: AliveAny},
		MaxLineBytes: 64 << 20,
	}
}
