package recorder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
)

// finalMoment is the time that the verdict has for itself, after the states.
const finalMoment = 2 * time.Second

// Finish saves the last states and then the verdict, trying until ctx ends. It asks verdict for the record once the states are saved or given up, and
// says why they are lost, since the verdict depends on that. An error says that the verdict itself is not recorded.
func (r *Recorder) Finish(ctx context.Context, verdict func(statesLost error) sidecar.TaskRecord) error {
	states, cancel := ctx, context.CancelFunc(func() {})
	if deadline, bounded := ctx.Deadline(); bounded {
		// The verdict gets some time of its own, even when the states use up theirs.
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

// Begin records, by one call of record, that a task or a discover runs. That it could not be recorded is logged, and no reason to stop.
func (r *Recorder) Begin(ctx context.Context, record func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if err := record(ctx); err != nil {
		r.logs.Warn(fmt.Sprintf("%s: status RUNNING could not be recorded: %v", r.journal, err))
	}
}

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
