package smoke

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"sync-sidecar/runner/schema"
	"sync-sidecar/runner/shape"
	"sync-sidecar/sidecar/airbyte"
)

// Stream is what a read brought of one stream.
type Stream struct {
	Descriptor airbyte.StreamDescriptor
	Configured airbyte.ConfiguredStream
	Rows       int64
	Bytes      int64
	Lost       int64 // lines that held, or may have held, a row or a state of it
	// Cut says that the limit ended the reading of it: what it says after the order to stop is of no account.
	Cut      bool
	Statuses []StatusLine
	States   []StateLine
	Fields   shape.Fields
	// First and Last are when its first and last record came, in seconds.
	First, Last float64

	Misfits    map[schema.Problem]*Seen
	Undeclared map[string]*Seen
	KeyNull    Seen // records without a value of the primary key
	KeyRepeat  Seen // records whose key an earlier one had
	CursorNull Seen
	EmittedAt  Seen // records whose emitted_at is missing or no time in milliseconds
	NUL        Seen // records with what Postgres cannot store in a text
	Files      Seen
	Long       Seen // records longer than Bulker takes
	NotShapes  Seen // records that could not be decoded; cannot be

	samples  bool
	compiled *schema.Schema
	declared schema.Object
	key      [][]string
	cursor   []string
	keys     map[string][16]byte // the digest of the last record of each
	rows     []row               // in order, a bounded number of them
	lines    []int64             // of the rows, a bounded number of them
	since    int64
	cursors  map[string]bool
}

// row is what is remembered of a record to tell it from others.
type row struct {
	key    string // the values of the primary key; the digest where there is none
	digest [16]byte
	cursor string
}

// StatusLine is a status of a stream.
type StatusLine struct {
	Line    int64
	Seconds float64
	Status  airbyte.StreamStatus
}

// StateLine is a STATE message.
type StateLine struct {
	Line     int64
	Seconds  float64
	State    airbyte.State
	Rows     int64   // records of its scope before it
	Since    int64   // records of its scope between the last state and this one
	Lost     int64   // lines that were lost before it, which may have been records
	Count    float64 // sourceStats.recordCount; negative without
	Repeated bool    // the one before of its scope says the same, and no record lies between
	Late     bool    // its stream had said COMPLETE or INCOMPLETE
	Odd      bool    // it holds what Postgres cannot store
}

// remembered bounds the rows of a stream that are remembered.
const remembered = 100_000

func newStream(configured airbyte.ConfiguredStream, samples bool) *Stream {
	s := &Stream{Descriptor: configured.Stream.Descriptor(), Configured: configured, Fields: shape.Fields{}, Misfits: map[schema.Problem]*Seen{},
		Undeclared: map[string]*Seen{}, keys: map[string][16]byte{}, cursors: map[string]bool{}, key: configured.Key(),
		samples: samples}
	if configured.SyncMode == airbyte.Incremental {
		s.cursor = configured.Cursor()
	}
	// A schema that does not compile is discover's fault, and told there.
	if compiled, err := schema.Compile(configured.Stream.JSONSchema); err == nil {
		s.compiled = compiled
	}
	if document, err := schema.Decode(configured.Stream.JSONSchema); err == nil {
		s.declared = schema.Of(document)
	}
	// So is a key or a cursor that the schema does not name.
	if !s.knows(s.key...) {
		s.key = nil
	}
	if !s.knows(s.cursor) {
		s.cursor = nil
	}
	return s
}

// knows says whether the schema names these fields, or no fields at all.
func (s *Stream) knows(paths ...[]string) bool {
	return len(s.declared.Properties()) == 0 || !slices.ContainsFunc(paths, func(path []string) bool { return s.declared.At(path) == nil })
}

// Incremental says whether it was read incrementally.
func (s *Stream) Incremental() bool { return s.Configured.SyncMode == airbyte.Incremental }

// Schema is its schema, decoded; nil when it is none.
func (s *Stream) Schema() schema.Object { return s.declared }

// ended is its last status; empty when it had none.
func (s *Stream) ended() airbyte.StreamStatus {
	if len(s.Statuses) == 0 {
		return ""
	}
	return s.Statuses[len(s.Statuses)-1].Status
}

