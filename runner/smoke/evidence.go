package smoke

import (
	"encoding/json"
	"fmt"
	"strings"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/recording"
)

// Evidence is what a step brought: its recording, read to the end. It holds no content of a row.
type Evidence struct {
	Step      string
	Recording recording.Recording
	// Failure is why the connector could not be run at all, or was given up; empty when it ended by itself or by our order.
	Failure string
	notRun  bool // the connector's program could not be started
	// Killed says that the connector had to be killed after the order to stop.
	Killed bool

	Specs    []json.RawMessage
	Catalogs []json.RawMessage
	Statuses []airbyte.ConnectionStatus
	Errors   []ErrorTrace
	Stderr   string          // the line of stderr that says best why the connector failed, if it did, masked; empty when there is none
	Config   json.RawMessage // as the connector last changed it; nil when it did not (never shown: I5)

	Damage    map[airbyte.DefectKind]*Seen
	Text      Seen // lines on stdout that are no messages
	Sample    string
	ErrorLogs Seen
	LogBytes  int64 // on stderr, and of LOG messages and text on stdout
	Rows      int64
	RowBytes  int64
	Longest   Line
	Lost      int64 // lines that held, or may have held, a row or a state
	Leaks     []Leak

	// Pace is how many records had come at what time, a bounded number of moments.
	Pace    []Moment
	Streams []*Stream
	Unknown map[string]*Seen // records of streams that were not asked for
	States  []StateLine      // of all streams, in order

	byName map[airbyte.StreamDescriptor]*Stream
}

// Line is a line of stdout.
type Line struct {
	Number int64
	Bytes  int64
}

// ErrorTrace is an ERROR that the connector reported.
type ErrorTrace struct {
	Line    int64
	Message string // masked
	Stream  string
}

// Leak is a secret in the output.
type Leak struct {
	Step, Output string
	Line         int64
}

// Seen counts what was seen, and where at first.
type Seen struct {
	Count int64
	Lines []int64 // of stdout, the first few
}

// shown is how many lines are named.
const shown = 3

func (s *Seen) at(line int64) {
	s.Count++
	if len(s.Lines) < shown {
		s.Lines = append(s.Lines, line)
	}
}

// where says it for people.
func (s *Seen) where() string {
	var lines []string
	for _, line := range s.Lines {
		lines = append(lines, fmt.Sprint(line))
	}
	more := ""
	if s.Count > int64(len(lines)) {
		more = ", …"
	}
	return fmt.Sprintf("%d (stdout line %s%s)", s.Count, strings.Join(lines, ", "), more)
}

// damage is what was seen of a kind of defect; never nil.
func (e *Evidence) damage(kinds ...airbyte.DefectKind) Seen {
	var all Seen
	for _, kind := range kinds {
		if seen := e.Damage[kind]; seen != nil {
			all.Count += seen.Count
			all.Lines = append(all.Lines, seen.Lines...)
		}
	}
	all.Lines = all.Lines[:min(len(all.Lines), shown)]
	return all
}

// exit says how the connector ended; empty when it ended well.
func (e *Evidence) exit() string {
	exit := e.Recording.Exit
	switch {
	case e.Failure != "":
		return e.Failure
	case !exit.Known:
		return "the connector was killed"
	case exit.OutOfMemory:
		return fmt.Sprintf("exit code %d: the connector ran out of memory", exit.Code)
	case exit.Signal != "":
		return fmt.Sprintf("ended by %s (exit code %d)", exit.Signal, exit.Code)
	case exit.Code != 0:
		return fmt.Sprintf("exit code %d", exit.Code)
	}
	return ""
}

// words are what the connector said about its failure, for people; empty when it said nothing.
func (e *Evidence) words() []string {
	var all []string
	for _, trace := range e.Errors[:min(len(e.Errors), shown)] {
		of := ""
		if trace.Stream != "" {
			of = fmt.Sprintf(" of stream %q", trace.Stream)
		}
		all = append(all, fmt.Sprintf("ERROR trace%s on stdout line %d: %s", of, trace.Line, brief(trace.Message)))
	}
	return all
}

// said is how the connector ended, if badly, and what it said about that: on stderr where it reported no ERROR, as a script that crashes does.
func (e *Evidence) said() []string {
	end, words := e.exit(), e.words()
	if end == "" {
		return words
	}
	if len(words) == 0 && e.Failure == "" && e.Stderr != "" {
		words = []string{"stderr: " + brief(e.Stderr)}
	}
	return append([]string{end}, words...)
}

// brief is the first line of a text, and not too much of it.
func brief(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:199]) + "…"
	}
	return text
}

// outcome adds what only the engine knows.
func (e *Evidence) outcome(outcome runner.Outcome) {
	end := outcome.Connector
	exit := &e.Recording.Exit
	e.Killed = !exit.Known && end.Stopped
	exit.OutOfMemory = exit.OutOfMemory || end.OOMKilled
	if !exit.Known && end.Started && e.Recording.Stop == nil {
		exit.Known, exit.Code = true, end.Code
	}
	switch {
	case end.NotRun:
		e.Failure, e.notRun = end.Message, true
	case outcome.ExitCode() != 0 && !exit.OutOfMemory:
		e.Failure = outcome.Cause()
	}
}
