package airbyte

import "fmt"

// takeRepaired repairs the object at index i of the current line and queues it with reports on what was changed. It returns as the skip functions
// do; a negative number means that there is no message even after repair.
func (r *Reader) takeRepaired(i int, strict bool) int {
	fix := &r.repair
	after := fix.object(r.line.text, fix.out, i)
	if after < 0 {
		return after
	}
	size := len(fix.out)
	fix.out = append(append(fix.out, '\n'), make([]byte, padding)...)
	if !fix.repaired() || r.envelope.scan(fix.out, 0) != size {
		return ^i
	}
	queued := len(r.queue)
	if !r.accept(fix.out, span{0, size}, strict) {
		return ^i
	}
	for n := queued; n < len(r.queue); n++ {
		if r.unrepairable(&r.queue[n]) {
			kind := DefectUTF8
			if fix.nonFinite > 0 {
				kind = DefectNumber
			}
			d := Defect{Kind: kind, Type: r.queue[n].Type, Lost: r.queue[n].Type == TypeRecord, State: r.queue[n].Type == TypeState,
				Line: r.line.number, Bytes: r.line.size, Detail: r.repairDetail(kind)}
			d.Stream, d.Known = r.subject(&r.queue[n])
			r.queue[n] = Message{Type: TypeDefect, Defect: &d}
			return after
		}
	}
	r.reportRepair(&r.queue[queued])
	return after
}

// unrepairable says whether the message must not be taken in its repaired form: a state is a black box, and RejectNonFinite rejects rows.
func (r *Reader) unrepairable(m *Message) bool {
	switch m.Type {
	case TypeState:
		return r.repair.nonFinite+r.repair.utf8 > 0
	case TypeRecord:
		return r.repair.nonFinite > 0 && r.options.RejectNonFinite
	default:
		return false
	}
}

// subject is the stream that the message is about; false when it is about none.
func (r *Reader) subject(m *Message) (StreamDescriptor, bool) {
	switch m.Type {
	case TypeRecord:
		return StreamDescriptor{Name: string(m.Record.Stream), Namespace: string(m.Record.Namespace)}, true
	case TypeState:
		return m.State.Stream, m.State.Type == StateStream
	default:
		return StreamDescriptor{}, false
	}
}

// reportRepair adds the notes of the repair to the message and queues a report on each kind of change.
func (r *Reader) reportRepair(m *Message) {
	fix, kindOf := &r.repair, m.Type
	m.Record.Changes = append(m.Record.Changes, fix.changes...)
	stream, known := r.subject(m)
	for _, kind := range []DefectKind{DefectNumber, DefectUTF8, DefectControl} {
		if detail := r.repairDetail(kind); detail != "" {
			r.defect(Defect{Kind: kind, Type: kindOf, Stream: stream, Known: known, Detail: detail})
		}
	}
}

// repairDetail says how often this kind of damage was repaired; empty when never.
func (r *Reader) repairDetail(kind DefectKind) string {
	fix := &r.repair
	switch {
	case kind == DefectNumber && fix.nonFinite > 0:
		return fmt.Sprintf("numbers that are NaN or infinite: %d", fix.nonFinite)
	case kind == DefectUTF8 && fix.utf8 > 0:
		return fmt.Sprintf("bytes that are not UTF-8: %d", fix.utf8)
	case kind == DefectControl && fix.control > 0:
		return fmt.Sprintf("control characters that are not escaped: %d", fix.control)
	default:
		return ""
	}
}
