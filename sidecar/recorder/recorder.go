// Package recorder writes states, results and the task's status to the journal, and keeps what the journal cannot take until it can.
//
// In come states whose rows are acknowledged (I1 is the checkpoint's), and the task's record; out they go to a sidecar.Journal, one write after the other.
// It insists on the verdict until its time is over (I2).
package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// Timeout bounds one write to the journal.
const Timeout = 30 * time.Second

const (
	taskHeartbeat = 10 * time.Second // between two writes of an unchanged task: its updated_at says that it lives
	taskInterval  = 2 * time.Second  // between two writes of a changing task
	// stateInterval is between two writes of states: a source that sends one for every row does not make a write of each batch. A run that is killed
	// has so much more to read again; the end of a run does not wait.
	stateInterval   = 100 * time.Millisecond
	journalRetryMin = 200 * time.Millisecond
	journalRetryMax = 10 * time.Second
)

// Recorder writes states and the task's status to the journal, one after the other, and keeps what the journal cannot take until it can.
type Recorder struct {
	journal sidecar.Journal
	logs    *logs.Logger
	wake    chan struct{}

	mu      sync.Mutex
	order   []string // keys of waiting states, oldest first
	waiting map[string]waitingState
	newest  map[string]int64 // order of the newest state of each key
	saved   int64
	failing time.Time // since when the journal refuses; zero while it works
}

// waitingState is a state with its order, by which a write knows whether a later one has taken its place meanwhile.
type waitingState struct {
	sidecar.SavedState
	order   int64
	refused bool // for what it is: only a later one is worth another attempt, until the end
}

// New makes a recorder; Run lets it work.
func New(journal sidecar.Journal, logs *logs.Logger) *Recorder {
	return &Recorder{journal: journal, logs: logs, wake: make(chan struct{}, 1), waiting: map[string]waitingState{}, newest: map[string]int64{}}
}

// Save takes states that may be saved. Of a key the one of the highest order counts, whichever comes first. It does not block.
func (r *Recorder) Save(order int64, states []sidecar.SavedState) {
	if len(states) == 0 {
		return // most states wait for their rows: nothing to wake up for
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, state := range states {
		if order < r.newest[state.Key] {
			continue
		}
		r.newest[state.Key] = order
		if _, waits := r.waiting[state.Key]; !waits {
			r.order = append(r.order, state.Key)
		}
		r.waiting[state.Key] = waitingState{SavedState: state, order: order}
	}
	r.rewake()
}

// Run saves states as they come, until quit is closed: a write that is under way then may end, unless ctx ends. snapshot gives the task's current
// record.
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
			err = nil // it was told of, and the others are saved
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

// rest waits; false when quit was closed first.
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

// flush saves the waiting states and says how many they were; those that were refused before only when again is true.
func (r *Recorder) flush(ctx context.Context, again bool) (int, error) {
	states := r.savable(again)
	if len(states) == 0 {
		return 0, nil
	}
	saved, refused, err := r.write(ctx, states)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, state := range refused {
		if r.waiting[state.Key].order == state.order {
			state.refused = true
			r.waiting[state.Key] = state
		}
	}
	r.saved += int64(len(saved))
	for _, state := range saved {
		if r.waiting[state.Key].order == state.order {
			delete(r.waiting, state.Key)
		}
	}
	r.order = slices.DeleteFunc(r.order, func(key string) bool {
		_, waits := r.waiting[key]
		return !waits
	})
	return len(saved), err
}

// savable are the waiting states that are worth an attempt.
func (r *Recorder) savable(again bool) []waitingState {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := make([]waitingState, 0, len(r.order))
	for _, key := range r.order {
		if state := r.waiting[key]; again || !state.refused {
			states = append(states, state)
		}
	}
	return states
}

// write gives states to the journal and returns those that it took: all, or, when it refuses one for what it is, the others.
func (r *Recorder) write(ctx context.Context, states []waitingState) (saved, refused []waitingState, err error) {
	save := func(states []waitingState) error {
		plain := make([]sidecar.SavedState, len(states))
		for i, state := range states {
			plain[i] = state.SavedState
		}
		return r.try(ctx, func(ctx context.Context) error { return r.journal.SaveStates(ctx, plain) })
	}
	err = save(states)
	switch {
	case err == nil:
		return states, nil, nil
	case !errors.Is(err, sidecar.ErrStateRefused):
		return nil, nil, err
	}
	err = nil
	for i, state := range states {
		alone := save(states[i : i+1])
		switch {
		case alone == nil:
			saved = append(saved, state)
		case errors.Is(alone, sidecar.ErrStateRefused):
			refused, err = append(refused, state), fmt.Errorf("state %q: %w", state.Key, alone)
			r.logs.Error(fmt.Sprintf("%v: the last one that was saved stays", err))
		default:
			return saved, refused, alone
		}
	}
	return saved, refused, err
}

// try calls the journal within a deadline and tells how it is.
func (r *Recorder) try(ctx context.Context, call func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := call(bounded)
	if ctx.Err() != nil {
		return err // the session ends: no word on the journal
	}
	failed := err != nil && !errors.Is(err, sidecar.ErrStateRefused) // which is an answer
	r.mu.Lock()
	before := r.failing
	switch {
	case failed && before.IsZero():
		r.failing = time.Now()
	case !failed:
		r.failing = time.Time{}
	}
	r.mu.Unlock()
	switch {
	case failed && before.IsZero():
		r.logs.Warn(fmt.Sprintf("%s: not reachable, states and status wait: %v", r.journal, err))
	case !failed && !before.IsZero():
		r.logs.Info(fmt.Sprintf("%s: reachable again after %v", r.journal, time.Since(before).Round(time.Second)))
	}
	return err
}

// Unsaved is the number of states that still wait.
func (r *Recorder) Unsaved() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.order))
}

