package airbyte

import (
	"bytes"
	"fmt"
	"slices"
)

// salvage is a line that is not exactly one valid JSON object, while it is taken apart into the messages that share it, damaged messages, and
// prose.
type salvage struct {
	open   bool
	at     int              // everything before it is done
	end    int              // only white space and the like follows it
	taken  int              // messages and JSON log lines
	first  StreamDescriptor // the stream of the first message that has one; named says whether one had
	named  bool
	budget int // bytes that may still be scanned, so that a hostile line does not take quadratic time

	broken bool             // a part that looked like a message was lost
	parts  int              // beginnings of messages that failed
	blind  int              // lost pieces before the first such beginning: nothing says what they were
	row    bool             // a lost part may have been a row
	state  bool             // a lost part may have been a STATE
	other  bool             // a lost part was a message that is no row
	torn   bool             // the line ended within its last message
	failed int              // index at which the scan of the first lost part stopped
	kind   Type             // of the first lost part; empty when it could not be told
	stream StreamDescriptor // of the first lost part; known says whether it could be told
	known  bool
}

// startSalvage begins to take the current line apart, after its scan failed or ended too early. An oversize line is only reported.
// scanned is what the scan returned.
func (r *Reader) startSalvage(scanned int) {
	if r.line.over {
		r.reportOversize(scanned)
		return
	}
	const passes, least, kept = 16, 1 << 20, 4 << 20
	if cap(r.repair.out) > kept { // grown for a long line
		r.repair.out = nil
	}
	end := len(bytes.TrimRightFunc(unpad(r.line.text), isFillerRune))
	r.salvage = salvage{open: true, end: end, budget: passes*len(r.line.text) + least}
}

// reportOversize queues the report on an oversize line, as far as its first bytes show what it was. scanned is what their scan returned: when that
// did not fail, a whole message stands at the beginning and what follows is unknown.
func (r *Reader) reportOversize(scanned int) {
	head, e := r.line.text, &r.envelope
	d := Defect{Kind: DefectOversizeLine, Detail: fmt.Sprintf("longer than %d bytes (MAX_LINE_BYTES)", r.options.MaxLineBytes)}
	var kind Type
	// The limit may be below what is kept of a line: then all of it may be there, one whole message.
	text := unpad(head)
	whole := scanned >= 0 && int64(len(text)) == r.line.size && len(bytes.TrimSpace(text[scanned:])) == 0
	if scanned < 0 || whole {
		kind = e.damagedType(head, 0)
		d.Stream, d.Known = e.descriptor(head)
	}
	d.Lost, d.State = mayBeRow(kind), mayBeState(kind)
	if i := nextMessage(unpad(head), 1); kind == "" && scanned < 0 && i < len(unpad(head)) {
		// A message in a log line or behind prose. This does not rule out that the line was a row which holds such an object.
		e.scan(head, i)
		kind = e.damagedType(head, i)
	}
	if knownType(kind) {
		d.Type = kind
	}
	r.defect(d)
}

// salvageNext queues the next message of the line and the text before it. When there is no further message, it queues the rest and the reports.
func (r *Reader) salvageNext() {
	s, b := &r.salvage, r.line.text
	end := s.end
	s.at = end - len(bytes.TrimLeftFunc(b[s.at:end], isFillerRune))
	s.torn = false
	for i := s.at; i < end && s.budget > 0; i = nextMessage(b[:end], i+1) {
		queued := len(r.queue)
		after := r.takeAt(i)
		if after < 0 {
			continue
		}
		if !s.named && queued < len(r.queue) {
			s.first, s.named = r.subject(&r.queue[queued])
		}
		if text, ok := r.fragment(b[s.at:i], false); ok {
			r.queue = slices.Insert(r.queue, queued, text)
		}
		s.at, s.torn = after, false
		if s.taken++; punctuation(b[s.at:end]) {
			r.finishSalvage()
		}
		return
	}
	if text, ok := r.fragment(b[s.at:end], s.taken == 0); ok {
		r.push(text)
	}
	r.finishSalvage()
}

// finishSalvage queues the reports on a line of which nothing is left.
func (r *Reader) finishSalvage() {
	s := &r.salvage
	s.open = false
	if s.taken > 1 {
		r.defect(Defect{Kind: DefectJoinedLine, Stream: s.first, Known: s.named, Detail: fmt.Sprintf("messages on one line: %d", s.taken)})
	}
	if s.broken {
		d := Defect{Kind: DefectBrokenLine, Type: s.kind, Stream: s.stream, Known: s.known, Lost: s.row || s.blind > 0, State: s.state || s.blind > 0}
		d.Both = s.parts+s.blind > 1 && d.Lost && d.State
		d.Detail = fmt.Sprintf("not valid JSON at byte %d", s.failed+1)
		if printedMember(r.line.text) {
			d.Detail += ": does the connector spread a message over several lines? Each has to be on one"
		}
		if r.line.cut {
			d.Kind = DefectCutLine
		}
		r.defect(d)
	}
	r.torn, r.noRow = s.torn, 0
	if s.broken && !s.row && s.other {
		r.noRow = r.line.number
	}
}

