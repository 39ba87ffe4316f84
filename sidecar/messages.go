package sidecar

import (
	"encoding/json"
	"fmt"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// streamRead is what the source has said of one stream.
type streamRead struct {
	index      int
	descriptor airbyte.StreamDescriptor
	key        string      // of its states
	next       *streamRead // of the last row that came after one of this: streams take turns
	status     airbyte.StreamStatus
	err        string  // its first TRACE ERROR
	read       int64   // rows
	sinceState int64   // rows since its last state
	missing    missing // since its last state
	counted    bool    // the source gives counts, and they agreed
	lastState  []byte  // as the source sent it
	lost       string  // how rows of it were lost
	doubt      string  // how a row of it may have been lost; a count that agrees clears it
	unproven   bool    // unless a state without a count came between
	whole      bool    // it was read to its end and nothing was lost
	aborted    bool    // a full refresh that is not committed
	estimate   int64
	defects    map[string]int64
	began      time.Time
	ended      time.Time
}

// seconds is how long the stream took so far: to its end, or to the acknowledgement of its last row, whichever came later.
func (s *streamRead) seconds(delivery *streamDelivery) float64 {
	switch {
	case s.began.IsZero():
		return 0
	case s.ended.IsZero() || delivery.working:
		return time.Since(s.began).Seconds()
	case delivery.lastAck.After(s.ended):
		return delivery.lastAck.Sub(s.began).Seconds()
	default:
		return s.ended.Sub(s.began).Seconds()
	}
}

func (s *streamRead) is(namespace, name []byte) bool {
	return string(name) == s.descriptor.Name && string(namespace) == s.descriptor.Namespace
}

// handle takes one message, with mu held.
func (r *read) handle(m *airbyte.Message) {
	switch m.Type {
	case airbyte.TypeRecord:
		r.moved = true
		r.record(&m.Record)
	case airbyte.TypeState:
		r.moved = true
		r.state(m.State)
	case airbyte.TypeTrace:
		r.trace(m.Trace)
	case airbyte.TypeDefect:
		r.defect(m.Defect)
	case airbyte.TypeConnectionStatus:
		if m.ConnectionStatus.Status == "FAILED" && r.sourceError == "" {
			r.sourceError = r.logs.Brief(m.ConnectionStatus.Message)
		}
	default:
		r.logs.Info(fmt.Sprintf("%s message during read: ignored", m.Type))
	}
}

// find is the stream of a name; a null namespace also finds a stream of a namespace when the name is unique, since some connectors leave it out.
func (r *read) find(namespace, name []byte) *streamRead {
	if last := r.last; last != nil {
		if last.is(namespace, name) {
			return last
		}
		if next := last.next; next != nil && next.is(namespace, name) {
			r.last = next
			return next
		}
	}
	if stream := r.byName[string(namespace)][string(name)]; stream != nil {
		if r.last != nil {
			r.last.next = stream
		}
		r.last = stream
		return stream
	}
	if len(namespace) > 0 {
		return nil
	}
	var found *streamRead
	for _, names := range r.byName {
		if stream := names[string(name)]; stream != nil {
			if found != nil {
				return nil
			}
			found = stream
		}
	}
	return found
}

// of is the stream of a descriptor. What belongs to none is counted and, the first time, warned of (I7).
func (r *read) of(d airbyte.StreamDescriptor, what string) *streamRead {
	stream := r.find([]byte(d.Namespace), []byte(d.Name))
	if stream == nil {
		r.stray(d.String(), what)
	}
	return stream
}

// unknownStream is the defect kind of messages of streams that are not in the catalog.
const unknownStream = "unknown_stream"

// strayStreams bounds how many unknown streams are told apart.
const strayStreams = 1000

func (r *read) stray(name, what string) {
	r.defects[unknownStream]++
	name = cutText(name, briefLimit)
	if len(r.strays) < strayStreams {
		r.strays[name]++
	}
	if r.strays[name] == 1 {
		r.warn(fmt.Sprintf("%s of stream %q, which is not in the catalog: ignored (and so are further ones)", what, name))
	}
}

// record takes a row.
func (r *read) record(record *airbyte.Record) {
	s := r.find(record.Namespace, record.Stream)
	if s == nil {
		r.stray(airbyte.StreamDescriptor{Namespace: string(record.Namespace), Name: string(record.Stream)}.String(), "a row")
		return
	}
	if s.began.IsZero() {
		s.began = r.source.left
	}
	s.read++
	s.sinceState++
	r.sinceWide++
	delivery := r.delivery.streams[s.index]
	data := record.Data
	r.extra = r.extra[:0]
	if r.config.AddMeta || len(record.Changes) > 0 {
		r.extra = appendMeta(r.extra, r.config.AddMeta, r.source.left, record.Changes)
	}
	if limit := r.delivery.limits.RowBytes; limit > 0 && len(data)+len(r.extra)+1 > limit {
		if data = r.shrink(s, record, limit); data == nil {
			return
		}
	}
	if delivery.config.Whole && delivery.ended {
		r.lose(s, "rows came after the stream was complete")
		return
	}
	r.delivery.row(delivery, data, r.extra)
}

// appendMeta appends the members that the sidecar adds to a row: upstream's _jitsu_timestamp, and what was changed in the row.
func appendMeta(dst []byte, timestamp bool, now time.Time, changes []airbyte.Change) []byte {
	if timestamp {
		dst = append(dst, `"_jitsu_timestamp":"`...)
		dst = now.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
		dst = append(dst, '"')
	}
	if len(changes) == 0 {
		return dst
	}
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	encoded, err := json.Marshal(changes)
	if err != nil { // cannot be: three strings each
		return dst
	}
	dst = append(dst, `"_airbyte_meta":{"changes":`...)
	dst = append(dst, encoded...)
	return append(dst, '}')
}

// lose notes that rows of a stream did not arrive: it cannot succeed, its full refresh is not committed, and no later state of it is saved.
func (r *read) lose(s *streamRead, how string) {
	if s.lost == "" {
		s.lost = how
		r.logs.Error(fmt.Sprintf("stream %q: %s", s.descriptor, how))
	}
	r.delivery.ledger.freeze(s.index)
}

// defect counts damaged output; what was lost fails its stream (I7).
func (r *read) defect(d *airbyte.Defect) {
	kind := string(d.Kind)
	r.defects[kind]++
	var s *streamRead
	if d.Known {
		s = r.find([]byte(d.Stream.Namespace), []byte(d.Stream.Name))
	}
	if s != nil {
		s.defects[kind]++
	}
	const told = 5 // of each kind; the rest is in the counts
	if r.defects[kind] <= told {
		r.logs.Warn(fmt.Sprintf("line %d of the connector's stdout (%d bytes): %s: %s", d.Line, d.Bytes, kind, d.Detail))
	}
	if d.Kind == airbyte.DefectCutLine {
		cut := *d
		r.cut = &cut
		return
	}
	r.lost(s, d)
}

// lost draws the consequences of a line that did not arrive.
func (r *read) lost(s *streamRead, d *airbyte.Defect) {
	kind := string(d.Kind)
	for _, other := range r.streams {
		if s == nil || other == s {
			other.missing.add(d)
		}
	}
	switch {
	case !d.Lost:
	case s != nil:
		r.lose(s, fmt.Sprintf("line %d of the connector's stdout was lost (%s): %s", d.Line, kind, d.Detail))
	default:
		r.lostLines++
		r.doubt(fmt.Sprintf("line %d of the connector's stdout was lost (%s) and may have been a row of this stream", d.Line, kind))
	}
}

// missing are messages that did not arrive and may have been of a stream.
type missing struct{ messages, rows, states int }

// add counts what a defect may have cost.
func (m *missing) add(d *airbyte.Defect) {
	if d.Lost {
		m.rows++
	}
	if d.State {
		m.states++
	}
	switch {
	case d.Both:
		m.messages += 2
	case d.Lost || d.State:
		m.messages++
	}
}

// both says that a row and a state that counted rows may be missing: then a count that agrees may do so by chance.
func (m *missing) both() bool { return m.rows > 0 && m.states > 0 && m.messages > 1 }

// doubt draws the consequences of a lost line for the streams that it may have belonged to: a full refresh is committed only if a later count of its
// source agrees (I6), and states of streams whose source does not count are not saved any more.
func (r *read) doubt(how string) {
	for _, s := range r.streams {
		if s.status == airbyte.StreamComplete {
			continue
		}
		if s.doubt == "" {
			s.doubt = how
		}
		if !s.counted {
			r.delivery.ledger.freeze(s.index)
		}
	}
}

// sound says that no row of the stream is known or feared to be lost.
func (s *streamRead) sound() bool { return s.lost == "" && s.doubt == "" }
