package airbyte

import (
	"errors"
	"fmt"
	"io"
)

const (
	// defaultMaxLine is Options.MaxLineBytes when that is 0. Rows of more than 50 MB were seen in the field.
	defaultMaxLine = 64 << 20
	// headSize is how many bytes of an oversize line are kept, to tell its stream.
	headSize = 4 << 10
)

// Options of a Reader.
type Options struct {
	// MaxLineBytes is the longest line that is read into memory, in bytes; 0 means 64 MiB. A longer line is read past and reported as
	// DefectOversizeLine.
	MaxLineBytes int
	// RejectNonFinite reports a row that holds NaN or Infinity as lost (DefectNumber). Without it such a number becomes null.
	RejectNonFinite bool
}

// Reader reads the messages on a source's stdout. It never fails on what the source wrote: what is not a message comes as TypeText, and what was lost
// or changed is reported as TypeDefect, beside the messages that could be read. It starts no goroutine.
//
// A line that is one intact RECORD, or a STREAM state with a known prefix, takes the fast road: one pass, no copy, no allocation. Every other JSON
// object goes through accept. A line that is not exactly one JSON object is taken apart (see salvage).
type Reader struct {
	lines   *lines
	options Options

	row        Message // the fast road's row; only Record is ever set
	checkpoint Message // the fast road's state; State points to the next field
	state      State

	envelope envelope
	prefixes prefixCache
	names    [2][]byte // buffers for a stream name and a namespace with escapes

	line    line      // the current line
	salvage salvage   // of the current line, when it is taken apart
	queue   []Message // the messages of the current line; those before next were returned
	next    int

	repair repair
	group  group
	torn   bool // the previous line ended within a broken message

	noRow int64 // the last line of which only messages other than rows were lost
}

// NewReader returns a Reader of r. It reads from r only during Next, in pieces of up to 1 MiB.
func NewReader(r io.Reader, o Options) *Reader {
	if o.MaxLineBytes <= 0 {
		o.MaxLineBytes = defaultMaxLine
	}
	return &Reader{lines: newLines(r, o.MaxLineBytes, headSize), options: o, row: Message{Type: TypeRecord}, checkpoint: Message{Type: TypeState}}
}

// Lines is the number of lines read so far, blank lines included.
func (r *Reader) Lines() int64 { return r.lines.number }

// Bytes is the number of bytes read so far.
func (r *Reader) Bytes() int64 { return r.lines.bytes }

// Buffered says whether Next would return without reading from the source's pipe.
func (r *Reader) Buffered() bool {
	return r.next < len(r.queue) || r.salvage.open || r.lines.ready() || r.lines.err != nil
}

// Next returns the next message, which is valid until the next call of Next. At the end of the output it returns io.EOF. Any other error comes from
// the underlying reader as it is; after one that passes, such as a deadline, Next can be called again, and nothing is lost.
func (r *Reader) Next() (*Message, error) {
	for {
		if r.next < len(r.queue) {
			r.next++
			return &r.queue[r.next-1], nil
		}
		r.queue, r.next = r.queue[:0], 0
		if r.salvage.open {
			r.salvageNext()
			continue
		}
		var err error
		if r.line, err = r.lines.next(); err != nil {
			return nil, err
		}
		end, p := r.prefixes.scan(&r.envelope, r.line.text)
		if end < 0 || r.line.over || !r.endsAt(end) {
			r.startSalvage(end)
			continue
		}
		r.torn = false
		if r.fastRow() {
			return &r.row, nil
		}
		if r.fastState(p) {
			return &r.checkpoint, nil
		}
		r.accept(r.line.text, span{0, end}, false)
	}
}

// endsAt says whether only white space follows index i on the current line.
func (r *Reader) endsAt(i int) bool {
	b := r.line.text
	return skipSpace(b, i) == len(b)-1-padding
}

// fastRow fills r.row from the current line; false when the line is not a RECORD, or one that needs more than the envelope holds.
func (r *Reader) fastRow() bool {
	b, e := r.line.text, &r.envelope
	if string(e.kind.in(b)) != string(TypeRecord) || e.record.stream.absent() || e.record.data.absent() || !e.record.meta.absent() {
		return false
	}
	r.fillRow(&r.row.Record, b)
	return true
}

// fastState fills r.checkpoint from the current line; false when the line is not a STREAM state, or its stream is not the one that its prefix names.
func (r *Reader) fastState(p *prefix) bool {
	b, e := r.line.text, &r.envelope
	if p == nil || string(e.kind.in(b)) != string(TypeState) || string(e.state.scope.in(b)) != `"STREAM"` ||
		e.state.name != p.envelope.state.name || e.state.namespace != p.envelope.state.namespace || (value{b, e.state.name}).kind() != '"' {
		return false
	}
	r.state = State{Type: StateStream, Stream: p.stream, StreamState: value{b, e.state.state}.raw(), RecordCount: e.state.recordCount(b)}
	r.checkpoint.State = &r.state
	return true
}

