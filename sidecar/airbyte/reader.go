package airbyte

import (
	"errors"
	"fmt"
	"io"
)

const (
	// defaultMaxLine is Options.MaxLineBytes when that is 0. Rows of more than 50 MB were seen in the field.
	defaultMaxLine = 64 << 20
	// headSize is how much of an oversize line is kept, to tell its stream.
	headSize = 4 << 10
)

// Options of a Reader.
type Options struct {
	// MaxLineBytes is the longest line that is read into memory; 0 means 64 MiB. A longer one is drained and reported as DefectOversizeLine.
	MaxLineBytes int
	// RejectNonFinite loses a row that holds NaN or Infinity (a lost DefectNumber) instead of making the number null.
	RejectNonFinite bool
}

// Reader reads the messages on a source's stdout. It never fails on what the source wrote: whatever is not a message comes as TypeText, whatever
// was lost or changed as TypeDefect, beside the messages that could be read. It starts no goroutine.
//
// A line that is one intact RECORD takes the fast road: one pass over it, no copy, no allocation. Every other line goes through accept, and those
// that are not exactly one JSON object through the salvage (see wreck).
type Reader struct {
	lines   *lines
	options Options

	row        Message // of the fast road; no member but Record is ever set
	checkpoint Message // of the fast road; a state
	state      State   // likewise

	envelope envelope
	openings openings
	names    [2][]byte // unescaped stream and namespace

	line  line      // the current one
	wreck wreck     // the line that is being taken apart
	queue []Message // what the current line gave, from next on not handed out yet
	next  int

	repair repair
	group  group
	torn   bool // the previous line ended within a broken message

	noRow int64 // number of the last line on which something was broken that was not a row
}

// NewReader reads from r, in pieces of up to 1 MiB, only while Next is called.
func NewReader(r io.Reader, o Options) *Reader {
	if o.MaxLineBytes <= 0 {
		o.MaxLineBytes = defaultMaxLine
	}
	return &Reader{lines: newLines(r, o.MaxLineBytes, headSize), options: o, row: Message{Type: TypeRecord}, checkpoint: Message{Type: TypeState}}
}

// Lines is the number of lines read so far, blank ones included.
func (r *Reader) Lines() int64 { return r.lines.number }

// Bytes is the number of bytes read so far.
func (r *Reader) Bytes() int64 { return r.lines.bytes }

// Buffered says whether Next would return without reading from the source.
func (r *Reader) Buffered() bool {
	return r.next < len(r.queue) || r.wreck.left() || r.lines.ready() || r.lines.err != nil
}

// Next returns the next message, which is valid until the next call. At the end of the output it returns io.EOF. Any other error is of the reader
// below; after one that passes, such as a deadline, Next can be called again and loses nothing.
func (r *Reader) Next() (*Message, error) {
	for {
		if r.next < len(r.queue) {
			r.next++
			return &r.queue[r.next-1], nil
		}
		r.queue, r.next = r.queue[:0], 0
		if r.wreck.left() {
			r.salvage()
			continue
		}
		var err error
		if r.line, err = r.lines.next(); err != nil {
			return nil, err
		}
		end, opening := r.openings.scan(&r.envelope, r.line.text)
		if end < 0 || r.line.over || !r.endsAt(end) {
			r.startSalvage()
			continue
		}
		r.torn = false
		if r.fastRow() {
			return &r.row, nil
		}
		if r.fastState(opening) {
			return &r.checkpoint, nil
		}
		r.accept(r.line.text, span{0, end}, false)
	}
}

// endsAt says whether nothing but white space follows the index on the current line.
func (r *Reader) endsAt(i int) bool {
	b := r.line.text
	return skipSpace(b, i) == len(b)-1-padding
}

// fastRow makes r.row of the current line when the envelope is that of an ordinary record.
func (r *Reader) fastRow() bool {
	b, e := r.line.text, &r.envelope
	if string(e.kind.in(b)) != string(TypeRecord) || e.record.stream.absent() || e.record.data.absent() || !e.record.meta.absent() {
		return false
	}
	r.fillRow(&r.row.Record, b)
	return true
}

