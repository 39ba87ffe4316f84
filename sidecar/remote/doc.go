// Package remote is the local folder of another machine: the Destination and the Journal of a sidecar that runs where nobody sees the caller's files.
//
// The machine that has the folder keeps it by a Host, which calls package local; the sidecar uses it by a Folder. Between them is one connection,
// which whoever runs the sidecar makes: through an Engine's exec, for example, to a Unix socket that the sidecar listens at. On it they speak
// HTTP/2, with the Folder as the client: calls go side by side, rows stream in the body of their load, and pings find a connection that died.
//
// A connection that broke is made again by whoever made it. Calls wait for that, and are sent again with the same number: the Host does each once,
// and remembers its answer. When nobody comes back, the folder is gone, and with it the lock of the sync: every call fails.
//
// Rows are in the folder when their load is acknowledged, and a state is saved only afterwards (I1), so that whatever is killed, on whichever side,
// leaves the folder as a local run would.
package remote

import "time"

// Headers of a call, and trailers of a load.
const (
	headerClient = "Sync-Client" // who calls: numbers are its own
	headerNumber = "Sync-Number" // of the call; the same when it is sent again
	headerOldest = "Sync-Oldest" // the lowest number whose answer somebody may still ask for
	headerWithin = "Sync-Within" // how long the caller has time for it; a duration, since clocks differ

	trailerRows  = "Sync-Rows"
	trailerBytes = "Sync-Bytes"
)

// The calls, by their paths.
const (
	callHello       = "hello"
	callLock        = "lock"
	callResume      = "resume"
	callLoad        = "load"
	callFinish      = "finish"
	callLoadStates  = "load-states"
	callSaveStates  = "save-states"
	callNote        = "note-states"
	callConfirm     = "confirm-states"
	callSaveResult  = "save-result"
	callSaveTask    = "save-task"
	callFinishTask  = "finish-task"
	callLogs        = "append-logs"
	callInterrupted = "interrupted"
	callSpec        = "load-spec"
	callConfig      = "keep-config"
	callSettle      = "settle"
	callClose       = "close"
)

const (
	// pingEvery and pingWait find out within this time that the other side of a silent connection is gone.
	pingEvery = 10 * time.Second
	pingWait  = 10 * time.Second
	// comeBack is how long a Folder waits for a new connection, and firstCome for the first one.
	comeBack  = 30 * time.Second
	firstCome = time.Minute
	// settleTime is how long the end of a load that was given up may be waited for.
	settleTime = 5 * time.Second
	// closeTime is how long the connection may be waited for at the end.
	closeTime = 2 * time.Second
	// sendings is how often a call is sent at most.
	sendings = 8
)

// loading is the first line of a load's body; the rows follow.
type loading struct {
	Stream     stream     `json:"stream"`
	PrimaryKey [][]string `json:"primary_key,omitempty"`
	Mode       int        `json:"mode"`
}
