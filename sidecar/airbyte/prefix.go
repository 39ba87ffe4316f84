package airbyte

const (
	// maxPrefixes is how many prefixes are kept: those of the rows and the states of some hundred interleaved streams.
	maxPrefixes = 1024
	// maxPrefixBytes is the longest prefix that is kept. A longer one holds more than names and would rarely come again.
	maxPrefixBytes = 1 << 10
)

// prefix is the beginning of a line up to the one value that differs from line to line: the data of a row, or the state of a STREAM state.
// Lines of one stream mostly share it byte for byte, so the scan of such a line starts after it.
type prefix struct {
	text     string
	envelope envelope         // what a scan of text finds
	isState  bool             // the line is a state, not a row
	stream   StreamDescriptor // of a state
	next     *prefix          // of the line that followed the last line with this prefix
}

// prefixCache keeps the prefixes of earlier lines. Streams that take turns mostly do so in a fixed order, so each prefix remembers the one that
// followed it, and that one is tried first.
type prefixCache struct {
	known map[string]*prefix
	last  *prefix // of the line before; after scan, of the current line
	saved int     // lines whose scan a prefix has shortened since the cache was last emptied
	text  []byte  // reused by learn
}

// scan fills the envelope from the line and returns the index after the object, both as envelope.scan does. p is the prefix of the line, nil when
// it has none.
func (c *prefixCache) scan(e *envelope, b []byte) (end int, p *prefix) {
	if last := c.last; last != nil {
		switch {
		case last.next != nil && last.next.begins(b):
			return c.resume(last.next, e, b)
		case last.begins(b):
			last.next = last
			return c.resume(last, e, b)
		}
	}
	if end = e.scan(b, 0); end < 0 {
		return end, nil
	}
	if p = c.learn(e, b); p != nil {
		if c.last != nil {
			c.last.next = p
		}
		c.last = p
	}
	return end, p
}

func (p *prefix) begins(b []byte) bool {
	return len(b) >= len(p.text) && string(b[:len(p.text)]) == p.text
}

// resume scans the part of the line that follows its prefix.
func (c *prefixCache) resume(p *prefix, e *envelope, b []byte) (int, *prefix) {
	*e, c.last = p.envelope, p
	c.saved++
	at := skipSpace(b, len(p.text)) // this line may have more white space there than the one that the prefix was learnt from
	if p.isState {
		return e.resumeState(b, at), p
	}
	return e.resumeData(b, at), p
}

// learn returns the prefix of a scanned line and keeps it; nil when the line has none, or none that is worth keeping.
func (c *prefixCache) learn(e *envelope, b []byte) *prefix {
	value, isState := e.record.data, false
	if value.absent() {
		value, isState = e.state.state, true
	}
	if value.absent() {
		return nil
	}
	at := value.i
	if at > maxPrefixBytes {
		return nil
	}
	if p := c.known[string(b[:at])]; p != nil {
		return p
	}
	if len(c.known) >= maxPrefixes {
		if c.saved < maxPrefixes { // the lines never begin alike, so another set of prefixes would not help either
			return nil
		}
		clear(c.known)
		c.saved, c.last = 0, nil
	}
	p := &prefix{text: string(b[:at]), isState: isState}
	c.text = append(append(c.text[:0], p.text...), "\n"+pads...)
	if p.envelope.scan(c.text, 0) != ^at { // the scan must fail at the line feed, which stands where the value did
		return nil
	}
	p.stream = p.envelope.state.descriptor(c.text)
	if c.known == nil {
		c.known = map[string]*prefix{}
	}
	c.known[p.text] = p
	return p
}
