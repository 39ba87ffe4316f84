package runner

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"time"

	"sync-sidecar/sidecar"
)

// Event is something to show while a task runs: a report of the sidecar, what the connector uses of its machine, or else a line for people.
type Event struct {
	Report *sidecar.Report
	Usage  *Usage
	Log    Line
}

// Usage is what a connector uses of its machine.
type Usage struct {
	Memory      int64   `json:"memory_bytes"`
	MemoryLimit int64   `json:"memory_limit_bytes,omitempty"` // 0 when it is the machine's
	CPUs        float64 `json:"cpus"`                         // how many it keeps busy
}

// Line is a log line. Level is a word of sidecar.LogRecord, in capitals.
type Line struct {
	Time    time.Time
	Level   string
	Logger  string // "sidecar", the connector's package, or "run" for what the engine says itself
	Message string
}

// Loggers: of the sidecar's own lines, and of the engine's.
const (
	sidecarLogger = "sidecar"
	runLogger     = "run"
)

// Note is a line of the engine itself.
func Note(level, message string) Event {
	return Event{Log: Line{Time: time.Now(), Level: level, Logger: runLogger, Message: message}}
}

// EachLine hands each line to line, without its line feed and unless it is empty, until the end of reader or an error. A line may be long (a report
// holds a whole catalog), so there is no limit but memory.
func EachLine(reader io.Reader, line func([]byte)) {
	buffered := bufio.NewReader(reader)
	for {
		read, err := buffered.ReadBytes('\n')
		if read = bytes.TrimSuffix(read, []byte("\n")); len(read) > 0 {
			line(read)
		}
		if err != nil {
			return
		}
	}
}

// ParseLine reads one line of the sidecar's stderr (LOG_FORMAT=json). A line that is not one of its JSON objects, such as a crash, becomes an
// ERROR line as it stands: the one thing that must not happen to it is to vanish.
func ParseLine(line []byte) (Event, bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return Event{}, false
	}
	var parsed struct {
		Event   string          `json:"event"`
		Report  *sidecar.Report `json:"report"`
		Level   string          `json:"level"`
		Time    time.Time       `json:"time"`
		Logger  string          `json:"logger"`
		Message string          `json:"message"`
	}
	if err := json.Unmarshal(line, &parsed); err != nil {
		return Event{Log: Line{Time: time.Now(), Level: "ERROR", Logger: sidecarLogger, Message: string(line)}}, true
	}
	if parsed.Report != nil && (parsed.Event == sidecar.EventProgress || parsed.Event == sidecar.EventReport) {
		return Event{Report: parsed.Report}, true
	}
	level := string(bytes.ToUpper([]byte(parsed.Level)))
	if level == "" {
		level = "INFO"
	}
	if parsed.Logger == "" {
		parsed.Logger = sidecarLogger
	}
	return Event{Log: Line{Time: parsed.Time, Level: level, Logger: parsed.Logger, Message: parsed.Message}}, true
}