// The bounds of emitted_at that make sense as milliseconds: from 2000 to 2100. Seconds and microseconds lie outside.
const (
	earliest = 946_684_800_000
	latest   = 4_102_444_800_000
)

// bulkerLine is the longest row that Bulker takes, in bytes (bufio.Scanner in bulkerapp/app/router.go).
const bulkerLine = 1_048_575

// record takes one record.
func (r *reading) record(line int64, record *airbyte.Record) {
	r.Rows++
	r.RowBytes += int64(len(record.Data))
	r.since++
	stream := r.find(airbyte.StreamDescriptor{Name: string(record.Stream), Namespace: string(record.Namespace)})
	if stream == nil {
		name := airbyte.StreamDescriptor{Name: string(record.Stream), Namespace: string(record.Namespace)}.String()
		if r.Unknown[name] == nil {
			r.Unknown[name] = &Seen{}
		}
		r.Unknown[name].at(line)
		return
	}
	if stream.Last = r.at(); stream.Rows == 0 {
		stream.First = stream.Last
	}
	stream.take(line, record)
	r.pace()
}

func (s *Stream) take(line int64, record *airbyte.Record) {
	s.Rows++
	s.since++
	s.Bytes += int64(len(record.Data))
	if record.EmittedAt < earliest || record.EmittedAt > latest {
		s.EmittedAt.at(line)
	}
	if record.File {
		s.Files.at(line)
	}
	if len(record.Data) > bulkerLine {
		s.Long.at(line)
	}
	if unstorable(record.Data) {
		s.NUL.at(line)
	}
	decoded, err := schema.Decode(record.Data)
	object, is := decoded.(map[string]any)
	if err != nil || !is {
		s.NotShapes.at(line)
		return
	}
	if s.compiled != nil {
		for _, problem := range s.compiled.Check(decoded) {
			see(s.Misfits, problem, line)
		}
	}
	s.fields(line, object)
	s.remember(line, object)
}

func see[K comparable](all map[K]*Seen, key K, line int64) {
	if all[key] == nil {
		all[key] = &Seen{}
	}
	all[key].at(line)
}

// fields notes the shapes of the values, and the fields that the schema does not name.
func (s *Stream) fields(line int64, object map[string]any) {
	properties := s.declared.Properties()
	for name := range object {
		if _, known := properties[name]; !known && len(properties) > 0 && s.declared["patternProperties"] == nil {
			see(s.Undeclared, name, line)
		}
	}
	s.Fields.Take(object, s.samples)
}

// remember notes the key, the cursor and the digest of a record.
func (s *Stream) remember(line int64, object map[string]any) {
	canonical, err := json.Marshal(object) // its keys are sorted
	if err != nil {
		return
	}
	sum := sha256.Sum256(canonical)
	one := row{digest: [16]byte(sum[:16])}
	one.key = fmt.Sprintf("%x", one.digest)
	if len(s.key) > 0 {
		key, null := s.keyOf(object)
		switch {
		case null:
			s.KeyNull.at(line)
		case s.repeats(key, one.digest):
			s.KeyRepeat.at(line)
		}
		one.key = key
		s.keys[key] = one.digest
	}
	if len(s.cursor) > 0 {
		value := lookUp(object, s.cursor)
		if value == nil {
			s.CursorNull.at(line)
		}
		one.cursor = fmt.Sprint(value)
		if len(s.cursors) < remembered {
			s.cursors[one.cursor] = true
		}
	}
	if len(s.rows) < remembered {
		s.rows, s.lines = append(s.rows, one), append(s.lines, line)
	}
}

// repeats says whether a key was there before. Of an incremental stream a record may come again in a newer version.
func (s *Stream) repeats(key string, digest [16]byte) bool {
	before, known := s.keys[key]
	return known && (!s.Incremental() || before == digest)
}

func (s *Stream) keyOf(object map[string]any) (key string, null bool) {
	values := make([]any, len(s.key))
	for i, path := range s.key {
		values[i] = lookUp(object, path)
		null = null || values[i] == nil
	}
	text, err := json.Marshal(values)
	return string(text), null || err != nil
}

func lookUp(value any, path []string) any {
	for _, name := range path {
		object, is := value.(map[string]any)
		if !is {
			return nil
		}
		value = object[name]
	}
	return value
}
