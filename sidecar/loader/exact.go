package loader

import (
	"fmt"
	"time"

	"sync-sidecar/sidecar"
)

// Rows of a table without a primary key are there twice when they are loaded twice. A sidecar.Committer commits them together with the state that
// covers them, so that a run that is killed leaves no row behind which the next run brings again. The batches of such a stream, called exact, end
// where a state came:
//
//   - STREAM states end the batches of their stream. Until one comes, a large batch is loaded while it grows, and not committed.
//   - A GLOBAL or LEGACY state covers all streams: their batches are one group, which is committed as one (group.go).
//   - No state covers the rows of a full refresh that appends: all of them are one load, committed at the good end of the stream.
//
// What comes after the last state of a stream that does not end well is not committed: the next run brings it.

// stateKind is the kind of states that a connector sends.
type stateKind int

const (
	noState stateKind = iota // none came yet that a run goes on from
	ofStreams
	ofAll // GLOBAL or LEGACY
)

// mustBeExact says that rows of the stream may be loaded only once.
func (l *Loader) mustBeExact(config sidecar.StreamConfig) bool {
	keyless := len(config.Table.PrimaryKey) == 0 || l.capabilities.KeepsDuplicates
	again := config.Mode == sidecar.ReplaceWhole || config.Mode == sidecar.ReplaceFirst && !config.Incremental // the next run replaces them
	return l.committer != nil && keyless && !again
}

// waitsForState says that a state covers the stream's rows, without which they are not loaded.
func (s *stream) waitsForState() bool { return s.exact && s.config.Incremental }

// goLive has a large exact batch loaded while it grows, unless it may have to be committed together with others.
func (l *Loader) goLive(s *stream, b *batch) {
	if s.waitsForState() && l.kind != ofStreams {
		return
	}
	b.live = true
	b.users.Add(1)
	l.enqueue(s, b)
}

// cover notes that a state covers the rows of an exact batch so far.
func (b *batch) cover() { b.covered = sidecar.Position{Rows: b.rows, Bytes: b.bytes} }

// isCovered says that no row came since the last state.
func (b *batch) isCovered() bool { return b.covered.Rows == b.rows }

// atCover closes an exact batch at a STREAM state when that is worth a load.
func (l *Loader) atCover(s *stream, now time.Time) {
	b := s.open
	if b == nil || !s.waitsForState() || l.kind != ofStreams {
		return
	}
	b.cover()
	full := b.live || l.full(s, b) || s.ended
	if full || !s.working.Load() && now.Sub(b.since) >= l.config.Batch.StateAge {
		l.closeBatch(s)
	}
	if full {
		l.awaitRoom(s)
	}
}

// atStateOfAll closes the exact batches as a group at a GLOBAL or LEGACY state when that is worth a load.
func (l *Loader) atStateOfAll(now time.Time) {
	full, old := false, false
	for _, s := range l.streams {
		if b := s.open; b != nil && s.waitsForState() {
			b.cover()
			full = full || l.full(s, b)
			old = old || now.Sub(b.since) >= l.config.Batch.StateAge
		}
	}
	if l.replacing() || !full && (!old || l.grouping()) {
		return
	}
	l.awaitGroup()
	l.closeGroup(false)
}

// replacing says that an incremental stream replaces its table as a whole: a state of all streams waits for its end, and so does a group.
func (l *Loader) replacing() bool {
	for _, s := range l.streams {
		if s.config.Mode == sidecar.ReplaceWhole && s.config.Incremental && (!s.ended || s.working.Load()) {
			return true
		}
	}
	return false
}

// tickExact closes exact batches that have become old, where a state covers all their rows.
func (l *Loader) tickExact(now time.Time) {
	old, covered := false, true
	for _, s := range l.streams {
		b := s.open
		if b == nil || !s.waitsForState() {
			continue
		}
		aged := now.Sub(b.since) >= l.config.Batch.Age && l.hasRoom(s)
		old, covered = old || aged, covered && b.isCovered()
		if aged && b.isCovered() && l.kind == ofStreams && !b.live {
			l.closeBatch(s)
		}
	}
	if old && covered && l.kind == ofAll && !l.replacing() && !l.grouping() {
		l.closeGroup(false)
	}
}

// endExact closes the batch of a stream that has ended: all of it, or what its last state covers.
func (l *Loader) endExact(s *stream) {
	switch {
	case s.open == nil && s.whole && s.opened == 0:
		l.endEmpty(s)
	case s.open != nil && (s.whole || l.cutBack(s)):
		l.closeBatch(s)
	}
}

// cutBack leaves in an exact batch what its last state covers; false when that is nothing, and the batch is dropped.
func (l *Loader) cutBack(s *stream) bool {
	b := s.open
	if b.covered.Rows == 0 {
		l.drop(s)
		return false
	}
	if uncovered := b.rows - b.covered.Rows; uncovered > 0 {
		l.logs.Of(s.config.Table.Stream.String()).Info(
			fmt.Sprintf("stream %q: %d rows came after its last state: they are left to the next run", s.config.Table.Stream, uncovered))
		b.bounded.CutTo(b.covered.Rows, b.covered.Bytes)
	}
	return true
}

// Finish closes the batches that waited for a state which did not come, once End was called for every stream. The appender's.
func (l *Loader) Finish() {
	if l.kind != ofAll {
		for _, s := range l.streams {
			if s.waitsForState() {
				l.endExact(s)
			}
		}
		return
	}
	whole := true
	for _, s := range l.streams {
		whole = whole && (s.whole || !s.waitsForState())
	}
	l.closeGroup(!whole)
	for _, s := range l.streams {
		if s.waitsForState() && s.opened == 0 && s.whole {
			l.endEmpty(s)
		}
	}
}
