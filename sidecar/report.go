package sidecar

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Values of the member "event" in a log line that has a Report in its member "report". With LOG_FORMAT=json whoever started the sidecar (sync-sidecar
// run, a test, a dashboard) reads progress and the outcome from its stderr, one JSON object a line.
const (
	EventProgress = "progress" // about once a second while something changes
	EventReport   = "report"   // the last line of every session that began
)

// Report is what is known of a session: a snapshot while it runs, its outcome at the end.
type Report struct {
	Command Command `json:"command"`
	Status  Status  `json:"status"` // RUNNING until the verdict
	// ExitCode is what the process ends with; meaningful once Status is final.
	ExitCode int `json:"exit_code"`
	// Cause says why Status is not SUCCESS: what failed, why, and what to do.
	Cause string `json:"cause,omitempty"`
	// OutOfMemory says that the connector failed after the kernel had killed a process of its container for want of memory, as exec saw it.
	OutOfMemory bool `json:"out_of_memory,omitempty"`
	// Enough says that all rows came that were wanted while the connector still ran: how that ends says nothing.
	Enough bool `json:"enough,omitempty"`
	// Warnings are what a person should know although it did not change the verdict.
	Warnings []string       `json:"warnings,omitempty"`
	Streams  []StreamReport `json:"streams,omitempty"` // in the order of the catalog
	// Defects counts damaged output of the connector by kind (airbyte.DefectKind, and kinds of package session such as "unknown_stream").
	Defects map[string]int64 `json:"defects,omitempty"`
	// StatesSaved is how many states this run saved in the journal; StatesUnsaved is how many it could not save although their rows are acknowledged.
	StatesSaved   int64 `json:"states_saved"`
	StatesUnsaved int64 `json:"states_unsaved,omitempty"`
	// Result is the spec, the catalog, or the connection status ({"status","message"}) that the connector gave.
	Result json.RawMessage `json:"result,omitempty"`
	// LogLinesNotStored and LogLinesNotShown count lines that the sinks, and stderr, did not take in time.
	LogLinesNotStored int64     `json:"log_lines_not_stored,omitempty"`
	LogLinesNotShown  int64     `json:"log_lines_not_shown,omitempty"`
	Destination       string    `json:"destination,omitempty"`
	StartedAt         time.Time `json:"started_at"`
	Seconds           float64   `json:"seconds"`
}

// StreamReport is one stream of a Report.
type StreamReport struct {
	Stream string `json:"stream"`
	Status Status `json:"status"`
	Rows   int64  `json:"rows"`  // acknowledged by the destination
	Bytes  int64  `json:"bytes"` // of the acknowledged rows, with line feeds
	// Read is the number of rows that the connector sent.
	Read          int64 `json:"read"`
	EstimatedRows int64 `json:"estimated_rows,omitempty"` // by the connector's ESTIMATE; 0 when it gave none
	// RateLimited says that the connector waits because its API limits it, and RateLimitedUntil for how long, where it said so.
	RateLimited      bool       `json:"rate_limited,omitempty"`
	RateLimitedUntil *time.Time `json:"rate_limited_until,omitempty"`

	Error   string           `json:"error,omitempty"`
	Note    string           `json:"note,omitempty"` // what a person should know of a stream that is a success
	Defects map[string]int64 `json:"defects,omitempty"`
	// Limited says that the stream has more rows, and only the first ones were wanted.
	Limited bool `json:"limited,omitempty"`
	// Unfinished says of a stream that is no failure that the next read brings its rows again from the first one, as only some of them were wanted.
	Unfinished bool    `json:"unfinished,omitempty"`
	Seconds    float64 `json:"seconds"` // from its first row or status to its end
}

// Line is the outcome on one line: the verdict, its cause, what was delivered, what was saved and what was not.
func (r Report) Line() string {
	line := fmt.Sprintf("%s %s", r.Command, r.Status)
	if r.Cause != "" {
		line += ": " + r.Cause
	}
	if r.Command != CommandRead || len(r.Streams) == 0 { // of which nothing began
		return line
	}
	var read, delivered int64
	for _, stream := range r.Streams {
		read, delivered = read+stream.Read, delivered+stream.Rows
	}
	line += fmt.Sprintf("; %d of %d rows delivered", delivered, read)
	if r.Destination != "" {
		line += " to " + r.Destination
	}
	line += fmt.Sprintf(", %d states saved", r.StatesSaved)
	if r.StatesUnsaved > 0 {
		line += fmt.Sprintf(", %d not saved: the next run reads their rows again", r.StatesUnsaved)
	}
	return line
}

// Damage is one line about all damaged output of the connector; empty when there was none. The first few of each kind have been logged one by one.
func (r Report) Damage() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Defects)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, r.Defects[kind]))
	}
	if len(parts) == 0 {
		return ""
	}
	return "damaged output of the connector, by kind: " + strings.Join(parts, ", ")
}
