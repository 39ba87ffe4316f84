package session

import (
	"fmt"
	"slices"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// With a StreamLimit a read ends when every stream has so many rows, or has ended. Of a stream that has more, the first ones are delivered, and no
// state that came after them is saved (I1): the next read has the rest. A connector that reads one stream after the other says all of the first
// before it comes to the next; a round (StreamLimitRound) ends in the middle of that, and whoever started it asks again for the streams that were not
// reached.

// patience is how many rows over its limit a stream may send while others wait for their turn: so many times the limit, and patienceRows at least. A
// stream that ends by itself meanwhile costs no second run of the connector.
const (
	patience     = 20
	patienceRows = 1000
)

// overLimit says that a row is more than its stream is to have. The reader's, as everything in this file.
func (r *read) overLimit(s *stream) bool {
	limit := r.config.StreamLimit
	if limit == 0 || s.read < limit {
		return false
	}
	s.over++
	switch {
	case !s.cut:
		s.cut = true
		r.checkLimit()
	case r.config.StreamLimitRound > 0 && s.over > max(patience*limit, patienceRows):
		r.stopAtLimit()
	}
	return true
}

// checkLimit ends the reading when every stream has ended, or has more than it is to have. When all have ended, the connector is about to, too.
func (r *read) checkLimit() {
	running := false
	for _, s := range r.streams {
		if s.saidEnd() {
			continue
		}
		if running = true; !s.cut {
			return
		}
	}
	if running {
		r.stopAtLimit()
	}
}

// saidEnd says that the connector has ended the stream, well or not.
func (s said) saidEnd() bool {
	return s.status == airbyte.StreamComplete || s.status == airbyte.StreamIncomplete
}

// stopAtLimit ends the reading in the middle of what the connector says: whoever started it ends it, or its pipes do, which close.
func (r *read) stopAtLimit() {
	if r.enough {
		return
	}
	r.enough = true
	for _, s := range r.streams {
		s.cut = s.cut || s.read > 0 && !s.saidEnd()
		s.unreached = s.read == 0 && !s.saidEnd()
	}
	r.logs.Info(fmt.Sprintf("enough rows came: %d of a stream are wanted (STREAM_LIMIT)", r.config.StreamLimit))
	r.readBy(time.Now())
}

// aheadOfRows says that a state of all streams covers rows that were left out, or may do so.
func (r *read) aheadOfRows() bool {
	return r.config.StreamLimitRound > 1 ||
		r.config.StreamLimit > 0 && slices.ContainsFunc(r.streams, func(s *stream) bool { return s.cut && s.config.Incremental })
}

// endCut ends a stream of which only the first rows are delivered. The next read goes on from its last state, or starts over where there is none.
// What came after that state comes again: where it would be there twice it is left to that read.
func (r *read) endCut(s *stream) {
	s.stated = s.stated || r.statedAll
	sound, startsOver := s.tally.Sound(), s.config.Mode != sidecar.Append && !s.stated
	s.whole = sound && (!s.config.Incremental || s.stated)
	r.endStream(s, sound && (!s.config.Incremental || startsOver))
}

// unfinished says that the next read brings the stream's rows again, from the first one.
func (s said) unfinished(config sidecar.StreamConfig) bool {
	return s.unreached || s.cut && config.Incremental && !s.stated
}

// hasMore says that a stream has more rows than are wanted. Of one that was cut before it had so many, nobody knows.
func (s said) hasMore(limit int64) bool { return s.cut && s.read >= limit }

// limitNote says what there is of a stream that has more rows.
func (s said) limitNote(config sidecar.StreamConfig, delivered, limit int64) string {
	switch {
	case s.unreached:
		return "the connector did not come to it"
	case !s.hasMore(limit):
		return ""
	case !config.Incremental:
		return fmt.Sprintf("only its first %d rows, as was asked for: the next read replaces them by all", s.read)
	case delivered < s.read:
		return fmt.Sprintf("%d of its first %d rows, as was asked for: no state came for the others, which the next read brings with the rest",
			delivered, s.read)
	}
	return fmt.Sprintf("only its first %d rows, as was asked for: the next read has the rest", s.read)
}
