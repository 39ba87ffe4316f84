package sidecar

import "time"

// Live is what is known of a session at a moment, for whoever watches it while it runs.
type Live struct {
	Report Report
	// Loads are by stream, in the order of Report.Streams.
	Loads []StreamLoads
	// LastOutput is when the connector last said anything; LastState is when a state was last saved. Both are zero before the first time.
	LastOutput, LastState time.Time
}

// StreamLoads is what has become of the loads of one stream.
type StreamLoads struct {
	Batches  int64         // that were acknowledged
	Attempts int64         // at loads, good ones and bad ones
	Failures int64         // attempts that failed
	Time     time.Duration // that attempts took, together
	Waiting  int           // batches that wait for their acknowledgement
}
