package airbyte

import (
	"bytes"
	"fmt"
	"slices"
)

// longestKey is enough for the first key of a message with the white space around it.
const longestKey = 40

// wreck is a line that is not exactly one valid JSON object, while it is taken apart: messages that share it, damaged ones, and prose.
type wreck struct {
	open   bool
	at     int              // what lies before is dealt with
	end    int              // what lies after is blank
	taken  int              // messages and foreign objects
	first  StreamDescriptor // that one of them is about; named says whether one was
	named  bool
	budget int // bytes that may still be scanned: a hostile line must not take quadratic time

	broken bool // a part of it looked like a message and was lost
	parts  int  // beginnings of messages that failed
	blind  int  // pieces that were lost without such a beginning before them: who knows what they were
	row    bool // such a part may have been a row
	state  bool // such a part may have been a STATE
	other  bool // such a part was a message of another kind than a row
	torn   bool // the last part of it ended within a message
	failed int  // where the scan of the first broken part stopped
	stream StreamDescriptor
	known  bool
}

func (w *wreck) left() bool { return w.open }

// startSalvage begins with the current line, whose scan has just failed, or reports it when it is oversize.
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
	r.wreck = wreck{open: true, end: end, budget: passes*len(r.line.text) + least}
}

// salvage queues the next message of the wreck and what lies before it, or what is left when there is none.
func (r *Reader) salvage() {
	w, b := &r.wreck, r.line.text
	end := w.end
	w.at = end - len(bytes.TrimLeftFunc(b[w.at:end], isFillerRune))
	w.torn = false
	for i := w.at; i < end && w.budget > 0; i = nextMessage(b[:end], i+1) {
		queued := len(r.queue)
		after := r.takeAt(i)
		if after < 0 {
			continue
		}
		if !w.named && queued < len(r.queue) {
			w.first, w.named = r.subject(&r.queue[queued])
		}
		if text, ok := r.fragment(b[w.at:i], false); ok {
			r.queue = slices.Insert(r.queue, queued, text)
		}
		w.at, w.torn = after, false
		if w.taken++; punctuation(b[w.at:end]) {
			r.finishSalvage()
		}
		return
	}
	if text, ok := r.fragment(b[w.at:end], w.taken == 0); ok {
		r.push(text)
	}
	r.finishSalvage()
}

// finishSalvage queues the reports on a wreck of which nothing is left.
func (r *Reader) finishSalvage() {
	w := &r.wreck
	w.open = false
	if w.taken > 1 {
		r.defect(Defect{Kind: DefectJoinedLine, Stream: w.first, Known: w.named, Detail: fmt.Sprintf("messages on one line: %d", w.taken)})
	}
	if w.broken {
		d := Defect{Kind: DefectBrokenLine, Stream: w.stream, Known: w.known, Lost: w.row || w.blind > 0, State: w.state || w.blind > 0}
		d.Both = w.parts+w.blind > 1 && d.Lost && d.State
		d.Detail = fmt.Sprintf("not valid JSON at byte %d", w.failed+1)
		if r.line.cut {
			d.Kind = DefectCutLine
		}
		r.defect(d)
	}
	r.torn, r.noRow = w.torn, 0
	if w.broken && !w.row && w.other {
		r.noRow = r.line.number
	}
}

// nextMessage is the index of the next object that could be a message, from i on, or the end: one whose first member is a message's. The Airbyte
// CDKs and most structs write `type` first; sources on the Go SDK write the payload first.
func nextMessage(text []byte, i int) int {
	for {
		n := bytes.IndexByte(text[min(i, len(text)):], '{')
		if n < 0 {
			return len(text)
		}
		i += n
		key, _, _ := bytes.Cut(bytes.TrimPrefix(bytes.TrimLeft(text[i+1:min(i+longestKey, len(text))], " \t"), []byte{'"'}), []byte{'"'})
		switch string(key) {
		case "type", "record", "state", "log", "trace", "spec", "catalog", "connectionStatus", "control":
			return i
		}
		i++
	}
}

// takeAt queues the message at b[i], repaired if need be, and returns the index after it, or a negative number when there is none. Within garbage
// only what is surely a message is taken.
func (r *Reader) takeAt(i int) int {
	w, b := &r.wreck, r.line.text
	strict := i > w.at
	after := r.envelope.scan(b, i)
	if after > 0 {
		w.budget -= after - i
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
		w.budget -= 2 * (after - i)
		return after
	}
	w.budget -= 2 * (^after - i)
	w.torn = ^after == len(b)-1-padding
	w.parts++
	w.row = w.row || mayBeRow(kind)
	w.state = w.state || mayBeState(kind)
	w.other = w.other || !mayBeRow(kind)
	if w.failed == 0 {
		w.failed, w.stream, w.known = ^after, stream, known
	}
	return after
}

// fragment is a part of the wreck without a message: prose to queue, or nothing when it is blank or broken.
func (r *Reader) fragment(text []byte, wholeLine bool) (Message, bool) {
	text = trim(text)
	if len(text) == 0 {
		return Message{}, false
	}
	level, sure := guessLevel(plain(text, maxLog))
	if wholeLine {
		if private(text) || r.torn && !sure && text[0] != '{' {
			r.wreck.torn = r.wreck.torn || r.torn
			if r.noRow+1 == r.line.number { // what is left of a message that was no row
				r.wreck.broken, r.wreck.other = true, true
			} else {
				r.wreck.lose()
			}
			return Message{}, false
		}
		r.wreck.torn = false
		r.prose(unpad(r.line.text), true)
		return Message{}, false
	}
	if punctuation(text) {
		return Message{}, false
	}
	if bytes.ContainsAny(text, `{}"`) {
		r.wreck.lose()
		return Message{}, false
	}
	return Message{Type: TypeText, Log: &Log{Level: level, Message: plain(text, maxLog)}}, true
}

// lose notes that a piece of the line was lost.
func (w *wreck) lose() {
	w.broken = true
	if w.parts == 0 { // else it is most likely the rest of that message
		w.blind++
	}
}

// mayBeRow says whether a broken message of this type, which is empty when the damage came before it, may have been a row.
func mayBeRow(kind Type) bool { return kind == "" || kind == TypeRecord }

// mayBeState says the same of a STATE.
func mayBeState(kind Type) bool { return kind == "" || kind == TypeState }

// punctuation says whether the text is nothing but what may stand between and around messages.
func punctuation(text []byte) bool { return len(bytes.Trim(trim(text), "{}[], \t")) == 0 }

func isFillerRune(c rune) bool {
	const byteOrderMark = 0xFEFF
	return c == byteOrderMark || c < 0x80 && isFiller(byte(c))
}
