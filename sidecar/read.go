package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// settleTime is how long loads may still take after a deadline of the source has passed.
const settleTime = 10 * time.Minute

// read is the session of the read command.
type read struct {
	*session
	delivery *delivery
	keeper   *keeper
	streams  []*streamRead
	byName   map[string]map[string]*streamRead // namespace → name
	last     *streamRead                       // of the last record: the next is most likely of the same stream

	statuses  bool
	moved     bool // a row or a state came
	lostLines int64
	strays    map[string]int64 // rows and states of streams that are not in the catalog
	sinceWide int64            // rows since the last GLOBAL or LEGACY state
	lastWide  []byte           // that state
	cut       *airbyte.Defect  // the last line of stdout, when it was cut
	extra     []byte           // reused: members spliced into a row
	gaveUp    bool             // reading was stopped because nothing can come of it
	progress  string           // the last progress shown
	shown     time.Time
}

func newRead(s *session, destination Destination) *read {
	r := &read{session: s, byName: map[string]map[string]*streamRead{}, strays: map[string]int64{}}
	r.keeper = newKeeper(s.journal, s.logs)
	for i, config := range s.config.Streams {
		stream := &streamRead{index: i, descriptor: config.Table.Stream, key: config.Table.Stream.String(), defects: map[string]int64{}}
		r.streams = append(r.streams, stream)
		names := r.byName[stream.descriptor.Namespace]
		if names == nil {
			names = map[string]*streamRead{}
			r.byName[stream.descriptor.Namespace] = names
		}
		names[stream.descriptor.Name] = stream
	}
	s.handle = r.handle
	// The loads outlive the signal that cancels the session: they are stopped by stopLoads.
	r.delivery = newDelivery(context.Background(), &s.mu, s.config, destination, s.logs, r.keeper.save) //nolint:forbidigo // see above
	return r
}

// run reads, delivers, and records the verdict.
func (r *read) run(ctx context.Context) Report {
	first, cancelFirst := context.WithTimeout(ctx, journalTimeout)
	err := r.journal.SaveTask(first, TaskRecord{Status: StatusRunning, Description: r.description(nil)})
	cancelFirst()
	if err != nil {
		r.logs.Warn(fmt.Sprintf("%s: status RUNNING could not be recorded: %v", r.journal, err))
	}
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	quit := make(chan struct{})
	background.Go(func() { r.keeper.run(keeping, quit, r.runningTask) })
	background.Go(func() { r.watch(ctx, quit, r.tick) })

	r.listen(ctx)
	r.finishStreams()
	r.awaitLoads(ctx)
	finishing, cancelFinishing := untilAfter(ctx, r.finishingGrace)
	r.finishRows(finishing)
	cancelFinishing()
	close(quit)
	forget := context.AfterFunc(ctx, stopKeeping) // after a signal there is no time for a journal that hangs
	background.Wait()
	forget()
	stopKeeping()

	final, cancel := r.finalContext(ctx)
	defer cancel()
	var report Report
	err = r.keeper.finish(final, func(unsaved error) TaskRecord {
		report = r.verdict(unsaved)
		return TaskRecord{Status: report.Status, Error: report.Cause, Description: r.description(report.Streams)}
	})
	if err != nil {
		report.Cause = joinCause(report.Cause, r.logs.Masked(fmt.Sprintf("the verdict could not be recorded in %s: %v", r.journal, err)))
		report.ExitCode = exitCodeOf(report.Status, true, r.signal)
	}
	r.close()
	return report
}

func joinCause(cause, more string) string {
	if cause == "" {
		return more
	}
	return cause + "; " + more
}

// tick closes old batches and shows progress. It is called with mu held.
func (r *read) tick(now time.Time) {
	r.delivery.tick()
	if r.stopped != "" {
		r.delivery.hurry()
	}
	if r.source != nil && !r.gaveUp && r.pointless() {
		// Whoever runs us should know now, not when the source is done.
		r.gaveUp = true
		if err := r.source.readBy(now); err != nil {
			r.warn(fmt.Sprintf("stop reading: %v", err))
		}
	}
	if r.config.ProgressEvery > 0 && now.Sub(r.shown) >= r.config.ProgressEvery {
		r.showProgress(now)
	}
}

// pointless says that nothing more can come of this session: no row can be delivered any more, or another run of the sync has taken over.
func (r *read) pointless() bool {
	if keeper, ok := r.journal.(LockKeeper); ok && r.fault == nil {
		if err := keeper.LockError(); errors.Is(err, ErrLocked) {
			r.fault = err
			r.delivery.stop(err)
		}
	}
	return r.fault != nil || r.delivery.failed()
}

// showProgress logs a snapshot when something has changed since the last one.
func (r *read) showProgress(now time.Time) {
	report := r.report()
	report.Status, report.Streams, report.StatesSaved = StatusRunning, r.streamReports(nil), r.keeper.count()
	var rows, acked, bytes int64
	for _, s := range report.Streams {
		rows, acked, bytes = rows+s.Read, acked+s.Rows, bytes+s.Bytes
	}
	line := fmt.Sprintf("%d rows read, %d delivered (%.1f MB)", rows, acked, float64(bytes)/1e6)
	if line == r.progress {
		return
	}
	r.progress, r.shown = line, now
	r.logs.Event(EventProgress, line, report)
}

