package airbyte

import "bytes"

// span is the part line[i:j] of a line. The zero span means that the part is absent.
type span struct{ i, j int }

func (s span) in(line []byte) []byte { return line[s.i:s.j] }

func (s span) absent() bool { return s.j == 0 }

// end sets the index after the part and returns it. The part stays absent when j is negative, which says that the scan failed.
func (s *span) end(j int) int {
	s.j = max(j, 0)
	return j
}

// envelope says where the parts of a message are on its line. The scan fills it as it goes, so after a failed scan it still holds the parts before
// the damage.
type envelope struct {
	kind   span // the inside of the string `type`
	state  stateParts
	record recordParts
}

// recordParts says where the members of a `record` object are on the line.
type recordParts struct {
	seen      bool // there is a `record` object
	stream    span // the inside of a string
	namespace span // the inside of a string; absent when null
	data      span // an object
	emittedAt span // a number
	meta      span // an object
	file      bool // `file` is an object
	reference bool // `file_reference` is an object
}

// scan fills the envelope from the JSON object at b[i] and returns the index after it, as the skip functions do. It validates members that the
// envelope does not hold, and skips them. Of members with the same key the last one counts.
func (e *envelope) scan(b []byte, i int) int {
	*e = envelope{}
	if b[i] != '{' {
		return ^i
	}
	if i = skipSpace(b, i+1); b[i] == '}' {
		return i + 1
	}
	if i = e.member(b, i); i < 0 {
		return i
	}
	return e.rest(b, i)
}

// resumeData continues a scan that has reached the value of the record's `data`, at b[i].
func (e *envelope) resumeData(b []byte, i int) int {
	if i = scanObject(b, i, &e.record.data); i < 0 {
		return i
	}
	if i = e.record.rest(b, i); i < 0 {
		return i
	}
	return e.rest(b, i)
}

// resumeState continues a scan that has reached the value of `stream_state`, at b[i].
func (e *envelope) resumeState(b []byte, i int) int {
	if i = e.state.resume(b, i, 1); i < 0 {
		return i
	}
	return e.rest(b, i)
}

// rest scans from after a member to the end of the object.
func (e *envelope) rest(b []byte, i int) int {
	for {
		if i = skipSpace(b, i); b[i] != ',' {
			break
		}
		if i = e.member(b, skipSpace(b, i+1)); i < 0 {
			return i
		}
	}
	if b[i] != '}' {
		return ^i
	}
	return i + 1
}

// member scans the member at b[i].
func (e *envelope) member(b []byte, i int) int {
	name, at := scanKey(b, i)
	if at < 0 {
		return at
	}
	switch string(name) {
	case "type":
		return scanString(b, at, 1, &e.kind)
	case "record":
		return e.record.scan(b, at)
	case "state":
		return e.state.scan(b, at, 1)
	default:
		return skipValue(b, at, 1)
	}
}

// scan fills the parts from the value of `record`, at b[i].
func (r *recordParts) scan(b []byte, i int) int {
	*r = recordParts{}
	if b[i] != '{' {
		return skipValue(b, i, 1)
	}
	r.seen = true
	if i = skipSpace(b, i+1); b[i] == '}' {
		return i + 1
	}
	if i = r.member(b, i); i < 0 {
		return i
	}
	return r.rest(b, i)
}

// rest scans from after a member to the end of the record.
func (r *recordParts) rest(b []byte, i int) int {
	for {
		if i = skipSpace(b, i); b[i] != ',' {
			break
		}
		if i = r.member(b, skipSpace(b, i+1)); i < 0 {
			return i
		}
	}
	if b[i] != '}' {
		return ^i
	}
	return i + 1
}

// member scans the member at b[i].
func (r *recordParts) member(b []byte, i int) int {
	name, at := scanKey(b, i)
	if at < 0 {
		return at
	}
	switch string(name) {
	case "stream":
		return scanString(b, at, 2, &r.stream)
	case "namespace":
		return scanString(b, at, 2, &r.namespace)
	case "data":
		return scanObject(b, at, &r.data)
	case "emitted_at":
		return scanNumber(b, at, &r.emittedAt)
	case "meta":
		return scanObject(b, at, &r.meta)
	case "file":
		r.file = b[at] == '{'
		return skipValue(b, at, 2)
	case "file_reference":
		r.reference = b[at] == '{'
		return skipValue(b, at, 2)
	default:
		return skipValue(b, at, 2)
	}
}

