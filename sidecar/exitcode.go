package sidecar

// Exit codes of every mode: documented and stable. A sync that signal n cancelled ends with ExitSignal+n.
const (
	ExitOK          = 0
	ExitFailed      = 1 // the connector or the sync failed
	ExitUsage       = 2 // bad usage or configuration
	ExitEnvironment = 3 // Docker, Postgres, Bulker or the machine failed
	ExitPartial     = 4 // some rows or streams arrived, others did not
	ExitCheckFailed = 5 // check answered FAILED
	ExitTimeout     = 6 // a deadline passed
	ExitSignal      = 128
)

// Signalled is the cause of a context that ended because the process got a signal.
type Signalled struct {
	Number int
	Name   string
}

// Error names the signal.
func (s Signalled) Error() string { return "cancelled by " + s.Name }

// ExitCodeOf is the exit code of a status. environment says that the cause is neither the connector nor its data; signal is the number of the one
// that cancelled the sync.
func ExitCodeOf(status Status, environment bool, signal int) int {
	switch {
	case status == StatusCancelled:
		return ExitSignal + signal
	case status == StatusTimeExceeded:
		return ExitTimeout
	case environment:
		return ExitEnvironment
	case status == StatusSuccess:
		return ExitOK
	case status == StatusPartial:
		return ExitPartial
	default:
		return ExitFailed
	}
}
