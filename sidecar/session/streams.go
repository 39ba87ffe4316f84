package session

import (
	"fmt"
	"strings"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/logs"
)

func (s *stream) is(namespace, name []byte) bool {
	return string(name) == s.descriptor.Name && string(namespace) == s.descriptor.Namespace
}

// find is the stream that a message names; nil when that cannot be told. Some connectors leave the namespace out, or spell it otherwise than in their
// catalog: when only one stream has the name, it is taken, with a warning. When several have it, ambiguous is called, and so it is when some have it
// in other capitals: that is hardly another stream which nobody asked for. When none has it, the message is counted, and the first one warned of
// (I7). what says in warnings what the message is.
func (r *read) find(namespace, name []byte, what string, ambiguous func(candidates []*stream, how string)) *stream {
	if last := r.last; last != nil {
		if last.is(namespace, name) {
			return last
		}
		if next := last.next; next != nil && next.is(namespace, name) {
			r.last = next
			return next
		}
	}
	candidates := r.byName[string(name)]
	for _, stream := range candidates {
		if stream.is(namespace, name) {
			if r.last != nil {
				r.last.next = stream
			}
			r.last = stream
			return stream
		}
	}
	called := airbyte.StreamDescriptor{Namespace: string(namespace), Name: string(name)}
	switch len(candidates) {
	case 0:
		if like := r.alike(called); len(like) > 0 && ambiguous != nil {
			ambiguous(like, fmt.Sprintf("%s of stream %q came, which the catalog spells %s", what, called, names(like)))
			return nil
		}
		r.unknownStream(called.String(), what)
		return nil
	case 1:
		r.tellOnce(candidates[0], logs.CutBrief(fmt.Sprintf("the connector calls stream %q %q: taken for the same, since no other has that name",
			candidates[0].descriptor, called)))
		return candidates[0]
	}
	if ambiguous != nil {
		ambiguous(candidates, fmt.Sprintf("%s of stream %q came, and several streams of the catalog have that name: %s", what, called, names(candidates)))
	}
	return nil
}

// alike are the streams whose name, with its namespace or without, is that of a descriptor in other capitals.
func (r *read) alike(called airbyte.StreamDescriptor) []*stream {
	if like, known := r.likes[called]; known || len(r.likes) >= maxUnknown {
		return like
	}
	var like []*stream
	for _, s := range r.streams {
		if strings.EqualFold(s.descriptor.Name, called.Name) || strings.EqualFold(s.descriptor.String(), called.String()) {
			like = append(like, s)
		}
	}
	if r.likes == nil {
		r.likes = map[airbyte.StreamDescriptor][]*stream{}
	}
	r.likes[called] = like
	return like
}

// of is the stream of a descriptor.
func (r *read) of(d airbyte.StreamDescriptor, what string) *stream {
	return r.find([]byte(d.Namespace), []byte(d.Name), what, r.tellAll)
}

// placeOf is the stream that a damaged line names; nil when it names none.
func (r *read) placeOf(d *airbyte.Defect) *stream {
	if !d.Known {
		return nil
	}
	return r.find([]byte(d.Stream.Namespace), []byte(d.Stream.Name), "a damaged line", nil)
}

// tellOnce warns of something about a stream, the first time.
func (r *read) tellOnce(s *stream, text string) {
	if s.told[text] {
		return
	}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	const most = 10
	if len(s.told) < most {
		s.told[text] = true
		r.warnOf(s.key, text)
	}
}

// tellAll warns of something that may be about several streams, the first time.
func (r *read) tellAll(candidates []*stream, how string) { r.tellOnce(candidates[0], how+": ignored") }

// loseAll fails the streams that a row may belong to.
func (r *read) loseAll(candidates []*stream, how string) {
	r.defects[unknownStream]++
	for _, s := range candidates {
		r.lose(s, how+": it could not be told whose it is")
	}
}

// names of streams, for people.
func names(streams []*stream) string {
	quoted := make([]string, len(streams))
	for i, s := range streams {
		quoted[i] = fmt.Sprintf("%q", s.descriptor)
	}
	return strings.Join(quoted, ", ")
}

// unknownStream is the defect kind of messages of streams that are not in the catalog.
const unknownStream = "unknown_stream"

// maxUnknown bounds how many unknown streams are told apart.
const maxUnknown = 1000

// unknownStream counts a message of a stream that is not in the catalog, and warns of the first one.
func (r *read) unknownStream(name, what string) {
	r.defects[unknownStream]++
	name = logs.CutBrief(name)
	if len(r.unknown) < maxUnknown {
		r.unknown[name]++
	}
	if r.unknown[name] == 1 {
		r.warn(fmt.Sprintf("%s of stream %q, which is not in the catalog: ignored (and so are further ones)", what, name))
	}
}
