package airbyte

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
)

// maxKeyBytes is enough for the first key of a message with the white space around it.
const maxKeyBytes = 40

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
	stream StreamDescriptor // of the first lost part; known says whether it could be told
	known  bool
}

// startSalvage begins to take the current line apart, after its scan failed or ended too early. An oversize line is only reported.
func (r *Reader) startSalvage() {
	if r.line.over {
		kind := r.envelope.messageType(r.line.text)
		d := Defect{Kind: DefectOversizeLine, Lost: mayBeRow(kind), State: mayBeState(kind)}
		d.Detail = fmt.Sprintf("longer than %d bytes (MAX_LINE_BYTES)", r.options.MaxLineBytes)
		d.Stream, d.Known = r.envelope.descriptor(r.line.text)
		r.defect(d)
		return
	}
	const passes, least, kept = 16, 1 << 20, 4 << 20
	if cap(r.repair.out) > kept { // grown for a long line
		r.repair.out = nil
	}
	end := len(bytes.TrimRightFunc(unpad(r.line.text), isFillerRune))
	r.salvage = salvage{open: true, end: end, budget: passes*len(r.line.text) + least}
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
		d := Defect{Kind: DefectBrokenLine, Stream: s.stream, Known: s.known, Lost: s.row || s.blind > 0, State: s.state || s.blind > 0}
		d.Both = s.parts+s.blind > 1 && d.Lost && d.State
		d.Detail = fmt.Sprintf("not valid JSON at byte %d", s.failed+1)
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
	for {
		n := bytes.IndexByte(text[min(i, len(text)):], '{')
		if n < 0 {
			return len(text)
		}
		i += n
		key, _, _ := bytes.Cut(bytes.TrimPrefix(bytes.TrimLeft(text[i+1:min(i+maxKeyBytes, len(text))], " \t"), []byte{'"'}), []byte{'"'})
		switch string(key) {
		case "type", "record", "state", "log", "trace", "spec", "catalog", "connectionStatus", "control":
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
	kind := r.envelope.messageType(b)
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
		if messagePart(text) || r.torn && !sure && text[0] != '{' {
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

// mayBeRow says whether a lost message of this type may have been a row. The type is empty when it was lost too.
func mayBeRow(kind Type) bool { return kind == "" || kind == TypeRecord }

// mayBeState says whether a lost message of this type may have been a STATE.
func mayBeState(kind Type) bool { return kind == "" || kind == TypeState }

// punctuation says whether the text holds nothing but brackets, commas and white space: what may stand between and around messages.
func punctuation(text []byte) bool { return len(bytes.Trim(trim(text), "{}[], \t")) == 0 }

func isFillerRune(c rune) bool {
	const byteOrderMark = 0xFEFF
	return c == byteOrderMark || c < 0x80 && isFiller(byte(c))
}

// messagePart says whether text seems to be a part of a message rather than prose. Such text is not shown: it may hold a row or a secret.
func messagePart(text []byte) bool {
	for rest := range memberValues(text, "type") {
		word := bytes.TrimLeft(rest[:min(len(rest), maxKeyBytes)], quotes)
		if end := bytes.IndexAny(word, quotes); end > 0 && knownType(Type(bytes.ToUpper(word[:end]))) {
			return true
		}
	}
	for _, key := range []string{
		"record", "emitted_at", "stream_state", "stream_descriptor", "connectorConfig", "connectionSpecification", "json_schema",
	} {
		for range memberValues(text, key) {
			return true
		}
	}
	// More braces close than open: the rest of a message that began on an earlier line.
	return bytes.HasSuffix(text, []byte("}")) && bytes.Count(text, []byte("}")) > bytes.Count(text, []byte("{"))
}

// quotes are the quotation marks of JSON and of Python's repr.
const quotes = `"'`

// memberValues yields the text from the value on, for each place in possibly broken JSON that looks like a member with this key.
func memberValues(text []byte, key string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			i := bytes.Index(text, []byte(key))
			if i < 0 {
				return
			}
			before, after := text[:i], text[i+len(key):]
			text = after
			if len(before) == 0 || len(after) == 0 || bytes.IndexByte([]byte(quotes), before[i-1]) < 0 || before[i-1] != after[0] {
				continue
			}
			rest := bytes.TrimLeft(after[1:], " \t")
			if len(rest) > 0 && rest[0] == ':' && !yield(bytes.TrimLeft(rest[1:], " \t")) {
				return
			}
		}
	}
}
