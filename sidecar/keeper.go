package sidecar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	journalTimeout = 30 * time.Second // for one write to the journal
	taskHeartbeat  = 10 * time.Second // between two writes of an unchanged task: its updated_at says that it lives
	taskInterval   = 2 * time.Second  // between two writes of a changing task
	// stateInterval is between two writes of states: a source that sends one for every row does not make a write of each batch. A run that is killed
	// has so much more to read again; the end of a run does not wait.
	stateInterval   = 100 * time.Millisecond
	journalRetryMin = 200 * time.Millisecond
	journalRetryMax = 10 * time.Second
)

// keeper writes states and the task's status to the journal, one after the other, and keeps what the journal cannot take until it can.
type keeper struct {
	journal Journal
	logs    *Logs
	wake    chan struct{}

	mu      sync.Mutex
	order   []string // keys of waiting states, oldest first
	waiting map[string]waitingState
	arrived int64 // states taken so far
	saved   int64
	failing time.Time // since when the journal refuses; zero while it works
	err     error     // its last word
}

// waitingState is a state with the number of its arrival, by which a write knows whether a later one has taken its place meanwhile.
type waitingState struct {
	SavedState
	number  int64
	refused bool // for what it is: only a later one is worth another attempt, until the end
}

func newKeeper(journal Journal, logs *Logs) *keeper {
	return &keeper{journal: journal, logs: logs, wake: make(chan struct{}, 1), waiting: map[string]waitingState{}}
}

// save takes states in the order of the source. A later state of a key replaces an earlier one that still waits. It does not block.
func (k *keeper) save(states []SavedState) {
	if len(states) == 0 {
		return // most states wait for their rows: nothing to wake up for
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, state := range states {
		if _, waits := k.waiting[state.Key]; !waits {
			k.order = append(k.order, state.Key)
		}
		k.arrived++
		k.waiting[state.Key] = waitingState{SavedState: state, number: k.arrived}
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run saves states as they come, until quit is closed: a write that is under way then may end, unless ctx ends. snapshot gives the task's current
// record.
func (k *keeper) run(ctx context.Context, quit <-chan struct{}, snapshot func() TaskRecord) {
	wait := journalBackoff()
	heartbeat, changed := time.NewTicker(taskHeartbeat), time.NewTicker(taskInterval)
	defer heartbeat.Stop()
	defer changed.Stop()
	var last TaskRecord
	for {
		look, beat := true, false
		select {
		case <-quit:
			return
		case <-k.wake:
			look = false
		case <-heartbeat.C:
			beat = true
		case <-changed.C:
		}
		saved, err := k.flush(ctx, false)
		if errors.Is(err, ErrStateRefused) {
			err = nil // it was told of, and the others are saved
		}
		if look && err == nil {
			if task := snapshot(); beat || task != last {
				if err = k.try(ctx, func(ctx context.Context) error { return k.journal.SaveTask(ctx, task) }); err == nil {
					last = task
				}
			}
		}
		switch {
		case err != nil:
			k.rewake()
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

// rewake lets run look again at what is still waiting.
func (k *keeper) rewake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// flush saves the waiting states and says how many they were; those that were refused before only when again is true.
func (k *keeper) flush(ctx context.Context, again bool) (int, error) {
	k.mu.Lock()
	states, newest := make([]SavedState, 0, len(k.order)), k.arrived
	for _, key := range k.order {
		if state := k.waiting[key]; again || !state.refused {
			states = append(states, state.SavedState)
		}
	}
	k.mu.Unlock()
	if len(states) == 0 {
		return 0, nil
	}
	saved, refused, err := k.write(ctx, states)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range refused {
		if state := k.waiting[key]; state.number <= newest {
			state.refused = true
			k.waiting[key] = state
		}
	}
	k.saved += int64(len(saved))
	for _, state := range saved {
		if k.waiting[state.Key].number <= newest {
			delete(k.waiting, state.Key)
		}
	}
	k.order = slices.DeleteFunc(k.order, func(key string) bool {
		_, waits := k.waiting[key]
		return !waits
	})
	return len(saved), err
}

// write gives states to the journal and returns those that it took: all, or, when it refuses one for what it is, the others.
func (k *keeper) write(ctx context.Context, states []SavedState) (saved []SavedState, refused []string, err error) {
	save := func(states []SavedState) error {
		return k.try(ctx, func(ctx context.Context) error { return k.journal.SaveStates(ctx, states) })
	}
	err = save(states)
	switch {
	case err == nil:
		return states, nil, nil
	case !errors.Is(err, ErrStateRefused):
		return nil, nil, err
	}
	err = nil
	for i, state := range states {
		alone := save(states[i : i+1])
		switch {
		case alone == nil:
			saved = append(saved, state)
		case errors.Is(alone, ErrStateRefused):
			refused, err = append(refused, state.Key), fmt.Errorf("state %q: %w", state.Key, alone)
			k.logs.Error(fmt.Sprintf("%v: the last one that was saved stays", err))
		default:
			return saved, refused, alone
		}
	}
	return saved, refused, err
}

// try calls the journal within a deadline and notes how it is.
func (k *keeper) try(ctx context.Context, call func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	err := call(bounded)
	k.mu.Lock()
	defer k.mu.Unlock()
	failed := err != nil && !errors.Is(err, ErrStateRefused) // which is an answer
	switch {
	case ctx.Err() != nil: // the session ends: no word on the journal
	case failed && k.failing.IsZero():
		k.failing, k.err = time.Now(), err
		k.logs.Warn(fmt.Sprintf("%s: not reachable, states and status wait: %v", k.journal, err))
	case failed:
		k.err = err
	case !k.failing.IsZero():
		k.logs.Info(fmt.Sprintf("%s: reachable again after %v", k.journal, time.Since(k.failing).Round(time.Second)))
		k.failing, k.err = time.Time{}, nil
	}
	return err
}

// unsaved is the number of states that still wait.
func (k *keeper) unsaved() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return int64(len(k.order))
}

// count is the number of states saved.
func (k *keeper) count() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.saved
}

// finish saves the last states and then the verdict, trying until ctx ends. verdict is asked again after the states are saved or given up, since
// it depends on that. The error says that the verdict itself is not recorded.
func (k *keeper) finish(ctx context.Context, verdict func(statesLost error) TaskRecord) error {
	states, cancel := ctx, context.CancelFunc(func() {})
	if deadline, bounded := ctx.Deadline(); bounded {
		// The verdict gets a moment of its own even when the states use up their time.
		states, cancel = context.WithDeadline(ctx, deadline.Add(-min(finalMoment, time.Until(deadline)/2)))
	}
	defer cancel()
	lost := k.insist(states, func(ctx context.Context) error {
		_, err := k.flush(ctx, true)
		return err
	})
	return k.insist(ctx, func(ctx context.Context) error {
		return k.try(ctx, func(ctx context.Context) error { return k.journal.SaveTask(ctx, verdict(lost)) })
	})
}

// finalMoment is the time that the verdict has for itself.
const finalMoment = 2 * time.Second

// insist repeats a call until it succeeds or ctx ends.
func (k *keeper) insist(ctx context.Context, call func(context.Context) error) error {
	wait := journalBackoff()
	for {
		err := call(ctx)
		if err == nil || errors.Is(err, ErrLocked) || errors.Is(err, ErrStateRefused) {
			return err
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
			return err
		}
	}
}
