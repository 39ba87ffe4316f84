package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/loader"
	"sync-sidecar/sidecar/shutdown"
	"sync-sidecar/sidecar/tally"
)

// read is the session of the read command.
type read struct {
	*session
	destination  sidecar.Destination
	capabilities sidecar.Capabilities
	reserved     reservedKeys
	loader       *loader.Loader
	seen         atomic.Pointer[snapshot]

	// The watch goroutine's:
	lockLost error // another run of the sync has taken over
	gaveUp   bool  // reading was stopped because nothing can come of it
	progress string
	shown    time.Time

	// The reader's:
	streams   []*stream
	byName    map[string][]*stream
	last      *stream // of the last record: the next is most likely of the same stream
	statuses  bool
	moved     bool // a row or a state came
	lostLines int64
	unknown   map[string]int64                       // rows and states of streams that are not in the catalog
	likes     map[airbyte.StreamDescriptor][]*stream // what such a stream is like (alike)
	global    tally.Global
	statedAll bool                 // a GLOBAL or LEGACY state came
	earlier   map[string]bool      // keys of the STREAM states of earlier runs
	ofAll     []sidecar.SavedState // GLOBAL and LEGACY ones of earlier runs
	commits   bool                 // the destination commits states with rows
	savedAll  atomic.Bool          // a GLOBAL or LEGACY state of this run may be saved
	cut       *airbyte.Defect      // the last line of stdout, when it was cut
	extra     []byte               // reused: members spliced into a row
	published int64                // what the last snapshot had counted

	incremental int // streams that the next run goes on with from their states

	// Run's own:
	changed map[airbyte.StreamDescriptor]string // what the destination changed of their values, for people
}

func newRead(s *session, destination sidecar.Destination) *read {
	r := &read{session: s, destination: destination, capabilities: destination.Capabilities(), byName: map[string][]*stream{},
		unknown: map[string]int64{}, earlier: map[string]bool{}}
	_, r.commits = destination.(sidecar.Committer)
	for _, state := range s.config.Earlier {
		switch all := sidecar.OfAllStreams(state.Key); {
		case sidecar.IsNullState(state.State):
		case all && !slices.ContainsFunc(r.ofAll, func(known sidecar.SavedState) bool { return known.Key == state.Key }):
			r.ofAll = append(r.ofAll, state)
		case all: // the journal's and the destination's
		default:
			r.earlier[state.Key] = true
		}
	}
	if !s.config.AllowReservedKeys {
		r.reserved = newReservedKeys(r.capabilities.ReservedKeys)
	}
	for i, config := range s.config.Streams {
		stream := &stream{index: i, config: config, descriptor: config.Table.Stream, key: config.Table.Stream.String()}
		r.streams = append(r.streams, stream)
		r.byName[stream.descriptor.Name] = append(r.byName[stream.descriptor.Name], stream)
		if config.Incremental {
			r.incremental++
		}
	}
	s.handle, s.tick = r.handle, r.tick
	return r
}

// run reads, delivers, and records the verdict.
func (r *read) run(ctx context.Context) sidecar.Report {
	r.recorder.Begin(ctx, func(ctx context.Context) error {
		return r.journal.SaveTask(ctx, sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: r.description(nil)})
	})
	lasting := context.WithoutCancel(ctx) // loads and states outlive the signal; package shutdown says for how long
	r.loader = loader.New(lasting, r.config.Load, r.config.Streams, r.destination, r.logs, r.saveable)
	for i, stream := range r.config.Streams {
		if stream.Placement.Err != nil {
			r.loader.Fail(i, stream.Placement.Err)
		}
	}
	opening, abandon := context.WithCancel(ctx)
	defer abandon()
	r.abandon = abandon
	r.publish(true)
	r.watched(r.live)

	keeping, stopKeeping := context.WithCancel(lasting)
	var background sync.WaitGroup
	quit := make(chan struct{})
	background.Go(func() { r.recorder.Run(keeping, quit, r.runningTask) })
	background.Go(func() { r.watch(ctx, quit, r.loader.Hurry, r.look) })
	gone := r.deliver(opening)
	if gone != nil {
		r.warn(gone.Error())
	} else {
		finishing, cancel := r.bound(ctx, shutdown.Rows)
		r.finishRows(finishing)
		cancel()
	}
	close(quit)
	forget := context.AfterFunc(ctx, stopKeeping) // after a signal there is no time for a journal that hangs
	background.Wait()
	r.tellChanges()
	r.noteSignal(ctx) // it may have come with the end
	forget()
	stopKeeping()
	report := r.conclude(ctx, gone)
	r.close()
	return report
}

// saveable takes states that may be saved: see loader.New.
func (r *read) saveable(order int64, states []sidecar.SavedState) {
	for _, state := range states {
		if sidecar.OfAllStreams(state.Key) {
			r.savedAll.Store(true)
		}
	}
	r.recorder.Save(order, states)
}