// fillRow fills all of the record from the envelope but Changes.
func (r *Reader) fillRow(record *Record, b []byte) {
	e := &r.envelope.record
	record.Stream = unescape(r.names[0], e.stream.in(b))
	record.Namespace = unescape(r.names[1], e.namespace.in(b))
	if len(record.Stream) < e.stream.j-e.stream.i { // it had escapes: keep the buffer, which may have grown
		r.names[0] = record.Stream
	}
	if len(record.Namespace) < e.namespace.j-e.namespace.i {
		r.names[1] = record.Namespace
	}
	record.Data = e.data.in(b)
	record.EmittedAt = integer(e.emittedAt.in(b))
	record.File = e.file || e.reference
}

// accept queues what the scanned object at b[at.i:at.j] has to say. With strict it takes only an intact message of the protocol, and returns
// whether it did.
func (r *Reader) accept(b []byte, at span, strict bool) bool {
	kind := r.envelope.messageType(b)
	if kind == TypeRecord {
		return r.acceptRecord(b, strict)
	}
	object := value{b, at}
	m := Message{Type: kind}
	var err error
	if kind == TypeState {
		m.State, err = r.envelope.state.decode(b)
	} else {
		err = m.decode(kind, object)
	}
	switch {
	case err == nil:
		r.push(m)
	case strict:
		return false
	case errors.Is(err, errNotAirbyte):
		r.acceptOther(object, kind)
	default:
		r.defect(Defect{Kind: DefectPayload, Type: kind, Lost: mayBeRow(kind), State: kind == TypeState, Detail: err.Error()})
	}
	return true
}

func (r *Reader) acceptRecord(b []byte, strict bool) bool {
	e := &r.envelope.record
	needed := ""
	switch {
	case !e.seen:
		needed = "record"
	case e.stream.absent():
		needed = "record.stream"
	case e.data.absent() && !e.file && !e.reference:
		needed = "record.data"
	default:
		m := Message{Type: TypeRecord}
		if r.fillRow(&m.Record, b); e.data.absent() {
			m.Record.Data = []byte("{}")
		}
		m.Record.Changes = changes(value{b, e.meta})
		r.push(m)
		return true
	}
	if strict {
		return false
	}
	d := Defect{Kind: DefectPayload, Type: TypeRecord, Lost: true, Detail: missing(needed).Error()}
	d.Stream, d.Known = r.envelope.descriptor(b)
	r.defect(d)
	return true
}

// changes are the source's own notes in record.meta.
func changes(meta value) []Change {
	var list []Change
	for c := range meta.member("changes").elements() {
		list = append(list, Change{Field: c.member("field").text(), Change: c.member("change").text(), Reason: c.member("reason").text()})
	}
	return list
}

// acceptOther queues what a JSON object that is not a message of the protocol has to say: a log line of another kind, a wrapped message, or prose. Of
// a message of an unknown type it reports only the type, because the content may be a row's.
func (r *Reader) acceptOther(object value, kind Type) {
	if inner := embedded(object); !inner.absent() && r.envelope.scan(object.line, inner.i) > 0 {
		if r.accept(object.line, inner.span, true) {
			return
		}
		kind = r.envelope.messageType(object.line)
	}
	log, isLog := jsonLog(object)
	switch {
	case !object.member("record").absent():
		r.defect(Defect{Kind: DefectPayload, Type: TypeRecord, Lost: true, Detail: "a record in a message of no known type"})
	case isLog:
		r.push(Message{Type: TypeText, Log: &log})
	case knownType(kind): // a wrapped message without the payload that its type needs
		r.defect(Defect{Kind: DefectPayload, Type: kind, Lost: mayBeRow(kind), State: kind == TypeState,
			Detail: missing("the payload of a " + string(kind)).Error()})
	case kind != "":
		r.defect(Defect{Kind: DefectUnknownType, Detail: unknownType(kind)})
	case messagePart(object.raw()):
		r.defect(Defect{Kind: DefectPayload, Lost: true, Detail: missing("type").Error()})
	default:
		r.prose(object.raw(), !r.salvage.open)
	}
}

// prose queues text for people. When the text is a whole line, the lines that continue it join it, as far as they are buffered: it does not wait.
func (r *Reader) prose(text []byte, wholeLine bool) {
	log := r.group.start(plain(text, maxLog), r.line.number)
	if wholeLine {
		log = r.group.read(r.lines)
	}
	r.push(Message{Type: TypeText, Log: &log})
}

func (r *Reader) push(m Message) { r.queue = append(r.queue, m) }

// defect queues a report, and fills in the number and the length of the current line.
func (r *Reader) defect(d Defect) {
	d.Line, d.Bytes = r.line.number, r.line.size
	r.push(Message{Type: TypeDefect, Defect: &d})
}

// unknownType says what a type is that the protocol does not have.
func unknownType(kind Type) string {
	switch kind {
	case "SCHEMA", "ACTIVATE_VERSION": // singer-io/getting-started, SPEC.md
		return fmt.Sprintf("message type %q is one of Singer's: is this a Singer tap, and no Airbyte connector?", kind)
	default:
		return fmt.Sprintf("message type %q is unknown", name(string(kind)))
	}
}