// Saved is the number of states saved.
func (r *Recorder) Saved() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.saved
}

// Finish saves the last states and then the verdict, trying until ctx ends. verdict is asked again after the states are saved or given up, since
// it depends on that. The error says that the verdict itself is not recorded.
func (r *Recorder) Finish(ctx context.Context, verdict func(statesLost error) sidecar.TaskRecord) error {
	states, cancel := ctx, context.CancelFunc(func() {})
	if deadline, bounded := ctx.Deadline(); bounded {
		// The verdict gets a moment of its own even when the states use up their time.
		states, cancel = context.WithDeadline(ctx, deadline.Add(-min(finalMoment, time.Until(deadline)/2)))
	}
	defer cancel()
	lost := r.insist(states, func(ctx context.Context) error {
		_, err := r.flush(ctx, true)
		return err
	})
	return r.insist(ctx, func(ctx context.Context) error {
		return r.try(ctx, func(ctx context.Context) error { return r.journal.SaveTask(ctx, verdict(lost)) })
	})
}

// SaveResult records the outcome of spec, check or discover, trying until ctx ends.
func (r *Recorder) SaveResult(ctx context.Context, result sidecar.Result) error {
	return r.insist(ctx, func(ctx context.Context) error {
		return r.try(ctx, func(ctx context.Context) error { return r.journal.SaveResult(ctx, result) })
	})
}

// Begin records once that a task or a discover runs; that it could not is told and no reason to stop.
func (r *Recorder) Begin(ctx context.Context, record func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if err := record(ctx); err != nil {
		r.logs.Warn(fmt.Sprintf("%s: status RUNNING could not be recorded: %v", r.journal, err))
	}
}

// finalMoment is the time that the verdict has for itself.
const finalMoment = 2 * time.Second

// insist repeats a call until it succeeds or ctx ends.
func (r *Recorder) insist(ctx context.Context, call func(context.Context) error) error {
	wait := journalBackoff()
	for {
		err := call(ctx)
		if err == nil || errors.Is(err, sidecar.ErrLocked) || errors.Is(err, sidecar.ErrStateRefused) {
			return err
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
			return err
		}
	}
}