// deliver reads the connector's output, for whose pipes it waits until ctx ends, and loads the rows. An error says that the reader or a load hangs
// and was left behind.
func (r *read) deliver(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.listen(ctx)
		r.finishStreams()
		r.loader.Finish()
		r.publish(true)
		r.loader.Wait()
		r.forgetAll()
	}()
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		var enough <-chan time.Time
		if limit := r.stopping.loadsEnd(r.config.Deadlines.Shutdown); !limit.IsZero() {
			enough = time.After(time.Until(limit))
		}
		select {
		case <-done:
			return nil
		case <-ticker.C: // there may be a limit now
		case <-enough:
			r.loader.Stop(loader.ErrCut)
			r.readBy(time.Now())
			select {
			case <-done:
				return nil
			case <-time.After(min(cutPatience, r.stopping.left(shutdown.Rows, r.config.Deadlines.Shutdown))):
				return errHangs
			}
		}
	}
}

// cutPatience is how long loads and the reader may take to notice that they are given up, if there is so much time.
const cutPatience = time.Second

// errHangs is why a session ended without waiting for its reader.
var errHangs = errors.New("a disk does not answer: reading or loading was left behind (look at the disk of SPOOL_DIR)")

// conclude saves the last states and the verdict. gone is the error of deliver.
func (r *read) conclude(ctx context.Context, gone error) sidecar.Report {
	final, cancel := r.finalContext(ctx)
	defer cancel()
	var report sidecar.Report
	err := r.recorder.Finish(final, func(unsaved error) sidecar.TaskRecord {
		report = r.verdict(unsaved, gone)
		return sidecar.TaskRecord{Status: report.Status, Error: report.Cause, Description: r.description(report.Streams)}
	})
	if err != nil {
		report.Cause = joinCause(report.Cause, r.logs.Masked(fmt.Sprintf("the verdict could not be recorded in %s: %v", r.journal, err)))
		report.ExitCode = sidecar.ExitCodeOf(report.Status, true, r.stopping.signalNumber())
	}
	return report
}

// finalContext bounds the last writes to the journal: after a signal, which may still come, by the grace period; else by Deadlines.Journal, which
// outlasts a restart of the journal.
func (r *read) finalContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if left := r.stopping.left(shutdown.Verdict, r.config.Deadlines.Shutdown); left < noLimit {
		return context.WithTimeout(context.WithoutCancel(ctx), left)
	}
	lasting, cancel := r.bound(ctx, shutdown.Verdict)
	final, cancelFinal := context.WithTimeout(lasting, r.config.Deadlines.Journal)
	return final, func() { cancelFinal(); cancel() }
}

func joinCause(cause, more string) string {
	if cause == "" {
		return more
	}
	return cause + "; " + more
}

// tick closes old batches and publishes what was seen. The reader's.
func (r *read) tick(now time.Time) {
	r.loader.Tick(now)
	r.publish(false)
}

// look ends a session of which nothing can come any more, and shows progress.
func (r *read) look(now time.Time) {
	if !r.gaveUp && r.connector.Load() != nil && r.pointless() {
		// Whoever started the sync should know now, not when the connector is done.
		r.gaveUp = true
		r.readBy(now)
	}
	if r.config.ProgressEvery > 0 && now.Sub(r.shown) >= r.config.ProgressEvery {
		r.showProgress(now)
	}
}

// pointless says that no row can be delivered any more, or that another run of the sync has taken over.
func (r *read) pointless() bool {
	if keeper, ok := r.journal.(sidecar.LockKeeper); ok && r.lockLost == nil {
		if err := keeper.LockError(); errors.Is(err, sidecar.ErrLocked) {
			r.lockLost = err
			r.loader.Stop(err)
		}
	}
	return r.lockLost != nil || r.loader.Failed()
}

// showProgress logs a snapshot when something has changed since the last one.
func (r *read) showProgress(now time.Time) {
	seen := r.seen.Load()
	report := r.report(seen.defects)
	report.Status, report.Streams, report.StatesSaved = sidecar.StatusRunning, r.streamReports(seen, nil), r.recorder.Saved()
	var rows, acked, bytes int64
	for _, s := range report.Streams {
		rows, acked, bytes = rows+s.Read, acked+s.Rows, bytes+s.Bytes
	}
	line := fmt.Sprintf("%d rows read, %d delivered (%.1f MB)", rows, acked, float64(bytes)/1e6)
	if line == r.progress {
		return
	}
	r.progress, r.shown = line, now
	r.logs.Progress(line, report)
}

// runningTask is the task's record while the connector is read.
func (r *read) runningTask() sidecar.TaskRecord {
	return sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: r.description(r.streamReports(r.seen.Load(), nil))}
}
