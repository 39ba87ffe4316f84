package session

import (
	"fmt"

	"sync-sidecar/sidecar/airbyte"
)

// lose notes that rows of a stream did not arrive: it cannot succeed, its full refresh is not committed, and no later state of it is saved.
func (r *read) lose(s *stream, how string) {
	if s.tally.Lose(how) {
		r.logs.Of(s.key).Error(fmt.Sprintf("stream %q: %s", s.descriptor, how))
	}
	r.loader.Freeze(s.index)
}

// defect counts damaged output; what was lost fails its stream (I7).
func (r *read) defect(d *airbyte.Defect) {
	kind := string(d.Kind)
	r.defects[kind]++
	s := r.placeOf(d)
	if s != nil {
		s.count(kind)
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
	r.lineLost(s, d)
}

// count counts damage of a kind.
func (s *stream) count(kind string) { s.countMore(kind, 1) }

// countMore counts n times.
func (s *stream) countMore(kind string, n int64) {
	if s.defects == nil {
		s.defects = map[string]int64{}
	}
	s.defects[kind] += n
}

// lineLost draws the consequences of a line that did not arrive. A full refresh that it may belong to is committed only if a later count of the
// connector agrees (I6). When the connector does not count, no later state of a stream that it may belong to is saved (I1).
func (r *read) lineLost(s *stream, d *airbyte.Defect) {
	for _, other := range r.streams {
		if s == nil || other == s {
			other.tally.Miss(d)
		}
	}
	switch {
	case !d.Lost:
	case s != nil:
		r.lose(s, fmt.Sprintf("line %d of the connector's stdout was lost (%s): %s%s", d.Line, d.Kind, d.Detail, advice(d)))
	default:
		r.lostLines++
		how := fmt.Sprintf("line %d of the connector's stdout was lost (%s) and may have been a row of this stream: %s%s", d.Line, d.Kind, d.Detail,
			advice(d))
		for _, other := range r.streams {
			if other.status != airbyte.StreamComplete && other.tally.Fear(how) {
				r.loader.Freeze(other.index)
			}
		}
	}
}

// advice is what to do about a lost line, where something can be done here.
func advice(d *airbyte.Defect) string {
	if d.Kind != airbyte.DefectOversizeLine {
		return ""
	}
	return fmt.Sprintf("; it has %d: raise that, or leave the stream out", d.Bytes)
}