// scanKey skips a key as skipKey does and returns it unescaped as name.
func scanKey(b []byte, i int) (name []byte, at int) {
	if b[i] != '"' {
		return nil, ^i
	}
	end := skipString(b, i+1)
	if end < 0 {
		return nil, end
	}
	name = b[i+1 : end-1]
	for _, c := range name {
		if c == '\\' {
			name = unescape(nil, name)
			break
		}
	}
	if b[end] == ':' && b[end+1] > ' ' {
		return name, end + 1
	}
	return name, skipColon(b, end)
}

// scanString skips a value within depth objects. It sets s to the inside of the string, or to absent when the value is not a string.
func scanString(b []byte, i, depth int, s *span) int {
	*s = span{}
	if b[i] != '"' {
		return skipValue(b, i, depth)
	}
	j := skipString(b, i+1)
	if j > 0 {
		*s = span{i + 1, j - 1}
	}
	return j
}

// scanMembers skips a value within depth objects. When the value is an object, it calls member for each member, with the unescaped key, the index of
// the member's value, and the number of objects around that. member skips its value and returns as the skip functions do.
func scanMembers(b []byte, i, depth int, member func(b, key []byte, at, depth int) int) int {
	if b[i] != '{' {
		return skipValue(b, i, depth)
	}
	if i = skipSpace(b, i+1); b[i] == '}' {
		return i + 1
	}
	key, at := scanKey(b, i)
	if at < 0 {
		return at
	}
	return scanRest(b, member(b, key, at, depth+1), depth, member)
}

// scanRest skips from after a member to the end of its object, which is within depth objects. It calls member as scanMembers does.
func scanRest(b []byte, i, depth int, member func(b, key []byte, at, depth int) int) int {
	for {
		if i < 0 {
			return i
		}
		if i = skipSpace(b, i); b[i] != ',' {
			break
		}
		key, at := scanKey(b, skipSpace(b, i+1))
		if at < 0 {
			return at
		}
		i = member(b, key, at, depth+1)
	}
	if b[i] != '}' {
		return ^i
	}
	return i + 1
}

// scanValue skips a value within depth objects and sets s to it.
func scanValue(b []byte, i, depth int, s *span) int {
	*s = span{}
	j := skipValue(b, i, depth)
	if j > 0 {
		*s = span{i, j}
	}
	return j
}

// scanObject skips the value of a record's member. It sets s to the value, or to absent when the value is not an object.
func scanObject(b []byte, i int, s *span) int {
	*s = span{}
	if b[i] != '{' {
		return skipValue(b, i, 2)
	}
	j := skipObject(b, i+1, 3)
	if j > 0 {
		*s = span{i, j}
	}
	return j
}

// scanNumber skips the value of a record's member. It sets s to the value, or to absent when the value is not a number.
func scanNumber(b []byte, i int, s *span) int {
	*s = span{}
	j := skipValue(b, i, 2)
	if j > 0 && (b[i] == '-' || isDigit(b[i])) {
		*s = span{i, j}
	}
	return j
}

// descriptor names the stream of the record; false when the scan did not reach the stream's name.
func (e *envelope) descriptor(b []byte) (StreamDescriptor, bool) {
	if e.record.stream.absent() {
		return StreamDescriptor{}, false
	}
	name := unescape(nil, e.record.stream.in(b))
	namespace := unescape(nil, e.record.namespace.in(b))
	return StreamDescriptor{Name: string(name), Namespace: string(namespace)}, true
}

// messageType is `type` in capitals; empty when it is absent or not a string.
func (e *envelope) messageType(b []byte) Type {
	if string(e.kind.in(b)) == string(TypeState) { // without an allocation: there may be as many states as rows
		return TypeState
	}
	return Type(bytes.ToUpper(unescape(nil, e.kind.in(b))))
}
