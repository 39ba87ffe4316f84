package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// answer is the body of every response.
type answer struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error *failure        `json:"error,omitempty"`
	Void  bool            `json:"void,omitempty"` // it was not done, and never will be
}

// failure is an error on its way: its text, and what callers look for in it by errors.Is and errors.As.
type failure struct {
	Text    string   `json:"text"`
	Kinds   []string `json:"kinds,omitempty"`
	Refusal *refusal `json:"refusal,omitempty"`
}

// refusal is a sidecar.LoadError.
type refusal struct {
	Permanent   bool   `json:"permanent"`
	Environment bool   `json:"environment"`
	Unknown     bool   `json:"unknown"`
	Message     string `json:"message"`
	Cause       string `json:"cause,omitempty"`
}

// kinds are the errors that callers look for.
func kinds() map[string]error {
	return map[string]error{
		"locked": sidecar.ErrLocked, "state refused": sidecar.ErrStateRefused, "aborted": sidecar.ErrLoadAborted,
		"cancelled": context.Canceled, "too late": context.DeadlineExceeded,
	}
}

// failureOf packs an error.
func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error()}
	for kind, sentinel := range kinds() {
		if errors.Is(err, sentinel) {
			f.Kinds = append(f.Kinds, kind)
		}
	}
	if found := sidecar.AsLoadError(err); found != nil {
		f.Refusal = &refusal{Permanent: found.Permanent, Environment: found.Environment, Unknown: found.Unknown, Message: found.Message}
		if found.Cause != nil {
			f.Refusal.Cause = found.Cause.Error()
		}
	}
	return f
}

// err unpacks it.
func (f *failure) err() error {
	if f == nil {
		return nil
	}
	e := &hostError{text: f.Text}
	for _, kind := range f.Kinds {
		if sentinel := kinds()[kind]; sentinel != nil {
			e.causes = append(e.causes, sentinel)
		}
	}
	if r := f.Refusal; r != nil {
		found := &sidecar.LoadError{Permanent: r.Permanent, Environment: r.Environment, Unknown: r.Unknown, Message: r.Message}
		if r.Cause != "" {
			found.Cause = errors.New(r.Cause)
		}
		e.causes = append(e.causes, found)
	}
	return e
}

// hostError is an error that a Host told.
type hostError struct {
	text   string
	causes []error
}

// Error is the text as the Host has it.
func (e *hostError) Error() string { return e.text }

// Unwrap is what callers look for.
func (e *hostError) Unwrap() []error { return e.causes }

// stream is an airbyte.StreamDescriptor. What need not be UTF-8 travels as bytes: JSON would change it.
type stream struct {
	Name      []byte `json:"name"`
	Namespace []byte `json:"namespace,omitempty"`
}

func packStream(s airbyte.StreamDescriptor) stream {
	return stream{Name: []byte(s.Name), Namespace: []byte(s.Namespace)}
}

func (s stream) unpack() airbyte.StreamDescriptor {
	return airbyte.StreamDescriptor{Name: string(s.Name), Namespace: string(s.Namespace)}
}

// savedState is a sidecar.SavedState: JSON has no keys but texts.
type savedState struct {
	Key         []byte    `json:"key"`
	Stream      stream    `json:"stream"`
	State       []byte    `json:"state"`
	Covers      []covered `json:"covers,omitempty"`
	Incremental int       `json:"incremental"`
	Sequence    int64     `json:"sequence"`
	SavedAt     time.Time `json:"saved_at"`
}

type covered struct {
	Stream   stream           `json:"stream"`
	Position sidecar.Position `json:"position"`
}

func packStates(states []sidecar.SavedState) []savedState {
	packed := make([]savedState, len(states))
	for i, state := range states {
		packed[i] = savedState{Key: []byte(state.Key), Stream: packStream(state.Stream), State: state.State, Incremental: state.Incremental,
			Sequence: state.Sequence, SavedAt: state.SavedAt}
		for stream, position := range state.Covers {
			packed[i].Covers = append(packed[i].Covers, covered{packStream(stream), position})
		}
	}
	return packed
}

func unpackStates(packed []savedState) []sidecar.SavedState {
	states := make([]sidecar.SavedState, len(packed))
	for i, state := range packed {
		states[i] = sidecar.SavedState{Key: string(state.Key), Stream: state.Stream.unpack(), State: state.State, Incremental: state.Incremental,
			Sequence: state.Sequence, SavedAt: state.SavedAt}
		if len(state.Covers) > 0 {
			states[i].Covers = map[airbyte.StreamDescriptor]sidecar.Position{}
		}
		for _, c := range state.Covers {
			states[i].Covers[c.Stream.unpack()] = c.Position
		}
	}
	return states
}

// resumption are the arguments of Resume.
type resumption struct {
	Catalog airbyte.ConfiguredCatalog `json:"catalog"` // without names and schemas
	Streams []stream                  `json:"streams"` // the names, in its order
	Given   []savedState              `json:"given"`
}

// packResumption leaves schemas out: they may be large, and say nothing about files.
func packResumption(catalog airbyte.ConfiguredCatalog, given []sidecar.SavedState) resumption {
	r := resumption{Given: packStates(given)}
	for _, configured := range catalog.Streams {
		r.Streams = append(r.Streams, packStream(configured.Stream.Descriptor()))
		configured.Stream.Name, configured.Stream.Namespace, configured.Stream.JSONSchema = "", "", nil
		r.Catalog.Streams = append(r.Catalog.Streams, configured)
	}
	return r
}

func (r resumption) unpack() (airbyte.ConfiguredCatalog, []sidecar.SavedState) {
	for i := range min(len(r.Streams), len(r.Catalog.Streams)) {
		name := r.Streams[i].unpack()
		r.Catalog.Streams[i].Stream.Name, r.Catalog.Streams[i].Stream.Namespace = name.Name, name.Namespace
	}
	return r.Catalog, unpackStates(r.Given)
}

// logLine is a sidecar.LogRecord.
type logLine struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Logger  []byte    `json:"logger"`
	Message []byte    `json:"message"`
}

func packLogs(logs []sidecar.LogRecord) []logLine {
	packed := make([]logLine, len(logs))
	for i, log := range logs {
		packed[i] = logLine{Time: log.Time, Level: log.Level, Logger: []byte(log.Logger), Message: []byte(log.Message)}
	}
	return packed
}

func unpackLogs(packed []logLine) []sidecar.LogRecord {
	logs := make([]sidecar.LogRecord, len(packed))
	for i, log := range packed {
		logs[i] = sidecar.LogRecord{Time: log.Time, Level: log.Level, Logger: string(log.Logger), Message: string(log.Message)}
	}
	return logs
}

// result is a sidecar.Result, whose payload is kept as it came.
type result struct {
	Command sidecar.Command `json:"command"`
	Status  sidecar.Status  `json:"status"`
	Payload []byte          `json:"payload,omitempty"`
	Message string          `json:"message,omitempty"`
}

// decode reads a message of the other side.
func decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("understand the other side: %w", err)
	}
	return nil
}
