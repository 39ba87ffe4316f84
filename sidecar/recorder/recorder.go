// Package recorder writes states, results and the task's status to the journal, and keeps what the journal cannot take until it can.
//
// In come states whose rows are acknowledged (package checkpoint sees to that, I1) and the task's record; out they go to a sidecar.Journal, one write
// after the other. The verdict is tried again and again until its time is over (I2).
package recorder

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// Timeout bounds one write to the journal.
const Timeout = 30 * time.Second

const (
	taskHeartbeat = 10 * time.Second // between two writes of an unchanged task: its updated_at says that the sidecar is alive
	taskInterval  = 2 * time.Second  // between two writes of a changing task
	// stateInterval is between two writes of states: with a connector that sends a state for every row, not every batch makes a write. A run that is
	// killed loses that much more of its progress. The end of a run does not wait for it.
	stateInterval   = 100 * time.Millisecond
	journalRetryMin = 200 * time.Millisecond
	journalRetryMax = 10 * time.Second
)

// Recorder writes states and the task's status to the journal, one after the other, and keeps what the journal cannot take until it can.
type Recorder struct {
	journal sidecar.Journal
	logs    *logs.Logger
	wake    chan struct{}

	mu sync.Mutex
	// +checklocks:mu
	keys []string // of the waiting states, oldest first
	// +checklocks:mu
	waiting map[string]waitingState // by key
	// +checklocks:mu
	newest map[string]int64 // order of the newest state of each key
	// +checklocks:mu
	saved int64 // states
	// +checklocks:mu
	last time.Time // when a state was saved; zero before
	// +checklocks:mu
	failing time.Time // since when the journal does not answer; zero while it does
}

// waitingState is a state that waits to be saved, with its order: a write finds out by it whether a later state has taken its place meanwhile.
type waitingState struct {
	sidecar.SavedState
	order   int64
	refused bool // for its content: it is tried again at the end only, unless a later one takes its place before
}

// New makes a recorder. Run makes it work.
func New(journal sidecar.Journal, logs *logs.Logger) *Recorder {
	return &Recorder{journal: journal, logs: logs, wake: make(chan struct{}, 1), waiting: map[string]waitingState{}, newest: map[string]int64{}}
}

// Save takes states that may be saved. Of the states of a key the one of the highest order counts, whichever comes first. Save does not block.
func (r *Recorder) Save(order int64, states []sidecar.SavedState) {
	if len(states) == 0 {
		return // as for most calls: states wait for their rows
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, state := range states {
		if order < r.newest[state.Key] {
			continue
		}
		r.newest[state.Key] = order
		if _, waits := r.waiting[state.Key]; !waits {
			r.keys = append(r.keys, state.Key)
		}
		r.waiting[state.Key] = waitingState{SavedState: state, order: order}
	}
	r.rewake()
}

// Run saves states as they come, and the task's record, which snapshot gives, when it changes and as a heartbeat. It returns once quit is closed; a
// write that is under way then goes on to its end, or to that of ctx.
func (r *Recorder) Run(ctx context.Context, quit <-chan struct{}, snapshot func() sidecar.TaskRecord) {
	wait := journalBackoff()
	heartbeat, changed := time.NewTicker(taskHeartbeat), time.NewTicker(taskInterval)
	defer heartbeat.Stop()
	defer changed.Stop()
	var last sidecar.TaskRecord
	for {
		look, beat := true, false
		select {
		case <-quit:
			return
		case <-r.wake:
			look = false
		case <-heartbeat.C:
			beat = true
		case <-changed.C:
		}
		saved, err := r.flush(ctx, false)
		if errors.Is(err, sidecar.ErrStateRefused) {
			err = nil // that was logged, and the others are saved
		}
		if look && err == nil {
			if task := snapshot(); beat || task != last {
				if err = r.try(ctx, func(ctx context.Context) error { return r.journal.SaveTask(ctx, task) }); err == nil {
					last = task
				}
			}
		}
		switch {
		case err != nil:
			r.rewake()
			if !rest(quit, wait.NextBackOff()) {
				return
			}
		case saved > 0 && !rest(quit, stateInterval):
			return
		default:
			wait.Reset()
		}
	}
}

// rest waits for a pause; false when quit was closed first.
func rest(quit <-chan struct{}, pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-quit:
		return false
	}
}

func journalBackoff() *backoff.ExponentialBackOff {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = journalRetryMin, journalRetryMax
	return wait
}

// rewake lets Run look again at what is waiting.
func (r *Recorder) rewake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Unsaved is the number of states that wait to be saved.
func (r *Recorder) Unsaved() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.keys))
}

// LastSaved is when a state was last saved; zero before the first.
func (r *Recorder) LastSaved() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Saved is the number of states saved.
func (r *Recorder) Saved() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.saved
}
