package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sync-sidecar/sidecar"
)

// flush saves the waiting states and returns how many it saved. Those that the journal refused before are tried only when again is true.
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
	for _, state := range saved {
		if !sidecar.IsNullState(state.State) {
			r.saved++
			r.last = time.Now()
		}
		if r.waiting[state.Key].order == state.order {
			delete(r.waiting, state.Key)
		}
	}
	waiting := r.waiting
	r.keys = slices.DeleteFunc(r.keys, func(key string) bool {
		_, waits := waiting[key]
		return !waits
	})
	return len(saved), err
}

// savable are the waiting states that are worth an attempt.
func (r *Recorder) savable(again bool) []waitingState {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := make([]waitingState, 0, len(r.keys))
	for _, key := range r.keys {
		if state := r.waiting[key]; again || !state.refused {
			states = append(states, state)
		}
	}
	return states
}

// write gives states to the journal and returns those that it took: all of them or, when it refuses one for its content, the others.
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

// try calls the journal, for at most Timeout, and logs when it stops and starts to answer.
func (r *Recorder) try(ctx context.Context, call func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := call(bounded)
	if ctx.Err() != nil {
		return err // the session ends: that says nothing about the journal
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