// runningTask is the task's record while the source is read.
func (r *read) runningTask() TaskRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return TaskRecord{Status: StatusRunning, Description: r.description(r.streamReports(nil))}
}

// finishStreams closes what the source has left open: rows that can be delivered are, a full refresh that did not end well is dropped (I6).
func (r *read) finishStreams() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == StopSignal {
		r.delivery.hurry()
	}
	if r.cut != nil && r.stdoutEOF && exitGood(r.exit) {
		// A source that was killed leaves half a line, which no state covers; one that ended by itself has lost a message.
		r.lost(r.find([]byte(r.cut.Stream.Namespace), []byte(r.cut.Stream.Name)), r.cut)
	}
	wellEnded := r.stopped == "" && r.fault == nil && r.stdoutEOF && !r.statuses && exitGood(r.exit) && r.sourceError == "" && r.messages > 0 &&
		r.cut == nil && (r.moved || r.exit.Known == ExitStatus)
	for _, s := range r.streams {
		whole := s.status == airbyte.StreamComplete || wellEnded && s.err == ""
		s.whole = whole && s.sound()
		r.endStream(s, s.whole)
	}
}

// finishRows lets the destination finish the streams whose rows are all there. What a signal leaves no time for, the next run does.
func (r *read) finishRows(ctx context.Context) {
	finisher, ok := r.delivery.destination.(Finisher)
	if !ok {
		return
	}
	var whole []*streamRead
	var names []airbyte.StreamDescriptor
	for _, s := range r.streams {
		if s.whole && r.delivery.streams[s.index].err == nil {
			whole, names = append(whole, s), append(names, s.descriptor)
		}
	}
	if len(whole) == 0 {
		return
	}
	err := finisher.Finish(ctx, names)
	for i := 0; err != nil && i < len(whole); i++ {
		if r.hurried() {
			r.logs.Warn(fmt.Sprintf("the rows could not be finished before the session had to end: %v", err))
			return
		}
		// One after the other tells whose fault it is.
		if failure := finisher.Finish(ctx, names[i:i+1]); failure != nil {
			r.mu.Lock()
			r.delivery.fail(r.delivery.streams[whole[i].index], failure)
			r.mu.Unlock()
		}
	}
}

// endStream ends the delivery of a stream.
func (r *read) endStream(s *streamRead, whole bool) {
	delivery := r.delivery.streams[s.index]
	if s.ended.IsZero() {
		s.ended = time.Now()
	}
	if !whole && delivery.config.Whole && delivery.err == nil {
		s.aborted = true
	}
	if whole && delivery.config.Whole && s.read == 0 && !r.delivery.limits.ReplaceEmpty && !delivery.ended {
		r.warn(fmt.Sprintf("stream %q is empty: %s cannot empty a table over HTTP, so table %q keeps the rows it has",
			s.descriptor, r.delivery.destination, delivery.config.Table.Name))
	}
	r.delivery.end(delivery, whole)
}

// awaitLoads waits until everything read is loaded or given up. After a signal or a passed deadline the time for that is bounded.
func (r *read) awaitLoads(ctx context.Context) {
	done := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() { r.delivery.wait(); close(done) })
	defer background.Wait()
	signalled := ctx.Done()
	for {
		var enough <-chan time.Time
		if limit := r.loadsUntil(); !limit.IsZero() {
			enough = time.After(time.Until(limit))
		}
		select {
		case <-done:
			return
		case <-enough:
			r.delivery.stop(errLoadsCut)
			return
		case <-signalled:
			signalled = nil
			r.mu.Lock()
			r.noteSignal(ctx)
			r.delivery.hurry()
			r.mu.Unlock()
		}
	}
}

// verdict decides the outcome.
func (r *read) verdict(unsaved error) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	evidence := Evidence{Exit: r.exit, StdoutEOF: r.stdoutEOF, StderrEOF: r.stderrEOF, Messages: r.messages, Statuses: r.statuses,
		Stopped: r.stopped, SourceError: r.sourceError, Fault: r.fault, LostLines: r.lostLines, Unsaved: unsaved,
		Bare: !r.moved && !r.statuses}
	for _, s := range r.streams {
		delivery, lost := r.delivery.streams[s.index], s.lost
		if lost == "" && s.aborted {
			lost = s.doubt
		}
		evidence.Streams = append(evidence.Streams, StreamEvidence{Stream: s.descriptor, Last: s.status, Error: s.err, Read: s.read,
			Acked: delivery.acked.Rows, LoadError: delivery.err, Lost: lost, CountsSeen: s.counted && s.doubt == "", Aborted: s.aborted})
	}
	verdict := Decide(evidence)
	report := r.report()
	report.Status, report.Cause = verdict.Status, r.logs.Masked(verdict.Cause)
	report.Streams = r.streamReports(verdict.Streams)
	report.ExitCode = exitCodeOf(verdict.Status, verdict.Environment, r.signal)
	report.StatesSaved, report.StatesUnsaved = r.keeper.count(), r.keeper.unsaved()
	report.Destination = r.delivery.destination.String()
	return report
}