// nextMessage is the index, from i on, of the next object that could be a message because its first key is that of a message; len(text) when there
// is none. Airbyte's CDKs write `type` first, sources on the Go SDK the payload.
func nextMessage(text []byte, i int) int {
	const longestKey = 40 // bytes: more than the first key of a message has, with white space around it
	for {
		n := bytes.IndexByte(text[min(i, len(text)):], '{')
		if n < 0 {
			return len(text)
		}
		i += n
		key, _, _ := bytes.Cut(bytes.TrimPrefix(bytes.TrimLeft(text[i+1:min(i+longestKey, len(text))], " \t"), []byte{'"'}), []byte{'"'})
		if string(key) == "type" || payloadType(key) != "" {
			return i
		}
		i++
	}
}

// takeAt queues the message that begins at index i of the line, repaired if need be, and returns the index after it, or a negative number when there
// is none. Behind garbage it takes only an intact message of the protocol.
func (r *Reader) takeAt(i int) int {
	s, b := &r.salvage, r.line.text
	strict := i > s.at
	after := r.envelope.scan(b, i)
	if after > 0 {
		s.budget -= after - i
		if !r.accept(b, span{i, after}, strict) {
			return -1
		}
		return after
	}
	if b[i] != '{' {
		return -1
	}
	kind := r.envelope.damagedType(b, i)
	stream, known := r.envelope.descriptor(b)
	after = r.takeRepaired(i, strict)
	if after > 0 {
		s.budget -= 2 * (after - i)
		return after
	}
	s.budget -= 2 * (^after - i)
	s.torn = ^after == len(b)-1-padding
	s.parts++
	s.row = s.row || mayBeRow(kind)
	s.state = s.state || mayBeState(kind)
	s.other = s.other || !mayBeRow(kind)
	if s.failed == 0 {
		s.failed, s.stream, s.known = ^after, stream, known
		if knownType(kind) {
			s.kind = kind
		}
	}
	return after
}

// fragment deals with a part of the line that holds no message. It returns prose that the caller is to queue; false when the part is blank, lost, or
// (as a whole line) already queued.
func (r *Reader) fragment(text []byte, wholeLine bool) (Message, bool) {
	text = trim(text)
	if len(text) == 0 {
		return Message{}, false
	}
	level, sure := guessLevel(plain(text, maxLog))
	if wholeLine {
		if r.salvage.kind != "" || messagePart(text) || r.line.cut && messageBeginning(text) || r.torn && !sure && text[0] != '{' {
			r.salvage.torn = r.salvage.torn || r.torn
			if r.noRow+1 == r.line.number { // the rest of a message that was no row
				r.salvage.broken, r.salvage.other = true, true
			} else {
				r.salvage.lose()
			}
			return Message{}, false
		}
		r.salvage.torn = false
		r.prose(unpad(r.line.text), true)
		return Message{}, false
	}
	if punctuation(text) {
		return Message{}, false
	}
	if bytes.ContainsAny(text, `{}"`) {
		r.salvage.lose()
		return Message{}, false
	}
	return Message{Type: TypeText, Log: &Log{Level: level, Message: plain(text, maxLog)}}, true
}

// lose notes that a piece of the line was lost.
func (s *salvage) lose() {
	s.broken = true
	if s.parts == 0 { // after a failed beginning it is most likely the rest of that message
		s.blind++
	}
}

// punctuation says whether the text holds nothing but brackets, commas, white space and the like: what may stand between and around messages. It
// looks from the front only, because it is asked after each of many messages on a line, and most often answered by the second byte.
func punctuation(text []byte) bool {
	for len(text) > 0 {
		switch {
		case isFiller(text[0]) || bytes.IndexByte([]byte("{}[],"), text[0]) >= 0:
			text = text[1:]
		case bytes.HasPrefix(text, []byte(byteOrderMark)):
			text = text[len(byteOrderMark):]
		default:
			return false
		}
	}
	return true
}

func isFillerRune(c rune) bool {
	return string(c) == byteOrderMark || c < 0x80 && isFiller(byte(c))
}
