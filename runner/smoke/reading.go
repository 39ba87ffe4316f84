package smoke

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/cause"
	"sync-sidecar/sidecar/recording"
	"sync-sidecar/sidecar/secret"
)

// reading turns a recording into evidence.
type reading struct {
	*Evidence
	masker  *secret.Masker
	watcher *watcher
	since   int64   // records of all streams since the last GLOBAL or LEGACY state
	ends    []int64 // where each line of stdout ends, in bytes
	line    int64   // that is read now
	stderr  cause.Tail
}

// readEvidence reads the recording in dir. The configured streams are those that the connector was asked for; masker knows the secrets of the run,
// watcher those that must not be in the output.
func readEvidence(step, dir string, configured []airbyte.ConfiguredStream, masker *secret.Masker, watcher *watcher,
	samples bool) (*Evidence, error) {
	summary, err := recording.Read(dir)
	if err != nil {
		return nil, err
	}
	e := &Evidence{Step: step, Recording: summary, Damage: map[airbyte.DefectKind]*Seen{}, Unknown: map[string]*Seen{},
		byName: map[airbyte.StreamDescriptor]*Stream{}}
	r := &reading{Evidence: e, masker: masker, watcher: watcher}
	for _, stream := range configured {
		added := newStream(stream, samples)
		e.Streams, e.byName[added.Descriptor] = append(e.Streams, added), added
	}
	stdout, err := recording.Output(dir, recording.StdoutFile)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	for _, output := range []string{recording.StdoutFile, recording.StderrFile} {
		if err := r.lines(dir, output); err != nil {
			return nil, err
		}
	}
	e.Stderr = cmp.Or(r.stderr.Cause(), r.stderr.LastLine())
	if err := r.messages(stdout); err != nil {
		return nil, err
	}
	e.LogBytes += summary.StderrBytes
	if summary.Enough {
		for _, stream := range e.Streams {
			stream.Cut = r.cut(stream)
		}
	}
	return e, nil
}

// cut says whether the order to stop came before the end of a stream.
func (r *reading) cut(s *Stream) bool {
	last := len(s.Statuses) - 1
	if last < 0 || !isEnd(s.Statuses[last].Status) {
		return true
	}
	stop, line := r.Recording.Stop, int(s.Statuses[last].Line)
	return s.Statuses[last].Status == airbyte.StreamIncomplete && stop != nil && line <= len(r.ends) && r.ends[line-1] > stop.Bytes
}

func (r *reading) messages(stdout io.Reader) error {
	reader := airbyte.NewReader(stdout, airbyte.Options{})
	for {
		message, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the recording: %w", err)
		}
		r.line = reader.Lines()
		r.take(r.line, message)
	}
}

// take sorts a message.
func (r *reading) take(line int64, m *airbyte.Message) {
	switch m.Type {
	case airbyte.TypeRecord:
		r.record(line, &m.Record)
	case airbyte.TypeState:
		r.state(line, m.State)
	case airbyte.TypeTrace:
		r.trace(line, m.Trace)
	case airbyte.TypeSpec:
		r.Specs = append(r.Specs, clone(m.Spec))
	case airbyte.TypeCatalog:
		r.Catalogs = append(r.Catalogs, clone(m.Catalog))
	case airbyte.TypeConnectionStatus:
		r.Statuses = append(r.Statuses, *m.ConnectionStatus)
	case airbyte.TypeControl:
		r.Config = clone(m.Control.Config)
		r.masker.Add(secret.FromConfig(r.Config, nil)...)
	case airbyte.TypeLog:
		r.LogBytes += int64(len(m.Log.Message))
		if m.Log.Level == airbyte.LevelError || m.Log.Level == airbyte.LevelFatal {
			r.ErrorLogs.at(line)
		}
	case airbyte.TypeText:
		r.LogBytes += int64(len(m.Log.Message))
		r.text(line, m.Log.Message)
	case airbyte.TypeDefect:
		r.defect(line, m.Defect)
	}
}

func clone(raw json.RawMessage) json.RawMessage { return append(json.RawMessage(nil), raw...) }

func (r *reading) text(line int64, text string) {
	if strings.TrimSpace(text) == "{}" { // a message of any type without its payload
		r.defect(line, &airbyte.Defect{Kind: airbyte.DefectPayload})
		return
	}
	if r.Sample == "" {
		r.Sample = brief(r.masker.Mask(text))
	}
	r.Text.at(line)
}

func (r *reading) defect(line int64, d *airbyte.Defect) {
	seen := r.Damage[d.Kind]
	if seen == nil {
		seen = &Seen{}
		r.Damage[d.Kind] = seen
	}
	seen.at(line)
	if d.Kind == airbyte.DefectPayload || d.Kind == airbyte.DefectUnknownType || !d.Lost && !d.State {
		return
	}
	r.Lost++
	if d.Known {
		if stream := r.find(d.Stream); stream != nil {
			stream.Lost++
		}
	}
}

func (r *reading) trace(line int64, t *airbyte.Trace) {
	switch {
	case t.Error != nil:
		found := ErrorTrace{Line: line, Message: r.masker.Mask(t.Error.Message)}
		if t.Error.Stream != nil {
			found.Stream = t.Error.Stream.String()
		}
		r.Errors = append(r.Errors, found)
	case t.StreamStatus != nil:
		if stream := r.find(t.StreamStatus.Stream); stream != nil {
			stream.Statuses = append(stream.Statuses, StatusLine{line, r.at(), t.StreamStatus.Status})
		}
	}
}

// at is when what was read last came, in seconds.
func (r *reading) at() float64 {
	if at := int(r.line) - 1; at >= 0 && at < len(r.ends) {
		return r.Recording.At(r.ends[at])
	}
	return r.Recording.LastOutput
}

// find is the configured stream that a message means: by name alone where only one has it, since some messages carry no namespace.
func (r *reading) find(d airbyte.StreamDescriptor) *Stream {
	if found := r.byName[d]; found != nil {
		return found
	}
	var found *Stream
	for _, stream := range r.Streams {
		if stream.Descriptor.Name == d.Name {
			if found != nil {
				return nil
			}
			found = stream
		}
	}
	if found != nil {
		r.byName[d] = found
	}
	return found
}

// Moment is how many records had come so many seconds after the start.
type Moment struct {
	Seconds float64
	Records int64
}

// moments bounds the pace.
const moments = 200

// pace notes the records that have come by now.
func (r *reading) pace() {
	now := Moment{r.at(), r.Rows}
	if last := len(r.Pace) - 1; last >= 0 && now.Seconds-r.Pace[last].Seconds < r.Recording.Seconds/moments {
		r.Pace[last].Records = now.Records
		return
	}
	r.Pace = append(r.Pace, now)
}
