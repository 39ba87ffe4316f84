package airbyte

import "bytes"

// relearn is how many lines in a row may begin otherwise before the opening of the last one is taken instead. Rows of interleaved streams never begin
// alike, and should not pay for each other.
const relearn = 8

// opening is how the rows of a stream begin, from the first byte of the line to the value of `data`: mostly they have that in common, to the byte.
// A line with the same beginning goes on from there.
type opening struct {
	text     []byte   // padded; empty at first
	envelope envelope // what a scan of it finds
	others   int      // rows that began otherwise, since the last that did not
}

// scan fills the envelope from the line as envelope.scan does.
func (o *opening) scan(e *envelope, b []byte) int {
	if n := len(o.text) - 1 - padding; n > 0 && bytes.HasPrefix(b, o.text[:n]) {
		*e, o.others = o.envelope, 0
		return e.resume(b, n)
	}
	end := e.scan(b, 0)
	if end > 0 && !e.record.data.absent() {
		if o.others++; o.others >= relearn || len(o.text) == 0 {
			o.learn(b, e.record.data.i)
		}
	}
	return end
}

// learn takes b[:i] as the opening. Its scan ends at the line feed that stands where the data should, in the state from which another can go on.
func (o *opening) learn(b []byte, i int) {
	o.text = append(append(o.text[:0], b[:i]...), "\n"+pads...)
	o.others = 0
	if o.envelope.scan(o.text, 0) != ^i {
		o.text = o.text[:0] // cannot be: the line was scanned as far before
	}
}