// fastState makes r.checkpoint of the current line when the envelope is that of an ordinary STREAM state whose opening names the stream.
func (r *Reader) fastState(o *opening) bool {
	b, e := r.line.text, &r.envelope
	if o == nil || string(e.kind.in(b)) != string(TypeState) || string(e.state.scope.in(b)) != `"STREAM"` ||
		e.state.name != o.envelope.state.name || e.state.namespace != o.envelope.state.namespace || (value{b, e.state.name}).kind() != '"' {
		return false
	}
	r.state = State{Type: StateStream, Stream: o.stream, StreamState: value{b, e.state.state}.raw(), RecordCount: e.state.recordCount(b)}
	r.checkpoint.State = &r.state
	return true
}

// fillRow fills the record from the envelope, but for its changes.
func (r *Reader) fillRow(record *Record, b []byte) {
	e := &r.envelope.record
	record.Stream = unescape(r.names[0], e.stream.in(b))
	record.Namespace = unescape(r.names[1], e.namespace.in(b))
	if len(record.Stream) < e.stream.j-e.stream.i { // unescaped into the buffer, which may have grown
		r.names[0] = record.Stream
	}
	if len(record.Namespace) < e.namespace.j-e.namespace.i {
		r.names[1] = record.Namespace
	}
	record.Data = e.data.in(b)
	record.EmittedAt = integer(e.emittedAt.in(b))
}

// accept queues what the scanned object b[at] is. With strict only an intact message of the protocol is taken, and the result says whether it was.
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
		r.acceptForeign(object, kind)
	default:
		r.defect(Defect{Kind: DefectPayload, Lost: mayBeRow(kind), State: kind == TypeState, Detail: err.Error()})
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
	case e.data.absent():
		needed = "record.data"
	default:
		m := Message{Type: TypeRecord}
		r.fillRow(&m.Record, b)
		m.Record.Changes = changes(value{b, e.meta})
		r.push(m)
		return true
	}
	if strict {
		return false
	}
	d := Defect{Kind: DefectPayload, Lost: true, Detail: missing(needed).Error()}
	d.Stream, d.Known = r.envelope.descriptor(b)
	r.defect(d)
	return true
}

// changes are the notes of the source in record.meta.
func changes(meta value) []Change {
	var list []Change
	for c := range meta.member("changes").elements() {
		list = append(list, Change{Field: c.member("field").text(), Change: c.member("change").text(), Reason: c.member("reason").text()})
	}
	return list
}

// acceptForeign queues what a JSON object that is not a message of the protocol has to say. Of a type that the protocol does not know only the name
// is shown: the content may be a row's.
func (r *Reader) acceptForeign(object value, kind Type) {
	if inner := embedded(object); !inner.absent() && r.envelope.scan(object.line, inner.i) > 0 {
		if r.accept(object.line, inner.span, true) {
			return
		}
		kind = r.envelope.messageType(object.line)
	}
	log, isLog := foreignLog(object)
	switch {
	case !object.member("record").absent():
		r.defect(Defect{Kind: DefectPayload, Lost: true, Detail: "a record in a message of no known type"})
	case isLog:
		r.push(Message{Type: TypeText, Log: &log})
	case knownType(kind): // wrapped, without what its type needs
		r.defect(Defect{Kind: DefectPayload, Lost: mayBeRow(kind), State: kind == TypeState,
			Detail: missing("the payload of a " + string(kind)).Error()})
	case kind != "":
		r.defect(Defect{Kind: DefectUnknownType, Detail: fmt.Sprintf("message type %q is unknown", name(string(kind)))})
	case private(object.raw()):
		r.defect(Defect{Kind: DefectPayload, Lost: true, Detail: missing("type").Error()})
	default:
		r.prose(object.raw(), !r.wreck.open)
	}
}

// prose queues text for people, with the buffered lines after it that belong to it when it is the whole of its line. It never waits for one.
func (r *Reader) prose(text []byte, wholeLine bool) {
	log := r.group.start(plain(text, maxLog), r.line.number)
	if wholeLine {
		log = r.group.read(r.lines)
	}
	r.push(Message{Type: TypeText, Log: &log})
}

func (r *Reader) push(m Message) { r.queue = append(r.queue, m) }

// defect queues a report on the current line.
func (r *Reader) defect(d Defect) {
	d.Line, d.Bytes = r.line.number, r.line.size
	r.push(Message{Type: TypeDefect, Defect: &d})
}
