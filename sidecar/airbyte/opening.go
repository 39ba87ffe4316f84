package airbyte

// mostOpenings is how many openings are remembered: those of the rows and of the states of some hundred interleaved streams.
const mostOpenings = 1024

// longestOpening is how many bytes one may have: what is longer holds more than names, and would be kept for nothing.
const longestOpening = 1 << 10

// opening is how messages of a stream begin, up to the value that differs: the data of a row, the state of a STREAM state. They mostly have that in
// common, to the byte, and a line that begins like it goes on from there.
type opening struct {
	text     string
	envelope envelope         // what a scan of it finds
	isState  bool             // it is that of a state, not of a row
	stream   StreamDescriptor // of a state
	next     *opening         // of the line that came after one like this
}

// openings are those seen so far. Streams that take turns do so in the same order for a long time, so the line after a line is foreseen.
type openings struct {
	known map[string]*opening
	last  *opening // of the line before; of the current line after scan
	saved int      // lines that needed less work since the openings were last forgotten
	text  []byte   // reused
}

// scan fills the envelope from the line as envelope.scan does. seen is the opening of the line, nil when it has none.
func (o *openings) scan(e *envelope, b []byte) (end int, seen *opening) {
	if last := o.last; last != nil {
		switch {
		case last.next != nil && last.next.begins(b):
			return o.resume(last.next, e, b)
		case last.begins(b):
			last.next = last
			return o.resume(last, e, b)
		}
	}
	if end = e.scan(b, 0); end < 0 {
		return end, nil
	}
	if seen = o.learn(e, b); seen != nil {
		if o.last != nil {
			o.last.next = seen
		}
		o.last = seen
	}
	return end, seen
}

func (o *opening) begins(b []byte) bool {
	return len(b) >= len(o.text) && string(b[:len(o.text)]) == o.text
}

// resume scans a line from after its opening.
func (o *openings) resume(seen *opening, e *envelope, b []byte) (int, *opening) {
	*e, o.last = seen.envelope, seen
	o.saved++
	at := skipSpace(b, len(seen.text)) // another may have more of it
	if seen.isState {
		return e.resumeState(b, at), seen
	}
	return e.resumeData(b, at), seen
}

// learn is the opening of a line that was scanned; nil when it has none, or none that would be worth it.
func (o *openings) learn(e *envelope, b []byte) *opening {
	value, isState := e.record.data, false
	if value.absent() {
		value, isState = e.state.state, true
	}
	if value.absent() {
		return nil
	}
	at := value.i
	if at > longestOpening {
		return nil
	}
	if seen := o.known[string(b[:at])]; seen != nil {
		return seen
	}
	if len(o.known) >= mostOpenings {
		if o.saved < mostOpenings { // lines that never begin alike are not worth the memory
			return nil
		}
		clear(o.known)
		o.saved, o.last = 0, nil
	}
	seen := &opening{text: string(b[:at]), isState: isState}
	o.text = append(append(o.text[:0], seen.text...), "\n"+pads...)
	if seen.envelope.scan(o.text, 0) != ^at { // the line feed stands where the value should
		return nil
	}
	seen.stream = seen.envelope.state.descriptor(o.text)
	if o.known == nil {
		o.known = map[string]*opening{}
	}
	o.known[seen.text] = seen
	return seen
}
