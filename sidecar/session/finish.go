package session

import (
	"context"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/verdict"
)

// finishStreams ends the streams that the connector has not ended: rows that can be delivered are delivered; a full refresh that did not end well is
// dropped (I6). The reader's.
func (r *read) finishStreams() {
	if r.cut != nil && r.end.stdoutEOF && verdict.ExitGood(r.end.exit) {
		// A connector that was killed leaves half a line, which no state covers. One that ended by itself with half a line has lost a message.
		r.lineLost(r.placeOf(r.cut), r.cut)
	}
	endedWell := r.cut == nil && verdict.EndedWell(r.evidence(r.snapshot()))
	for _, s := range r.streams {
		if s.cut {
			r.endCut(s)
			continue
		}
		whole := s.status == airbyte.StreamComplete || endedWell && s.err == ""
		s.whole = whole && s.tally.Sound()
		r.endStream(s, s.whole)
	}
}

// finishRows lets the destination finish the streams whose rows are all there. What a signal leaves no time for, the next run does.
func (r *read) finishRows(ctx context.Context) {
	finisher, ok := r.destination.(sidecar.Finisher)
	if !ok {
		return
	}
	var whole []*stream
	var names []airbyte.StreamDescriptor
	progress := r.loader.Progress()
	for _, s := range r.streams {
		if s.whole && progress[s.index].Err == nil {
			whole, names = append(whole, s), append(names, s.descriptor)
		}
	}
	if len(whole) == 0 {
		return
	}
	err := finisher.Finish(ctx, names)
	for i := 0; err != nil && i < len(whole); i++ {
		if r.stopping.signalled() {
			r.logs.Warn(fmt.Sprintf("the rows could not be finished before the session had to end: %v", err))
			return
		}
		// One after the other tells whose fault it is.
		if failure := finisher.Finish(ctx, names[i:i+1]); failure != nil {
			r.loader.Fail(whole[i].index, failure)
		}
	}
}

// endStream ends the delivery of a stream. The reader's.
func (r *read) endStream(s *stream, whole bool) {
	if s.ended.IsZero() {
		s.ended = time.Now()
	}
	refresh := s.config.Mode == sidecar.ReplaceWhole
	if !whole && refresh {
		s.aborted = true // unless its delivery has failed, which then is the reason
	}
	if whole && refresh && s.read == 0 && !r.capabilities.ReplaceEmpty && !r.loader.Ended(s.index) {
		s.note = fmt.Sprintf("the stream is empty: %s cannot empty a table, so %q keeps the rows it has", r.destination, s.config.Placement.Name)
		r.warnOf(s.key, fmt.Sprintf("stream %q: %s", s.descriptor, s.note))
	}
	if whole {
		r.forget(s)
		r.forgetReplaced(s)
	}
	r.loader.End(s.index, whole)
}
